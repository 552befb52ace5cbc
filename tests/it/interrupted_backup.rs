//! Whatever interrupts a backup: no manifest without its bytes, no exit code 0, the source writable,
//! and nothing left that the next run does not clean.
mod signals;

use crate::shop::Shop;
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, BtrfsDisk, Direction, Ending, FaultProxy, Random, Signal, env,
    pause, skip, wait_until,
};
use serde_json::Value;
use std::fs;
use std::time::Duration;

/// Rows of each of four tables: a backup takes a second or two.
const ROWS: u64 = 20_000;
/// Moments that are tried in an ordinary run of the tests, and in an acceptance run.
const MOMENTS: u64 = 8;
const ACCEPTANCE_MOMENTS: u64 = 100;
/// Longest that a backup of [`ROWS`] is let run before it is killed.
const SPAN_MS: u64 = 3000;
/// How long a worker may take to start.
const START: Duration = Duration::from_secs(60);

fn moments() -> u64 {
    env::times(MOMENTS, ACCEPTANCE_MOMENTS)
}

#[test]
fn killed_workers_leave_no_backup_and_no_trace() -> Result<()> {
    let shop = Shop::open(ROWS)?;
    let mut random = Random::announced("killed workers");
    for moment in 0..moments() {
        let output = format!("run{moment}.tar.gz");
        let mut run = shop.backup(&output).start()?;
        run.wait_for_worker(START)?;
        pause(Duration::from_millis(random.below(SPAN_MS)));
        run.kill_workers()?;
        let outcome = run.wait()?;
        if outcome.code() == Some(0) {
            // It was done before the moment came.
            shop.expect_names(&[&output, &format!("{output}.manifest.json")])?;
            shop.expect_backups(1)?;
            fs::remove_file(shop.rig.path(&output))?;
            fs::remove_file(shop.rig.path(format!("{output}.manifest.json")))?;
        } else {
            ensure!(matches!(outcome.code(), Some(24 | 4 | 5)), "moment {moment}: {outcome}");
            shop.expect_names(&[])?;
        }
        shop.expect_clean()?;
    }
    Ok(())
}

#[test]
fn the_next_run_cleans_up_after_a_killed_supervisor() -> Result<()> {
    let shop = Shop::open(ROWS)?;
    let mut random = Random::announced("killed supervisors");
    for _ in 0..moments() {
        let run = shop.backup("db.tar.gz").arg("--force").start()?;
        run.kill9_after(Duration::from_millis(random.below(SPAN_MS)))?;
        shop.server.expect_writable_within(Duration::from_secs(5))?;
        let listed = shop.rig.dbbackup(["list", "."]).run()?;
        listed.expect_success()?;
        shop.backed_up_again("db.tar.gz")?;
        shop.expect_names(&["db.tar.gz", "db.tar.gz.manifest.json"])?;
        shop.expect_backups(1)?;
        shop.expect_clean()?;
    }
    Ok(())
}

#[test]
fn a_replaced_backup_survives_a_kill_at_any_moment() -> Result<()> {
    let shop = Shop::open(2000)?;
    let mut random = Random::announced("killed replacements");
    shop.backed_up("db.tar.gz")?;
    for moment in 0..moments() {
        let run = shop.backup("db.tar.gz").arg("--force").start()?;
        run.kill9_after(Duration::from_millis(random.below(SPAN_MS)))?;
        shop.rig.dbbackup(["cleanup", "."]).run()?.expect_success()?;
        shop.expect_names(&["db.tar.gz", "db.tar.gz.manifest.json"])?;
        let verified = shop.rig.dbbackup(["verify", "db.tar.gz"]).run()?;
        ensure!(verified.code() == Some(0), "moment {moment}: {verified}");
        shop.expect_clean()?;
    }
    Ok(())
}

