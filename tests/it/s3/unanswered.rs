//! What a store was told to make visible and has not answered: it may appear long after whoever asked
//! for it is gone, and is kept in mind until it cannot any more.
use super::{Cloud, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, S3Operation, Signal, wait_until};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long the store takes to put an object together: less than an ended run may take for its end.
const PUTTING_TOGETHER: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn an_object_that_is_being_put_together_does_not_appear_after_the_run() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    cloud.proxy.add(FaultRule::on(S3Operation::Complete, Fault::Stall(PUTTING_TOGETHER)));
    let mut run = cloud.stream("mysqldump", "db.sql").start()?;
    wait_until("the object is being put together", PATIENCE, || {
        Ok(!cloud.proxy.requests_of(S3Operation::Complete).is_empty())
    })?;
    run.signal(Signal::INT)?;
    run.wait()?.expect_exit(130)?;
    // The request has reached the store by then, whoever waited for its answer.
    wait_until("the store has answered", PATIENCE, || {
        let requests = cloud.proxy.requests_of(S3Operation::Complete);
        Ok(requests.iter().all(|request| request.status.is_some()))
    })?;
    cloud.expect_objects(&[])?;
    cloud.expect_nothing_left()
}

/// Journals of runs below a directory whose text holds a word.
fn records_with(word: &str, below: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(records_with(word, &path)?);
        } else if fs::read_to_string(&path).is_ok_and(|text| text.contains(word)) {
            found.push(path);
        }
    }
    Ok(found)
}

#[test]
fn without_an_answer_the_record_stays_until_nothing_can_appear_any_more() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    cloud.proxy.add(FaultRule::on(S3Operation::Complete, Fault::Reset));
    let run = cloud.stream("mysqldump", "db.sql").args(["--target-option", "retry_deadline_s=3"]);
    run.run()?.expect_exit(6)?;
    cloud.proxy.clear();
    let cleanup = || -> Result<_> {
        let report = cloud.dbbackup(&["cleanup", "--json"]).run()?.json()?;
        Ok(report["data"]["undone"].clone())
    };
    let report = cleanup()?.to_string();
    ensure!(report.contains("may still appear"), "it is forgotten: {report}");
    let uploads = cloud.client()?.uploads()?;
    ensure!(uploads.is_empty(), "parts that cost are left: {uploads:?}");
    let report = cleanup()?.to_string();
    ensure!(report.contains("may still appear"), "it is forgotten: {report}");
    // An hour later it cannot appear any more.
    let_an_hour_pass(&cloud, "unanswered_s")?;
    let report = cleanup()?;
    ensure!(report[0]["state"]["state"] == "undone", "{report}");
    ensure!(cleanup()? == serde_json::json!([]), "it is looked for for ever");
    cloud.expect_objects(&[])
}

/// Sets the time in the one journal that has a field of this name back.
pub(super) fn let_an_hour_pass(cloud: &Cloud, field: &str) -> Result<()> {
    let records = records_with(field, &cloud.rig.state_dir())?;
    ensure!(records.len() == 1, "records {records:?}");
    for record in records {
        let text = fs::read_to_string(&record)?;
        fs::write(&record, an_hour_earlier(&text, field)?)?;
    }
    Ok(())
}

/// The journal with earlier times of the question.
fn an_hour_earlier(text: &str, field: &str) -> Result<String> {
    let field = format!("\"{field}\":");
    let mut parts = text.split(field.as_str());
    let mut earlier = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).context("no end of the time")?;
        let (time, after) = part.split_at(end);
        let time: u64 = time.parse()?;
        earlier.push_str(&format!("{field}{}{after}", time - 3601));
    }
    Ok(earlier)
}

const MANIFEST: &str = "db.sql.manifest.json";

/// Replaces a backup while the place, from the manifest on, answers nothing, and does with the manifest
/// what the fault says. Answers the id of the old backup.
fn replaced_without_an_answer(cloud: &Cloud, fault: Fault) -> Result<String> {
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    let old = id(cloud)?;
    cloud.proxy.forget();
    cloud.proxy.add(FaultRule::on(S3Operation::Put, fault).key_suffix(MANIFEST));
    let run = cloud.stream("mysqldump", "db.sql").args(["--force"]);
    let run = run.args(["--target-option", "retry_deadline_s=4"]).start()?;
    wait_until("the manifest is being put", PATIENCE, || {
        let puts = cloud.proxy.requests_of(S3Operation::Put);
        Ok(puts.iter().any(|put| put.key.ends_with(MANIFEST)))
    })?;
    cloud.proxy.add(FaultRule::on(S3Operation::Get, Fault::Reset).key_suffix(MANIFEST));
    let outcome = run.wait()?;
    outcome
        .expect_exit(6)?
        .expect_stderr("db.sql.manifest.json was written is not known")?
        .expect_stderr("db.sql.manifest.json may still appear")?;
    cloud.proxy.clear();
    Ok(old)
}

fn id(cloud: &Cloud) -> Result<String> {
    let info = cloud.data(&["info", &url("db.sql")])?;
    Ok(info["id"].as_str().context("an id")?.to_owned())
}

#[test]
fn a_manifest_that_was_taken_without_an_answer_is_of_the_new_backup() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let old = replaced_without_an_answer(&cloud, Fault::LostAnswer)?;
    ensure!(id(&cloud)? != old, "the store has the new manifest");
    cloud.dbbackup(&["cleanup"]).run()?.expect_exit(1)?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    let_an_hour_pass(&cloud, "since_s")?;
    cloud.dbbackup(&["cleanup", &url("")]).run()?.expect_success()?;
    cloud.expect_good("db.sql")?;
    let names = cloud.names()?;
    ensure!(names.len() == 2, "orphans, or too little: {names:?}");
    cloud.expect_nothing_left()
}

#[test]
fn a_manifest_that_never_arrived_leaves_the_old_backup_and_no_orphan() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let old = replaced_without_an_answer(&cloud, Fault::Reset)?;
    ensure!(id(&cloud)? == old, "nothing has replaced it");
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    // Until nothing can appear any more, what a late manifest would name stays.
    cloud.dbbackup(&["cleanup"]).run()?.expect_exit(1)?;
    let names = cloud.names()?;
    ensure!(names.len() == 4, "object, manifest, new object and marker: {names:?}");
    let_an_hour_pass(&cloud, "since_s")?;
    cloud.dbbackup(&["cleanup"]).run()?.expect_success()?;
    cloud.expect_objects(&["db.sql", MANIFEST])?;
    ensure!(id(&cloud)? == old, "nothing has replaced it");
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}
