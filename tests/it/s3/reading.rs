//! Faults at the requests that read and clean up: what passes is waited for, and what does not is an
//! error that leaves nothing half done.
use super::{Cloud, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, Flavor, S3Operation, Server, ServerOptions};
use std::time::Duration;

/// Faults that pass.
const PASSING: [Fault; 7] = [
    Fault::Reset,
    Fault::LostAnswer,
    Fault::Status500,
    Fault::Status503(Some(1)),
    Fault::SlowDown,
    Fault::Truncate,
    Fault::Stall(Duration::from_secs(2)),
];
/// Faults that do not.
const LASTING: [Fault; 2] = [Fault::Deny, Fault::Skew];

#[test]
fn faults_that_pass_are_survived_by_everything_that_reads() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    let (backup, folder) = (url("db.sql"), url(""));
    let reads: [(S3Operation, &[Fault], &[&str]); 3] = [
        (S3Operation::Get, &PASSING, &["verify", &backup]),
        (S3Operation::Head, &[Fault::LostAnswer, Fault::Status500], &["verify", &backup]),
        (S3Operation::List, &[Fault::Truncate, Fault::SlowDown], &["list", &folder]),
    ];
    for (operation, faults, command) in reads {
        for fault in faults {
            let before = cloud.proxy.faults();
            cloud.proxy.add(FaultRule::on(operation, *fault).first(1));
            let outcome = cloud.dbbackup(command).run()?;
            outcome.expect_success().with_context(|| format!("{operation:?} {fault:?}"))?;
            ensure!(cloud.proxy.faults() > before, "{operation:?} {fault:?} hit nothing");
            cloud.proxy.clear();
        }
    }
    // A restore of which about every third read fails, one way or another.
    for fault in [Fault::Truncate, Fault::Reset, Fault::Status503(None)] {
        cloud.proxy.add(FaultRule::on(S3Operation::Get, fault).percent(15));
    }
    let other = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let restore = ["restore", &backup, "--into-server"];
    let run = super::with(cloud.rig.dbbackup_on(&other, restore), &cloud.access());
    run.run()?.expect_success()?;
    cloud.server.checksum_all()?.expect_same(&other.checksum_all()?)
}

#[test]
fn faults_that_last_end_what_reads_and_nothing_is_restored() -> Result<()> {
    let cloud = Cloud::start(4000)?;
    cloud.stream("clone", "db.tar.zst").run()?.expect_success()?;
    let (backup, folder) = (url("db.tar.zst"), url(""));
    for fault in LASTING {
        for (operation, command) in [
            (S3Operation::Get, &["verify", &backup][..]),
            (S3Operation::Get, &["restore", &backup, "--target-dir", "restored"]),
            (S3Operation::List, &["list", &folder]),
        ] {
            cloud.proxy.add(FaultRule::on(operation, fault));
            cloud.dbbackup(command).run()?.expect_exit(6).with_context(|| format!("{fault:?}"))?;
            cloud.proxy.clear();
        }
    }
    ensure!(!cloud.rig.path("restored").exists(), "a directory was made");
    let restore = ["restore", &backup, "--target-dir", "restored"];
    cloud.dbbackup(&restore).run()?.expect_success()?;
    Ok(())
}

#[test]
fn a_cleanup_survives_what_passes_and_says_what_it_must_leave() -> Result<()> {
    let cloud = Cloud::start(60_000)?;
    let run = cloud.in_the_middle("mysqldump", "db.sql")?;
    run.kill9_after(Duration::ZERO)?;
    cloud.proxy.clear();

    cloud.proxy.add(FaultRule::on(S3Operation::Abort, Fault::Deny));
    let refused = cloud.dbbackup(&["cleanup"]).run()?;
    ensure!(refused.code() != Some(0), "{refused}");
    refused.expect_stdout("left (")?.expect_stdout("AccessDenied")?;
    ensure!(cloud.client()?.uploads()?.len() == 1, "the upload is gone all the same");
    cloud.proxy.clear();

    for operation in [S3Operation::Abort, S3Operation::Delete, S3Operation::Get, S3Operation::List]
    {
        cloud.proxy.add(FaultRule::on(operation, Fault::LostAnswer).first(1));
        cloud.proxy.add(FaultRule::on(operation, Fault::Status500).skip(1).first(1));
    }
    cloud.dbbackup(&["cleanup"]).run()?.expect_success()?.expect_stdout("removed: ")?;
    cloud.proxy.clear();
    cloud.expect_objects(&[])?;
    cloud.expect_nothing_left()
}

#[test]
fn an_archived_manifest_hides_no_other_backup() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    for name in ["cold.sql", "warm.sql"] {
        cloud.stream("mysqldump", name).run()?.expect_success()?;
    }
    let cold =
        FaultRule::on(S3Operation::Get, Fault::Archived).key_suffix("cold.sql.manifest.json");
    cloud.proxy.add(cold);
    let listed = cloud.data(&["list", &url("")])?;
    let backups = listed["locations"][0]["backups"].as_array().context("backups")?.clone();
    let states: Vec<_> = backups.iter().filter_map(|it| it["state"]["state"].as_str()).collect();
    let incomplete = states.iter().filter(|state| **state == "incomplete").count();
    ensure!(incomplete == 1 && states.len() == 2, "{listed}");
    ensure!(listed.to_string().contains("InvalidObjectState"), "no reason is given: {listed}");
    cloud.dbbackup(&["status", &url("")]).run()?.expect_success()?;
    let verify = cloud.dbbackup(&["verify", &url("cold.sql")]).run()?;
    ensure!(verify.code() != Some(0), "{verify}");
    cloud.dbbackup(&["verify", &url("warm.sql")]).run()?.expect_success()?;
    Ok(())
}
