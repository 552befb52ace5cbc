//! Whatever ends a run: the snapshot goes, by the run itself, by the next one or by `cleanup`; and
//! nothing that this tool did not make goes with it.
use super::{Machine, OURS, needs_btrfs};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{BtrfsDisk, Flavor, Running, ServerOptions, Signal, SmallDisk, skip};
use std::path::Path;
use std::time::Duration;

/// How long a run may take to come to its copy.
const START: Duration = Duration::from_secs(60);
/// Rate of a copy that is to be interrupted: it would take minutes.
const SLOW: [&str; 2] = ["--limit-rate", "1M"];

/// A run in the middle of its copy.
fn copying(machine: &Machine) -> Result<Running> {
    let before = machine.snapshots()?.len();
    let mut run = machine.backup("db.tar").args(SLOW).start()?;
    run.wait_for_file(&machine.rig.path("db.tar.partial"), 1, START)?;
    ensure!(machine.snapshots()?.len() == before + 1, "{:?}", machine.snapshots()?);
    Ok(run)
}

#[test]
fn a_run_that_is_ended_leaves_no_snapshot() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    let run = copying(&machine)?;
    run.kill_workers()?;
    let outcome = run.wait()?;
    ensure!(outcome.code() == Some(24), "{outcome}");
    machine.expect_nothing_left()?;

    let mut run = copying(&machine)?;
    run.signal(Signal::TERM)?;
    run.wait()?.expect_exit(143)?;
    machine.expect_nothing_left()?;

    let full = SmallDisk::mount(4 << 20)?;
    let output = full.path().join("db.tar").display().to_string();
    let outcome = machine.backup(&output).run()?;
    outcome.expect_exit(7)?;
    machine.expect_nothing_left()
}

#[test]
fn cleanup_and_the_next_run_remove_what_a_crash_left_and_nothing_else() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    copying(&machine)?.kill9_after(Duration::ZERO)?;
    let left = machine.snapshots()?;
    ensure!(left.len() == 1, "{left:?}");
    // Of another tool, although its name is like ours.
    let foreign = format!("{OURS}foreign");
    machine.disk.snapshot("mysql", &foreign)?;

    let snapshot = left.first().context("a snapshot")?;
    let dry = machine.rig.dbbackup(["cleanup", "--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout(snapshot)?;
    ensure!(machine.snapshots()?.len() == 2, "a dry run removed something");
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(snapshot)?;
    ensure!(machine.snapshots()? == [foreign.as_str()], "{:?}", machine.snapshots()?);

    // Gone by other hands before its record is undone.
    copying(&machine)?.kill9_after(Duration::ZERO)?;
    machine.backup("next.tar").run()?.expect_success()?;
    ensure!(machine.snapshots()? == [foreign.as_str()], "{:?}", machine.snapshots()?);
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?;
    Ok(())
}

/// The artefact is whole, and who waits for the exit code learns that the machine is not as before.
#[test]
fn a_snapshot_that_cannot_be_removed_is_reported_and_stays_for_the_cleanup() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    let mut run = machine.backup("db.tar").args(["--limit-rate", "20M"]).start()?;
    run.wait_for_file(&machine.rig.path("db.tar.partial"), 1, START)?;
    let left = machine.snapshots()?;
    let snapshot = left.first().context("a snapshot")?;
    machine.disk.set_default(snapshot)?;
    let outcome = run.wait()?;
    outcome.expect_exit(10)?.expect_stderr("the snapshot stays for now: delete snapshot")?;
    outcome.expect_stderr("dbbackup cleanup tries it again")?;
    let manifest = machine.proof("db.tar").manifest()?;
    ensure!(manifest["state"] == "degraded", "{}", manifest["state"]);
    ensure!(manifest["degraded"].to_string().contains("the snapshot stays"), "{manifest}");
    ensure!(machine.snapshots()? == left, "{:?}", machine.snapshots()?);
    machine.proof("db.tar").restored(ServerOptions::default())?;

    let refused = machine.rig.dbbackup(["cleanup"]).run()?;
    ensure!(refused.code() != Some(0), "a cleanup that leaves something is no success: {refused}");
    machine.disk.set_default(Path::new(""))?;
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(snapshot)?;
    ensure!(machine.snapshots()?.is_empty(), "{:?}", machine.snapshots()?);
    Ok(())
}
