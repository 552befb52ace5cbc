//! Another store, a cluster that loses a node, a store that is gone for minutes, and what takes as long as
//! that by itself: in acceptance runs alone.
use super::{Cloud, DEADLINE, FOLDER, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Fault, FaultRule, S3Operation, S3Options, S3Store, ServerOptions, pause, wait_until,
};
use serde_json::Value;
use std::time::Duration;

/// How long the store is away. Neither server nor run may be told that this could happen.
const OUTAGE: Duration = Duration::from_secs(150);
/// Patience of the server with a session that does nothing or reads nothing, seconds: less than that.
const SERVER_PATIENCE: [&str; 3] =
    ["--wait-timeout=30", "--net-write-timeout=30", "--net-read-timeout=30"];
/// A request that is longer without an answer than any attempt may take.
const STALL: Duration = Duration::from_secs(1200);
/// Longer than the time between two heartbeats of a run.
const HEARTBEAT: Duration = Duration::from_secs(400);
/// Time between two looks for one.
const LOOK: Duration = Duration::from_secs(1);

#[test]
fn a_cluster_loses_a_node_in_the_middle_of_an_upload() -> Result<()> {
    let store = S3Options::default().further_nodes(2);
    let mut cloud = Cloud::of(60_000, ServerOptions::default(), store)?;
    let run = cloud.in_the_middle("mysqldump", "db.sql")?;
    cloud.store.kill_node()?;
    cloud.proxy.clear();
    run.wait()?.expect_success()?;
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}

#[test]
fn minutes_without_a_store_are_survived() -> Result<()> {
    let server = SERVER_PATIENCE.into_iter().fold(ServerOptions::default(), ServerOptions::arg);
    let mut cloud = Cloud::of(60_000, server, S3Options::default())?;
    for (engine, name) in [("mysqldump", "db.sql"), ("clone", "db.tar")] {
        let run = cloud.in_the_middle(engine, name)?;
        cloud.store.kill()?;
        cloud.proxy.clear();
        pause(OUTAGE);
        cloud.store.restart()?;
        run.wait()?.expect_success()?;
        cloud.dbbackup(&["verify", &url(name)]).run()?.expect_success()?;
    }
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}

#[test]
fn a_store_that_ignores_conditions_is_named_for_it() -> Result<()> {
    let store = S3Options::default().store(S3Store::Garage);
    let cloud = Cloud::of(20_000, ServerOptions::default(), store)?;
    let asked = ["--encryption", "AES256"];
    let done = cloud.stream("mysqldump", "db.sql.gz").args(asked).run()?;
    done.expect_exit(10)?.expect_stderr("If-None-Match")?.expect_stderr("AES256")?;
    cloud.expect_objects(&["db.sql.gz", "db.sql.gz.manifest.json"])?;
    cloud.expect_good("db.sql.gz")?;
    // What is there is not written over all the same, for we look.
    let again = cloud.stream("mysqldump", "db.sql.gz").run()?;
    again.expect_exit(23)?.expect_stderr("--force")?;
    let replaced = cloud.stream("mysqldump", "db.sql.gz").args(["--force"]).run()?;
    replaced.expect_exit(10)?;
    cloud.expect_good("db.sql.gz")?;
    cloud.stream("clone", "db.tar.zst").run()?.expect_exit(10)?;
    let restore = ["restore", &url("db.tar.zst"), "--target-dir", "restored"];
    cloud.dbbackup(&restore).run()?.expect_success()?;
    cloud.expect_nothing_left()
}

#[test]
fn a_stalled_request_is_given_up_and_made_again() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    let manifest =
        FaultRule::on(S3Operation::Put, Fault::Stall(STALL)).key_suffix(".manifest.json");
    cloud.proxy.add(manifest.first(1));
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Stall(STALL)).skip(1).first(1));
    // One worker, so that a part has the line for itself and the shortest limit.
    let run = cloud.stream("mysqldump", "db.sql").args(["--workers", "1"]);
    run.deadline(2 * DEADLINE).run()?.expect_success()?;
    ensure!(cloud.proxy.faults() == 2, "{} requests have stalled", cloud.proxy.faults());
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.expect_good("db.sql")?;
    cloud.expect_nothing_left()
}

#[test]
fn a_long_upload_is_heard_of_again_and_again() -> Result<()> {
    let cloud = Cloud::start(14_000)?;
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Hold));
    let run = cloud.stream("mysqldump", "db.sql").deadline(3 * DEADLINE).start()?;
    cloud.wait_for_parts(1)?;
    let client = cloud.client()?;
    let heartbeat = || -> Result<String> {
        let marker: Value =
            serde_json::from_slice(&client.get(&format!("{FOLDER}/db.sql.run.json"))?)?;
        Ok(marker["heartbeat"].as_str().context("no heartbeat")?.to_owned())
    };
    let first = heartbeat()?;
    wait_until("another heartbeat", HEARTBEAT, || {
        pause(LOOK);
        Ok(heartbeat()? > first)
    })?;
    cloud.proxy.clear();
    run.wait()?.expect_success()?;
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])
}
