//! The marker of a run: who is heard of is left alone by every other run and by every cleanup, and who is
//! not heard of for an hour of the store's time is taken over.
use super::{Cloud, FOLDER, url, with};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, Invocation, Rig, Running, S3Operation};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than a run may be silent.
const SILENT: Duration = Duration::from_secs(3700);
/// How long two markers are on their way, so that each run has looked before either is there.
const ON_THE_WAY: Duration = Duration::from_secs(4);

/// Key of the marker of a backup.
fn key(name: &str) -> String {
    format!("{FOLDER}/{name}.run.json")
}

/// A machine that knows nothing of the runs of the first one.
struct Elsewhere<'c> {
    cloud: &'c Cloud,
    rig: Rig,
}

impl<'c> Elsewhere<'c> {
    fn of(cloud: &'c Cloud) -> Result<Self> {
        Ok(Self { cloud, rig: Rig::new()? })
    }

    fn stream(&self, name: &str) -> Invocation {
        let arguments = ["stream-backup", "--target", &url(name), "--engine", "mysqldump"];
        let run = self.rig.dbbackup_on(&self.cloud.server, arguments);
        with(run, &self.cloud.access()).args(["--part-size", "5M"])
    }

    fn cleanup(&self, more: &[&str]) -> Invocation {
        let folder = url("");
        with(self.rig.dbbackup(["cleanup", &folder]).args(more), &self.cloud.access())
    }
}

/// The store says that it saw this run last more than an hour ago.
fn falls_silent(cloud: &Cloud, name: &str) {
    let marker = key(name);
    cloud.proxy.add(FaultRule::on(S3Operation::Get, Fault::Older(SILENT)).key_suffix(marker));
}

/// A run whose parts are held on their way until the proxy's rules are taken back.
fn held(cloud: &Cloud, name: &str) -> Result<Running> {
    cloud.proxy.forget();
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Hold));
    let run = cloud.stream("mysqldump", name).start()?;
    cloud.wait_for_parts(1)?;
    Ok(run)
}

/// A run that was killed in the middle of its upload, whose id comes back.
fn killed(cloud: &Cloud, name: &str) -> Result<String> {
    held(cloud, name)?.kill9_after(Duration::ZERO)?;
    cloud.proxy.clear();
    let uploads = cloud.client()?.uploads()?;
    let upload = uploads.into_iter().find(|upload| upload.key == format!("{FOLDER}/{name}"));
    Ok(upload.context("there was no upload to be left")?.id)
}

/// Whether an upload is still there.
fn is_there(cloud: &Cloud, upload: &str) -> Result<bool> {
    Ok(cloud.client()?.uploads()?.iter().any(|found| found.id == upload))
}

#[test]
fn who_is_at_work_keeps_others_off_the_name() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let first = held(&cloud, "db.sql")?;
    let marker = cloud.client()?.get(&key("db.sql"))?;
    let elsewhere = Elsewhere::of(&cloud)?;
    for more in [&[][..], &["--force"]] {
        let second = elsewhere.stream("db.sql").args(more).run()?;
        second.expect_exit(8)?.expect_stderr("db.sql.run.json")?.expect_stderr("is at work on")?;
        ensure!(cloud.client()?.get(&key("db.sql"))? == marker, "the marker was touched");
    }
    cloud.proxy.clear();
    first.wait()?.expect_success()?;
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn of_two_markers_at_the_same_moment_one_is_put() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let elsewhere = Elsewhere::of(&cloud)?;
    let late = FaultRule::on(S3Operation::Put, Fault::Stall(ON_THE_WAY)).key_suffix(key("db.sql"));
    cloud.proxy.add(late.first(2));
    let runs = [cloud.stream("mysqldump", "db.sql").start()?, elsewhere.stream("db.sql").start()?];
    let mut outcomes = Vec::new();
    for run in runs {
        outcomes.push(run.wait()?);
    }
    ensure!(cloud.proxy.faults() == 2, "they did not meet: {outcomes:?}");
    let mut codes: Vec<_> = outcomes.iter().map(|outcome| outcome.code()).collect();
    codes.sort_unstable();
    ensure!(codes == [Some(0), Some(8)], "{outcomes:?}");
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn who_is_silent_for_an_hour_is_taken_over() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let upload = killed(&cloud, "db.sql")?;
    let elsewhere = Elsewhere::of(&cloud)?;
    // A minute ago it was heard of.
    elsewhere.stream("db.sql").run()?.expect_exit(8)?;
    ensure!(is_there(&cloud, &upload)?, "the upload of a run at work was removed");

    falls_silent(&cloud, "db.sql");
    elsewhere.stream("db.sql").run()?.expect_success()?;
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.proxy.clear();
    // The journal of the killed run names what is another run's by now.
    cloud.dbbackup(&["cleanup"]).run()?.expect_success()?;
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}

