//! Every kind of fault at every kind of request: the run goes on and its backup is good, or it ends with
//! an error and leaves nothing.
use super::{Cloud, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, Outcome, S3Operation, S3Request};
use std::time::{Duration, Instant};

/// How the keys of manifests end, and those of the markers of runs, which are put first.
const MANIFEST: &str = ".manifest.json";
const MARKER: &str = ".run.json";
/// Requests of an upload that a fault may hit, and how the keys of their objects end.
const REQUESTS: [(S3Operation, &str); 5] = [
    (S3Operation::CreateUpload, ""),
    (S3Operation::Part, ""),
    (S3Operation::Complete, ""),
    (S3Operation::Put, MARKER),
    (S3Operation::Put, MANIFEST),
];
/// Faults that pass, in the order in which one request meets them: what may do no harm comes last.
const PASSING: [[Fault; 4]; 2] = [
    [Fault::Reset, Fault::LostAnswer, Fault::Status500, Fault::Corrupt],
    [
        Fault::Status503(Some(1)),
        Fault::SlowDown,
        Fault::Truncate,
        Fault::Stall(Duration::from_secs(2)),
    ],
];

/// How long a store that has never answered is asked by a request that is not patient.
const FIRST_CONTACT: Duration = Duration::from_secs(30);
/// More answers in a row than such a request waits for: their pauses double.
const OUTAGE_ANSWERS: u32 = 10;

/// A backup under a rule; nothing is left of it if it fails, and it is good if it does not.
fn backed_up(cloud: &Cloud, name: &str, rules: &[FaultRule]) -> Result<Outcome> {
    backed_up_within(cloud, name, rules, 120)
}

/// The same with another deadline of requests, seconds.
fn backed_up_within(
    cloud: &Cloud,
    name: &str,
    rules: &[FaultRule],
    deadline_s: u32,
) -> Result<Outcome> {
    rules.iter().for_each(|rule| cloud.proxy.add(rule.clone()));
    let before = cloud.proxy.faults();
    let deadline = format!("retry_deadline_s={deadline_s}");
    let outcome = cloud.stream("mysqldump", name).args(["--target-option", &deadline]).run()?;
    ensure!(cloud.proxy.faults() > before, "{rules:?} hit nothing");
    cloud.proxy.clear();
    if outcome.code() == Some(0) {
        cloud.dbbackup(&["verify", &url(name)]).run()?.expect_success()?;
    } else {
        let names = cloud.names()?;
        ensure!(!names.iter().any(|found| found.starts_with(name)), "left: {names:?}\n{outcome}");
        cloud.expect_nothing_left()?;
    }
    let uploads = cloud.client()?.uploads()?;
    ensure!(uploads.is_empty(), "uploads are left: {uploads:?}");
    cloud.server.expect_writable_within(Duration::from_secs(5))?;
    Ok(outcome)
}

/// How many requests of this kind, for keys that end like this, have met a fault so far.
fn met(cloud: &Cloud, operation: S3Operation, key_suffix: &str) -> usize {
    let requests = cloud.proxy.requests_of(operation);
    let met = |request: &&S3Request| request.fault.is_some() && request.key.ends_with(key_suffix);
    requests.iter().filter(met).count()
}

/// Every passing fault at one kind of request, several of them one after the other in one run.
fn survives_at(operation: S3Operation, key_suffix: &str) -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    for (number, faults) in PASSING.iter().enumerate() {
        let name = format!("{operation:?}-{number}.sql");
        // A rule that is used up leaves the request to the next one.
        let rule = |fault: &Fault| FaultRule::on(operation, *fault).key_suffix(key_suffix).first(1);
        let rules: Vec<_> = faults.iter().map(rule).collect();
        cloud.proxy.forget();
        let outcome = backed_up(&cloud, &name, &rules)?;
        ensure!(outcome.code() == Some(0), "{operation:?} {faults:?}: {outcome}");
        let met = met(&cloud, operation, key_suffix);
        ensure!(met == faults.len(), "{operation:?} of {key_suffix}: {met} of {faults:?}");
    }
    cloud.expect_nothing_left()
}

#[test]
fn faults_that_pass_are_survived_when_an_upload_begins() -> Result<()> {
    survives_at(S3Operation::CreateUpload, "")
}

#[test]
fn faults_that_pass_are_survived_when_a_part_is_sent() -> Result<()> {
    survives_at(S3Operation::Part, "")
}

#[test]
fn faults_that_pass_are_survived_when_an_upload_is_completed() -> Result<()> {
    survives_at(S3Operation::Complete, "")
}

#[test]
fn faults_that_pass_are_survived_when_the_marker_is_put() -> Result<()> {
    survives_at(S3Operation::Put, MARKER)
}

#[test]
fn faults_that_pass_are_survived_when_the_manifest_is_put() -> Result<()> {
    survives_at(S3Operation::Put, MANIFEST)
}

