//! What cannot work is said at once, with the documented exit code, and nothing is left.
use super::{Cloud, url, with};
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Longest that a refusal may take which no retry can change.
const AT_ONCE: Duration = Duration::from_secs(20);

#[test]
fn what_no_retry_can_change_is_refused_at_once_and_without_a_secret() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let wrong = cloud.store.access().with_wrong_secret();
    let elsewhere = cloud.store.access().bucket("no-such-bucket");
    let started = Instant::now();
    let outcome = cloud.stream_as(&wrong, "mysqldump", "db.sql.gz").run()?;
    outcome.expect_exit(6)?.expect_stderr("SignatureDoesNotMatch")?;
    ensure!(!outcome.to_string().contains(&wrong.secret_key), "a secret was printed: {outcome}");
    let run =
        ["stream-backup", "--engine", "mysqldump", "--target", "s3://no-such-bucket/db.sql.gz"];
    let outcome = with(cloud.rig.dbbackup_on(&cloud.server, run), &elsewhere).run()?;
    outcome.expect_exit(6)?.expect_stderr("no-such-bucket")?;
    for arguments in [["list", "s3://no-such-bucket/"], ["verify", "s3://no-such-bucket/db.sql.gz"]]
    {
        cloud.dbbackup(&arguments).run()?.expect_exit(6)?.expect_stderr("no-such-bucket")?;
    }
    ensure!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    cloud.expect_objects(&[])
}

#[test]
fn command_lines_that_cannot_mean_anything_are_refused() -> Result<()> {
    let cloud = Cloud::start(10)?;
    let run = |arguments: &[&str]| cloud.dbbackup(arguments).run();
    run(&["stream-backup", "--target", "/srv/db.tar.gz"])?
        .expect_exit(2)?
        .expect_stderr("--output")?;
    run(&["list", "s4://bucket/"])?.expect_exit(4)?.expect_stderr("no engine serves s4://")?;
    run(&["list", "s3://"])?.expect_exit(3)?;
    run(&["cleanup", &url(""), "--all-uploads"])?.expect_exit(2)?.expect_stderr("--older-than")?;
    run(&["info", &url("db.tar.gz")])?.expect_exit(23)?.expect_stderr("there is no manifest")?;
    run(&["restore", &url("db.tar.gz"), "--target-dir", "here"])?.expect_exit(23)?;
    run(&["status", &url("")])?.expect_exit(22)?.expect_stderr("there is no backup")?;
    run(&["verify", &url("")])?.expect_exit(20)?.expect_stderr("no backup in")?;
    let part = cloud.stream("mysqldump", "db.sql.gz").args(["--target-option", "part_size=1"]);
    part.run()?.expect_exit(3)?.expect_stderr("part_size")?;
    Ok(())
}

#[test]
fn without_its_plugin_a_place_is_named_and_the_plugin_too() -> Result<()> {
    let rig = dbbackup_testkit::Rig::without_plugins()?;
    let listed = rig.dbbackup(["list", "s3://bucket/"]).run()?;
    listed.expect_exit(4)?.expect_stderr("no engine serves s3://")?;
    Ok(())
}