#[test]
fn signals_end_a_run_in_good_order() -> Result<()> {
    let shop = Shop::open(ROWS)?;
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // Slow enough to be in the middle whatever the machine.
        let mut run = shop.backup("db.tar").args(["--limit-rate", "1M"]).start()?;
        run.wait_for_file(&shop.rig.path("db.tar.partial"), 1, START)?;
        run.signal(signal)?;
        run.wait()?.expect_exit(code)?;
        shop.expect_names(&[])?;
        shop.expect_clean()?;
    }
    Ok(())
}

#[test]
fn a_lost_server_leaves_no_backup() -> Result<()> {
    let mut shop = Shop::open(ROWS)?;
    let mut run = shop.backup("db.tar").args(["--limit-rate", "1M"]).start()?;
    run.wait_for_file(&shop.rig.path("db.tar.partial"), 1, START)?;
    shop.server.kill9()?;
    let outcome = run.wait()?;
    outcome.expect_exit(5)?;
    shop.expect_names(&[])?;
    shop.server.restart()?;
    shop.expect_clean()
}

#[test]
fn a_cut_connection_leaves_no_backup() -> Result<()> {
    let shop = Shop::open(ROWS)?;
    let proxy = FaultProxy::start(shop.server.port())?;
    let mut random = Random::announced("cut connections");
    for ending in [Ending::Close, Ending::Reset] {
        proxy.resume();
        proxy.end_after(Direction::ToClient, 200_000 + random.below(8_000_000), ending);
        let backup = ["physical-backup", "--engine", "mysqldump", "--output", "db.tar.gz"];
        let port = proxy.port().to_string();
        let through = ["--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER];
        let outcome =
            shop.rig.dbbackup(backup).args(through).env("MYSQL_PWD", ADMIN_PASSWORD).run()?;
        outcome.expect_exit(5)?;
        shop.expect_names(&[])?;
        shop.expect_clean()?;
    }
    Ok(())
}

/// A disk that takes nothing keeps an engine waiting for longer than one may be silent: files of a
/// directory are made, written and synced by threads of ours.
#[test]
fn a_disk_that_takes_nothing_is_no_silence_of_the_engine() -> Result<()> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        skip!("{obstacle}");
    }
    let shop = Shop::open(ROWS)?;
    let disk = BtrfsDisk::mount(1 << 30)?;
    let output = format!("{}/db/", disk.path().display());
    let silence = ["--stall-timeout", "2s", "--limit-rate", "4M", "--progress", "json"];
    let run = shop.backup(&output).args(silence).start()?;
    let partial = disk.path().join("db.partial");
    wait_until("something is written", START, || {
        Ok(partial.is_dir() && fs::read_dir(&partial)?.next().is_some())
    })?;
    let frozen = disk.freeze()?;
    let stalled_ms = || {
        let events = run.stderr_so_far();
        let events = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let stalls = events.filter(|event| event["event"] == "target_stalled");
        stalls.filter_map(|event| event["since"].as_u64()).max()
    };
    wait_until("the target has stalled for long", START, || Ok(stalled_ms() > Some(6000)))?;
    drop(frozen);
    run.wait()?.expect_success()?;
    shop.rig.dbbackup(["verify", &output]).run()?.expect_success()?;
    shop.expect_clean()
}

impl Shop {
    /// Makes a backup that replaces what may be there.
    fn backed_up_again(&self, output: &str) -> Result<()> {
        self.backup(output).arg("--force").run()?.expect_success().map(drop)
    }
}

mod acceptance {
    use super::*;

    /// The server's own limit for a reader that does not read is one minute.
    #[test]
    fn a_target_that_stalls_for_three_minutes_is_waited_for() -> Result<()> {
        let shop = Shop::open(100_000)?;
        let (mut reader, writer) = std::io::pipe()?;
        let run = shop
            .backup("-")
            .args(["--format", "sql", "--manifest", "db.sql.manifest.json"])
            .stdout_to(writer)
            .deadline(Duration::from_secs(600))
            .start()?;
        pause(Duration::from_secs(180));
        let mut artefact = fs::File::create(shop.rig.path("db.sql"))?;
        std::io::copy(&mut reader, &mut artefact)?;
        run.wait()?.expect_success()?;
        shop.expect_backups(1)
    }
}