#[test]
fn a_completion_that_says_ok_and_is_none_is_not_believed() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let rule = FaultRule::on(S3Operation::Complete, Fault::Error200).first(2);
    backed_up(&cloud, "passing.sql", &[rule])?.expect_success()?;
    // A store that loses a part although it has confirmed it: the checksum of the whole tells.
    let rule = FaultRule::on(S3Operation::Part, Fault::LosePart).skip(1).first(1);
    let outcome = backed_up_within(&cloud, "lossy.sql", &[rule], 5)?;
    ensure!(outcome.code() != Some(0), "{outcome}");
    // One that says yes to everything and keeps nothing.
    let keeps_nothing = [
        FaultRule::on(S3Operation::Part, Fault::LosePart),
        FaultRule::on(S3Operation::Complete, Fault::LosePart),
    ];
    let outcome = backed_up_within(&cloud, "void.sql", &keeps_nothing, 5)?;
    ensure!(outcome.code() != Some(0), "{outcome}");
    Ok(())
}

#[test]
fn what_does_not_pass_ends_the_run_and_leaves_nothing() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    for (operation, key_suffix) in REQUESTS {
        for fault in [Fault::Deny, Fault::Expired, Fault::Skew] {
            let name = format!("{operation:?}.sql");
            cloud.proxy.forget();
            let rule = FaultRule::on(operation, fault).key_suffix(key_suffix);
            backed_up(&cloud, &name, &[rule])?.expect_exit(6)?;
            let met = met(&cloud, operation, key_suffix);
            ensure!(met > 0, "{fault:?} has met no {operation:?} of {key_suffix}");
        }
    }
    Ok(())
}

#[test]
fn a_store_in_trouble_is_waited_for_and_a_dead_one_given_up() -> Result<()> {
    let mut cloud = Cloud::start(60_000)?;
    // A third of all requests fails, over and over.
    let trouble = [FaultRule::on_any(Fault::Status503(None)).percent(30)];
    backed_up(&cloud, "trouble.sql", &trouble)?.expect_success()?;
    // Killed in the middle, and back some seconds later.
    let run = cloud.in_the_middle("mysqldump", "killed.sql")?;
    cloud.store.kill()?;
    dbbackup_testkit::pause(Duration::from_secs(4));
    cloud.store.restart()?;
    cloud.proxy.clear();
    run.wait()?.expect_success()?;
    cloud.dbbackup(&["verify", &url("killed.sql")]).run()?.expect_success()?;
    // Gone for good: the run ends by its deadline.
    cloud.store.kill()?;
    let outcome = cloud
        .stream("mysqldump", "gone.sql")
        .args(["--target-option", "retry_deadline_s=5"])
        .run()?;
    outcome.expect_exit(6)?;
    cloud.server.expect_writable_within(Duration::from_secs(5))?;
    Ok(())
}

#[test]
fn an_outage_when_the_backup_is_committed_is_waited_for() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let looks = |name: &str| {
        let requests = cloud.proxy.requests_of(S3Operation::Head);
        requests.iter().filter(|request| request.key.ends_with(name)).count()
    };
    cloud.stream("mysqldump", "before.sql").run()?.expect_success()?;
    let before_the_commit = looks("/before.sql").checked_sub(1).context("nobody has looked")?;
    let skipped = u32::try_from(before_the_commit)?;
    // The commit looks at the object first, by a process that has never heard of the store.
    let rule = FaultRule::on(S3Operation::Head, Fault::Status503(None)).key_suffix("/outage.sql");
    cloud.proxy.add(rule.skip(skipped).first(OUTAGE_ANSWERS));
    let started = Instant::now();
    cloud.stream("mysqldump", "outage.sql").run()?.expect_success()?;
    ensure!(started.elapsed() > FIRST_CONTACT, "the outage was over in {:?}", started.elapsed());
    let faults = u32::try_from(cloud.proxy.faults())?;
    ensure!(faults == OUTAGE_ANSWERS, "{faults} of {OUTAGE_ANSWERS} answers were wanted");
    cloud.proxy.clear();
    cloud.dbbackup(&["verify", &url("outage.sql")]).run()?.expect_success()?;
    cloud.expect_nothing_left()
}

#[test]
fn a_conflict_that_passes_is_no_backup_in_the_way() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let conflict = FaultRule::on(S3Operation::Put, Fault::Conflict);
    cloud.proxy.add(conflict.clone().key_suffix(MANIFEST).first(2));
    cloud.proxy.add(conflict.key_suffix(MARKER).first(1));
    cloud.proxy.add(FaultRule::on(S3Operation::Complete, Fault::Conflict).first(1));
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    ensure!(cloud.proxy.faults() == 4, "{} conflicts", cloud.proxy.faults());
    let completions = cloud.proxy.requests_of(S3Operation::Complete);
    let answers: Vec<_> = completions.iter().map(|request| request.status).collect();
    ensure!(answers == [Some(409), Some(200)], "{answers:?}");
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn a_clock_that_is_called_wrong_once_ends_no_run() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    for (operation, key_suffix) in REQUESTS {
        cloud.proxy.add(FaultRule::on(operation, Fault::Skew).key_suffix(key_suffix).first(1));
    }
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    for (operation, key_suffix) in REQUESTS {
        let met = met(&cloud, operation, key_suffix);
        ensure!(met == 1, "{met} {operation:?} of {key_suffix} were called wrong");
    }
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}
