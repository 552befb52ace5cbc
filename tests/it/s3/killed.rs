//! Runs that are killed at a request that counts, which reaches the store after their death or never: a
//! backup is there as a whole or not at all, and a cleanup removes the rest.
use super::{Cloud, START, unanswered::let_an_hour_pass, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, S3Operation, S3Request, wait_until};
use std::time::Duration;

/// A request at which a run is killed.
#[derive(Clone, Copy, Debug)]
struct Moment {
    operation: S3Operation,
    /// How the key of its object ends.
    key_suffix: &'static str,
    /// Held, and let go after the kill; or reset, and never heard of by the store.
    fault: Fault,
    /// Whether the run's backup is there afterwards.
    commits: bool,
}

const MANIFEST: &str = ".manifest.json";
const MARKER: &str = ".run.json";

const fn late(operation: S3Operation, key_suffix: &'static str, commits: bool) -> Moment {
    Moment { operation, key_suffix, fault: Fault::Hold, commits }
}

const fn never(operation: S3Operation, key_suffix: &'static str, commits: bool) -> Moment {
    Moment { operation, key_suffix, fault: Fault::Reset, commits }
}

impl Moment {
    fn requests(&self, cloud: &Cloud) -> Vec<S3Request> {
        let mut requests = cloud.proxy.requests_of(self.operation);
        requests
            .retain(|request| request.fault.is_some() && request.key.ends_with(self.key_suffix));
        requests
    }

    /// Kills a run of `stream-backup` at this moment, and lets the store hear what is still on its way.
    fn kill(&self, cloud: &Cloud, more: &[&str]) -> Result<()> {
        cloud.proxy.forget();
        let rule = FaultRule::on(self.operation, self.fault).key_suffix(self.key_suffix);
        cloud.proxy.add(rule);
        let run = cloud.stream("mysqldump", "db.sql").args(more).start()?;
        wait_until("the request is made", START, || Ok(!self.requests(cloud).is_empty()))?;
        let outcome = run.kill9_after(Duration::ZERO)?;
        ensure!(outcome.code().is_none(), "it was not killed at {self:?}: {outcome}");
        cloud.proxy.clear();
        if self.fault == Fault::Hold {
            wait_until("the store has answered", START, || {
                Ok(self.requests(cloud).iter().all(|request| request.status.is_some()))
            })?;
        }
        Ok(())
    }
}

#[test]
fn a_run_that_is_killed_at_any_request_leaves_a_backup_or_nothing() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    for moment in [
        late(S3Operation::Put, MARKER, false),
        late(S3Operation::CreateUpload, "", false),
        late(S3Operation::Complete, "", false),
        never(S3Operation::Complete, "", false),
        late(S3Operation::Put, MANIFEST, true),
        never(S3Operation::Put, MANIFEST, false),
        late(S3Operation::Delete, MARKER, true),
        never(S3Operation::Delete, MARKER, true),
    ] {
        moment.kill(&cloud, &[])?;
        let cleanup = cloud.dbbackup(&["cleanup", &url("")]).run()?;
        cleanup.expect_success().with_context(|| format!("{moment:?}"))?;
        if moment.commits {
            cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
            cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
            for name in cloud.names()? {
                cloud.client()?.delete(&format!("{}/{name}", super::FOLDER))?;
            }
        } else {
            cloud.expect_objects(&[]).with_context(|| format!("{moment:?}"))?;
        }
        cloud.server.expect_writable_within(Duration::from_secs(5))?;
    }
    cloud.expect_nothing_left()
}

#[test]
fn a_replacement_that_is_killed_at_any_request_leaves_one_whole_backup() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    for moment in [
        late(S3Operation::Complete, "", false),
        never(S3Operation::Put, MANIFEST, false),
        late(S3Operation::Put, MANIFEST, true),
        // The objects of the old backup, whose name has an id by now.
        never(S3Operation::Delete, ".sql", true),
        late(S3Operation::Delete, ".sql", true),
    ] {
        let before = cloud.data(&["info", &url("db.sql")])?;
        moment.kill(&cloud, &["--force"])?;
        if moment.key_suffix == MANIFEST {
            // Until it cannot arrive any more, a manifest keeps what it would name; then it is looked for.
            let cleanup = cloud.dbbackup(&["cleanup"]).run()?;
            cleanup.expect_exit(1)?.expect_stdout("db.sql.manifest.json may still appear")?;
            let_an_hour_pass(&cloud, "since_s")?;
        }
        let cleanup = cloud.dbbackup(&["cleanup", &url("")]).run()?;
        cleanup.expect_success().with_context(|| format!("{moment:?}"))?;
        let after = cloud.data(&["info", &url("db.sql")])?;
        ensure!((after["id"] != before["id"]) == moment.commits, "{moment:?}: {after}");
        let object = after["objects"][0]["name"].as_str().context("a name")?.to_owned();
        let mut names = [object.as_str(), "db.sql.manifest.json"];
        names.sort_unstable();
        cloud.expect_objects(&names).with_context(|| format!("{moment:?}"))?;
        cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    }
    cloud.expect_nothing_left()
}

#[test]
fn a_manifest_that_arrives_after_the_cleanup_makes_no_backup() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let manifest = FaultRule::on(S3Operation::Put, Fault::Hold).key_suffix(MANIFEST);
    cloud.proxy.add(manifest);
    let run = cloud.stream("mysqldump", "db.sql").start()?;
    wait_until("the manifest is put", START, || Ok(cloud.proxy.faults() > 0))?;
    run.kill9_after(Duration::ZERO)?;
    cloud.dbbackup(&["cleanup", &url("")]).run()?.expect_success()?;
    cloud.expect_objects(&[])?;
    cloud.proxy.clear();
    wait_until("the store has it", START, || Ok(!cloud.names()?.is_empty()))?;
    cloud.expect_objects(&["db.sql.manifest.json"])?;
    // Whoever asks is told so, and it is in nobody's way for ever.
    let listed = cloud.dbbackup(&["list", &url("")]).run()?;
    listed.expect_success()?.expect_stdout("object db.sql is missing")?;
    cloud.dbbackup(&["status", &url("")]).run()?.expect_exit(22)?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_exit(20)?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_exit(23)?.expect_stderr("--force")?;
    cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}
