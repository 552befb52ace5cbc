//! What a store was told to make visible and has not answered: it may appear long after whoever asked
//! for it is gone, and is kept in mind until it cannot any more.
use super::{Cloud, FOLDER, url, with};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, Invocation, S3Access, S3Operation, Signal, wait_until};
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
    wait_until("parts are on their way", PATIENCE, || {
        Ok(!cloud.proxy.requests_of(S3Operation::Part).is_empty())
    })?;
    run.kill9_after(Duration::ZERO)?;
    ensure!(cloud.client()?.uploads()?.len() == 1, "there was no upload to be left");
    let cleanup = with_keys_alone(cloud.rig.dbbackup(["cleanup"]), &cloud.access());
    cleanup.run()?.expect_success()?;
    cloud.expect_objects(&[])
}

#[test]
fn a_conflict_that_passes_is_no_backup_in_the_way() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let conflict = FaultRule::on(S3Operation::Put, Fault::Conflict);
    cloud.proxy.add(conflict.clone().key_suffix(".manifest.json").first(2));
    cloud.proxy.add(conflict.key_suffix(".run.json").first(1));
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    ensure!(cloud.proxy.faults() == 3, "{} conflicts", cloud.proxy.faults());
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
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

#[test]
fn a_replacement_takes_what_no_manifest_vouches_for_with_it() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let client = cloud.client()?;
    for name in ["db.sql", "db.sql.0002", "db.sql.txt", "other.sql"] {
        client.put(&format!("{FOLDER}/{name}"), *b"somebody's")?;
    }
    cloud.stream("mysqldump", "db.sql").run()?.expect_exit(23)?.expect_stderr("--force")?;
    cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
    let info = cloud.data(&["info", &url("db.sql")])?;
    let object = info["objects"][0]["name"].as_str().context("a name")?.to_owned();
    let mut names = [object.as_str(), "db.sql.manifest.json", "db.sql.txt", "other.sql"];
    names.sort_unstable();
    cloud.expect_objects(&names)?;
    let run = with(cloud.rig.dbbackup(["verify", &url("db.sql")]), &cloud.access());
    run.run()?.expect_success()?;
    Ok(())
}
