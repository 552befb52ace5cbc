//! Runs that are killed at random moments: never a backup that is none, and nothing that the next
//! cleanup does not remove.
use super::{Cloud, url, with};
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    Fault, FaultRule, Invocation, Random, S3Access, S3Operation, Signal, env, pause,
};
use std::time::Duration;

const MOMENTS: u64 = 6;
const ACCEPTANCE_MOMENTS: u64 = 60;
/// Longest that a run is let go on before it is killed.
const SPAN_MS: u64 = 4000;

fn moments() -> u64 {
    if env::is_acceptance() { ACCEPTANCE_MOMENTS } else { MOMENTS }
}

/// Slow enough for the moments to hit every step.
fn slowed(rows: u64) -> Result<Cloud> {
    let cloud = Cloud::start(rows)?;
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Slow(30_000)));
    Ok(cloud)
}

#[test]
fn killed_workers_and_supervisors_leave_nothing_after_a_cleanup() -> Result<()> {
    let cloud = slowed(40_000)?;
    let mut random = Random::announced("killed uploads");
    for moment in 0..moments() {
        let name = format!("run{moment}.sql");
        let run = cloud.stream("mysqldump", &name).start()?;
        let span = Duration::from_millis(random.below(SPAN_MS));
        let outcome = if moment % 2 == 0 {
            run.kill9_after(span)?
        } else {
            let mut run = run;
            if run.wait_for_worker(Duration::from_secs(60)).is_ok() {
                pause(span);
                run.kill_workers()?;
            }
            run.wait()?
        };
        cloud.dbbackup(&["cleanup", &url("")]).run()?.expect_success()?;
        cloud.expect_nothing_left()?;
        let committed = cloud.names()?.contains(&format!("{name}.manifest.json"));
        if outcome.code() == Some(0) {
            ensure!(committed, "exit 0 without a manifest");
        }
        if committed {
            cloud.dbbackup(&["verify", &url(&name)]).run()?.expect_success()?;
        } else {
            let names = cloud.names()?;
            ensure!(!names.iter().any(|found| found.starts_with(&name)), "left: {names:?}");
        }
        cloud.server.expect_writable_within(Duration::from_secs(5))?;
    }
    Ok(())
}

#[test]
fn an_interrupted_run_gives_its_upload_up() -> Result<()> {
    let cloud = Cloud::start(60_000)?;
    let mut run = cloud.in_the_middle("mysqldump", "db.sql")?;
    run.signal(Signal::INT)?;
    run.wait()?.expect_exit(130)?;
    cloud.expect_objects(&[])?;
    cloud.expect_nothing_left()
}

#[test]
fn uploads_of_others_are_removed_on_request_alone() -> Result<()> {
    let cloud = Cloud::start(10)?;
    cloud.client()?.create_upload("nightly/foreign.tar.gz")?;
    cloud.dbbackup(&["cleanup", &url("")]).run()?.expect_success()?;
    ensure!(cloud.client()?.uploads()?.len() == 1, "somebody else\'s upload was removed");
    let all = ["cleanup", &url(""), "--all-uploads", "--older-than", "0s"];
    let listed = cloud.dbbackup(&all).args(["--dry-run"]).run()?;
    listed.expect_success()?.expect_stdout("would remove: upload of")?;
    ensure!(cloud.client()?.uploads()?.len() == 1, "a dry run removed something");
    cloud.dbbackup(&all).run()?.expect_success()?.expect_stdout("foreign.tar.gz")?;
    cloud.expect_objects(&[])
}

#[test]
fn a_crashed_run_whose_keys_may_only_write_leaves_no_parts() -> Result<()> {
    let cloud = slowed(60_000)?;
    let access = cloud.store.write_only().through(&cloud.proxy);
    let run = cloud.stream_as(&access, "mysqldump", "db.sql").start()?;
    cloud.wait_for_parts(1)?;
    run.kill9_after(Duration::ZERO)?;
    ensure!(cloud.client()?.uploads()?.len() == 1, "there was no upload to be left");
    // The same keys cannot look for the rest, which is said, and is no reason to fail.
    let cleanup = with(cloud.rig.dbbackup(["cleanup"]), &access).run()?;
    cleanup.expect_success()?.expect_stderr("may not look")?;
    cloud.expect_objects(&["db.sql.run.json"])?;
    let again = with(cloud.rig.dbbackup(["cleanup", "--json"]), &access).run()?;
    let report = again.expect_success()?.json()?["data"].clone();
    ensure!(report["undone"] == serde_json::json!([]), "it is tried for ever: {report}");
    Ok(())
}

/// A run with the keys and the region of a bucket, without its address.
fn with_keys_alone(run: Invocation, access: &S3Access) -> Invocation {
    let known = access.env().into_iter().filter(|(name, _)| !name.contains("ENDPOINT"));
    known.fold(run, |run, (name, value)| run.env(name, value))
}

#[test]
fn a_crashed_run_is_undone_at_the_store_that_it_wrote_to() -> Result<()> {
    let cloud = Cloud::start(60_000)?;
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Slow(30_000)));
    let arguments = ["stream-backup", "--engine", "mysqldump", "--target", &url("db.sql")];
    let run = cloud.rig.dbbackup_on(&cloud.server, arguments).args(["--part-size", "5M"]);
    let run = with_keys_alone(run, &cloud.access());
    // The address comes from the environment of that run alone, by the SDK's variable for S3.
    let run = run.env("AWS_ENDPOINT_URL_S3", cloud.access().endpoint).start()?;
    cloud.wait_for_parts(1)?;
    run.kill9_after(Duration::ZERO)?;
    ensure!(cloud.client()?.uploads()?.len() == 1, "there was no upload to be left");
    let cleanup = with_keys_alone(cloud.rig.dbbackup(["cleanup"]), &cloud.access());
    cleanup.run()?.expect_success()?;
    cloud.expect_objects(&[])
}
