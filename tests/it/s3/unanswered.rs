//! What a store was told to make visible and has not answered: it may appear long after whoever asked
//! for it is gone, and is kept in mind until it cannot any more.
use super::Cloud;
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
    let records = records_with("unanswered_s", &cloud.rig.state_dir())?;
    ensure!(records.len() == 1, "records {records:?}");
    for record in records {
        let text = fs::read_to_string(&record)?;
        fs::write(&record, an_hour_earlier(&text)?)?;
    }
    let report = cleanup()?;
    ensure!(report[0]["state"]["state"] == "undone", "{report}");
    ensure!(cleanup()? == serde_json::json!([]), "it is looked for for ever");
    cloud.expect_objects(&[])
}

/// The record with another time of the question.
fn an_hour_earlier(text: &str) -> Result<String> {
    let (before, rest) = text.split_once("\"unanswered_s\":").context("no time in it")?;
    let digits = rest.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).context("no end of it")?;
    let (time, after) = digits.split_at(end);
    let time: u64 = time.parse()?;
    Ok(format!("{before}\"unanswered_s\":{}{after}", time - 3601))
}