#[test]
fn who_was_taken_over_ends_and_leaves_the_other_alone() -> Result<()> {
    let cloud = Cloud::start(20_000)?;
    let run = held(&cloud, "db.sql")?;
    // The third and last part: nothing is left to be done but to complete the upload.
    cloud.wait_for_parts(3)?;
    let client = cloud.client()?;
    let mut marker: Value = serde_json::from_slice(&client.get(&key("db.sql"))?)?;
    marker["run_id"] = json!("of-another-machine");
    marker["objects"] = json!([]);
    let marker = marker.to_string().into_bytes();
    client.put(&key("db.sql"), marker.clone())?;
    cloud.proxy.clear();
    let outcome = run.wait()?;
    outcome.expect_exit(6)?.expect_stderr("belongs to run of-another-machine now")?;
    cloud.expect_objects(&["db.sql.run.json"])?;
    ensure!(client.get(&key("db.sql"))? == marker, "the other's marker was touched");
    // Nor does its cleanup.
    cloud.dbbackup(&["cleanup", &url("")]).run()?.expect_success()?;
    ensure!(client.get(&key("db.sql"))? == marker, "the other's marker was removed");
    cloud.server.expect_writable_within(Duration::from_secs(5))?;
    Ok(())
}

#[test]
fn a_cleanup_leaves_runs_at_work_and_uploads_of_others_alone() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let foreign = cloud.client()?.create_upload(&format!("{FOLDER}/foreign.tar.gz"))?;
    let run = held(&cloud, "db.sql")?;
    let elsewhere = Elsewhere::of(&cloud)?;
    for more in [&[][..], &["--all-uploads", "--older-than", "1d"]] {
        let cleanup = elsewhere.cleanup(more).run()?;
        cleanup.expect_success()?.expect_stdout("nothing to clean up")?;
        ensure!(cloud.client()?.uploads()?.len() == 2, "an upload was removed by {more:?}");
    }
    // What is to be removed is listed, and then removed: but never of who is heard of.
    let all = ["--all-uploads", "--older-than", "0s"];
    cloud.proxy.add(FaultRule::on(S3Operation::Abort, Fault::Deny).first(1));
    let refused = elsewhere.cleanup(&all).run()?;
    refused.expect_stderr("unfinished: upload of s3://")?.expect_stderr("foreign.tar.gz")?;
    ensure!(is_there(&cloud, &foreign)?, "it was removed although that is denied");
    let removed = elsewhere.cleanup(&all).run()?;
    removed.expect_success()?.expect_stderr("unfinished: upload of s3://")?;
    ensure!(!removed.to_string().contains("db.sql"), "{removed}");
    ensure!(!is_there(&cloud, &foreign)?, "it is still there");
    cloud.proxy.clear();
    run.wait()?.expect_success()?;
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn a_cleanup_removes_what_silent_runs_name_and_nothing_else() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let client = cloud.client()?;
    let upload = killed(&cloud, "db.sql")?;
    let foreign = client.create_upload(&format!("{FOLDER}/foreign.tar.gz"))?;
    // Another upload of the same key, which the marker does not name.
    let twin = client.create_upload(&format!("{FOLDER}/db.sql"))?;
    let live = client.create_upload(&format!("{FOLDER}/live.sql"))?;
    let marker = json!({
        "schema": "dbbackup.run-marker/1", "run_id": "of-another-machine", "host": "db2",
        "heartbeat": "2026-01-01T00:00:00Z",
        "manifest_key": format!("{FOLDER}/live.sql.manifest.json"),
        "objects": [{"key": format!("{FOLDER}/live.sql"), "upload_id": live}],
    });
    client.put(&key("live.sql"), marker.to_string())?;

    falls_silent(&cloud, "db.sql");
    let elsewhere = Elsewhere::of(&cloud)?;
    let dry = elsewhere.cleanup(&["--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout("would remove: upload of")?;
    ensure!(is_there(&cloud, &upload)?, "a dry run removed something");
    elsewhere.cleanup(&[]).run()?.expect_success()?.expect_stdout("removed: upload of")?;
    ensure!(!is_there(&cloud, &upload)?, "the upload of a silent run is left");
    for kept in [&foreign, &twin, &live] {
        ensure!(is_there(&cloud, kept)?, "an upload of others was removed");
    }
    ensure!(cloud.names()? == ["live.sql.run.json"], "{:?}", cloud.names()?);
    // The machine of the killed run has nothing to do any more.
    cloud.proxy.clear();
    cloud.dbbackup(&["cleanup"]).run()?.expect_success()?;
    ensure!(cloud.client()?.uploads()?.len() == 3, "an upload of others was removed");
    Ok(())
}
