//! A manifest whose answer is lost, as those find it who may look, and those who may not.
use super::{Cloud, FOLDER, local, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, S3Operation};

const MANIFEST: &str = "db.sql.manifest.json";

/// The store takes the manifest, and its answers are lost as often.
fn lose_answers(cloud: &Cloud, answers: u32) {
    let lost = FaultRule::on(S3Operation::Put, Fault::LostAnswer).key_suffix(MANIFEST);
    cloud.proxy.add(lost.first(answers));
}

#[test]
fn who_may_look_finds_its_own_manifest_and_has_a_backup() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    let old = cloud.data(&["info", &url("db.sql")])?;
    // More answers than the run asks for: it ends by its deadline, and then looks.
    lose_answers(&cloud, 1000);
    let run = cloud.stream("mysqldump", "db.sql").args(["--force"]);
    run.args(["--target-option", "retry_deadline_s=4"]).run()?.expect_success()?;
    cloud.proxy.clear();
    let new = cloud.data(&["info", &url("db.sql")])?;
    ensure!(new["id"] != old["id"], "the store has the new manifest");
    ensure!(cloud.names()?.len() == 2, "orphans: {:?}", cloud.names()?);
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()?;
    expect_good_copy(&cloud)
}

/// Copied under their own names, object and manifest are the same backup: the object bears another name
/// than the backup that it is of.
fn expect_good_copy(cloud: &Cloud) -> Result<()> {
    for name in cloud.names()? {
        let bytes = cloud.client()?.get(&format!("{FOLDER}/{name}"))?;
        std::fs::write(cloud.rig.path(&name), bytes)?;
    }
    let listed = cloud.data(&["list", &local(cloud, "")])?;
    let backups = listed["locations"][0]["backups"].as_array().context("backups")?.clone();
    ensure!(backups.len() == 1, "one backup: {backups:?}");
    ensure!(backups[0]["state"]["state"] == "complete", "{backups:?}");
    cloud.data(&["info", &local(cloud, "db.sql")])?;
    cloud.dbbackup(&["verify", &local(cloud, "db.sql")]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn who_may_not_look_leaves_what_may_be_a_backup() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    lose_answers(&cloud, 1);
    let access = cloud.store.write_only().through(&cloud.proxy);
    let run = cloud.stream_as(&access, "mysqldump", "db.sql").run()?;
    run.expect_exit(6)?.expect_stderr("db.sql.manifest.json was written is not known")?;
    // It was written, and is told by whoever may look.
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    cloud.expect_good("db.sql")
}

#[test]
fn a_cleanup_of_a_name_that_is_nothing_says_so() -> Result<()> {
    let cloud = Cloud::start(10)?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    let refused = cloud.dbbackup(&["cleanup", &url("db.dump")]).run()?;
    refused
        .expect_exit(2)?
        .expect_stderr("neither a backup nor a folder")?
        .expect_stderr(".sql")?;
    let folder = url("");
    let folder = folder.trim_end_matches('/');
    cloud.dbbackup(&["cleanup", folder]).run()?.expect_success()?;
    cloud.expect_objects(&["db.sql", MANIFEST])
}
