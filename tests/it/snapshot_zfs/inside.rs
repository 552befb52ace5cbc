//! What runs inside of the guest: as root what only root does, then as a user.
use super::pool::{self, MOUNT, OTHER, USER};
use crate::volume_machine::{Machine, PATIENT, START, Technology, remove_artefact};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{Flavor, ServerOptions, Steps, is_root, prove_under_load, run_program};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What the handbook says that a user needs.
const HANDBOOK: &str = "create,snapshot,mount,destroy";
/// A snapshot of each of the two datasets.
const ZFS: Technology =
    Technology { engine: "zfs-snapshot", left: pool::snapshots, while_copying: 2 };

fn start(flavor: Flavor) -> Result<Machine> {
    Machine::start(ZFS, flavor, Path::new(MOUNT), ServerOptions::default())
}

/// A MariaDB whose redo log has a dataset of its own.
fn on_two_datasets() -> Result<Machine> {
    let mut machine = start(Flavor::Mariadb1011)?;
    let data = machine.server.datadir().to_owned();
    machine.move_redo(&data, &Path::new(MOUNT).join("redo"))?;
    Ok(machine)
}

#[test]
#[ignore = "runs in a guest, which datasets_are_snapshotted_by_a_user_and_nothing_is_left starts"]
fn as_root() -> Result<()> {
    let mut steps = Steps::begin()?;
    pool::make()?;
    pool::make_user()?;
    run_program("zfs", &["allow", "-u", USER, HANDBOOK, "tank/mysql"])?;
    // For a test alone: a backup needs neither.
    run_program("zfs", &["allow", "-u", USER, "hold,release", "tank/mysql"])?;
    steps.run("a user with permissions", || pool::as_user("as_user"));
    run_program("zfs", &["unallow", "-u", USER, "tank/mysql"])?;
    steps.run("a user without permissions", || pool::as_user("as_stranger"));
    steps.end()
}

#[test]
#[ignore = "runs in a guest, started by as_root"]
fn as_user() -> Result<()> {
    let mut steps = Steps::begin()?;
    ensure!(!is_root(), "this is for a user");
    steps.run("mysql under load is proven", mysql_is_proven);
    let mut machine = on_two_datasets()?;
    steps.run("mariadb on two datasets under load is proven", || mariadb_is_proven(&machine));
    steps.run("mariadb comes back from a store", || machine.round_trip_through_a_store());
    steps.run("the doctor says what is free", || doctor_of_a_user(&machine));
    steps.run("a run that is ended leaves nothing", || machine.ended_runs_leave_nothing());
    steps.run("a tool that outlives its run leaves nothing", || {
        machine.a_tool_that_outlives_its_run_leaves_nothing("zfs")
    });
    steps.run("another backend is refused", || machine.other_backends_are_refused("zfs", "lvm"));
    steps.run("cleanup removes what a crash left and nothing else", || crashed(&machine));
    steps.run("a snapshot that is held stays and is reported", || held(&machine));
    steps.run("two pools are refused with the list", || two_pools(&mut machine));
    steps.end()
}

fn mysql_is_proven() -> Result<()> {
    let machine = start(Flavor::Mysql97)?;
    let engine = [&["--engine", "zfs-snapshot"][..], &PATIENT].concat();
    let manifest = prove_under_load(&machine.rig, &machine.server, &engine)?;
    ensure!(manifest["coordinates"]["precision"] == "bracket", "{}", manifest["coordinates"]);
    ensure!(manifest["locks"][0]["blocks_commits"] == false, "{}", manifest["locks"]);
    println!("locks: {}", manifest["locks"]);
    ensure!(pool::snapshots()?.is_empty(), "left: {:?}", pool::snapshots()?);
    Ok(())
}

/// With the handbook's keys, and the family in place of the engine.
fn mariadb_is_proven(machine: &Machine) -> Result<()> {
    let config = "backup:\n  engine: snapshot\n  snapshot:\n    backend: zfs\n    zfs:\n      \
                  dataset: tank/mysql\n";
    fs::write(machine.rig.path("dbbackup.yaml"), config)?;
    let proven = prove_under_load(&machine.rig, &machine.server, &PATIENT);
    fs::remove_file(machine.rig.path("dbbackup.yaml"))?;
    let manifest = proven?;
    ensure!(manifest["engine"]["id"] == "zfs-snapshot", "{}", manifest["engine"]);
    ensure!(manifest["coordinates"]["precision"] == "exact", "{}", manifest["coordinates"]);
    ensure!(manifest["roots"]["redo"] == format!("{MOUNT}/redo"), "{}", manifest["roots"]);
    println!("locks: {}", manifest["locks"]);
    ensure!(pool::snapshots()?.is_empty(), "left: {:?}", pool::snapshots()?);
    let selected =
        machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--json"]).run()?;
    selected.expect_success()?.expect_stdout("zfs.dataset")?;
    selected.expect_stdout("tank/mysql tank/mysql/redo")?;
    remove_artefact(&machine.rig.path("proof.tar.zst"))
}

fn doctor_of_a_user(machine: &Machine) -> Result<()> {
    let said = machine.doctor()?;
    for wanted in [
        "good: engine zfs-snapshot: tank/mysql tank/mysql/redo has ",
        " MiB free for what changes meanwhile",
        "good: engine zfs-snapshot: tank/mysql tank/mysql/redo is delegated to this account",
        "good: engine zfs-snapshot: ZFS snapshot of tank/mysql tank/mysql/redo",
    ] {
        ensure!(said.contains(wanted), "{wanted}: {said}");
    }
    Ok(())
}

fn crashed(machine: &Machine) -> Result<()> {
    machine.crash()?;
    let left = pool::snapshots()?;
    let name = left.first().context("a snapshot is left")?;
    // Of another tool, although its name is like ours.
    run_program("zfs", &["snapshot", "tank/mysql@dbbackup-foreign"])?;
    let dry = machine.rig.dbbackup(["cleanup", "--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout(name)?;
    ensure!(pool::snapshots()?.len() == 3, "a dry run destroyed something");
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(name)?;
    ensure!(pool::snapshots()? == ["tank/mysql@dbbackup-foreign"], "{:?}", pool::snapshots()?);
    run_program("zfs", &["destroy", "tank/mysql@dbbackup-foreign"])?;
    // Gone by other hands, one of both, before its record is undone.
    machine.crash()?;
    let left = pool::snapshots()?;
    run_program("zfs", &["destroy", left.first().context("a snapshot is left")?])?;
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?;
    machine.expect_nothing_left()
}

fn held(machine: &Machine) -> Result<()> {
    let mut run = machine.backup("db.tar").args(["--limit-rate", "5M"]).start()?;
    run.wait_for_file(&machine.rig.path("db.tar.partial"), 1, START)?;
    let name = pool::snapshots()?.first().context("a snapshot")?.clone();
    run_program("zfs", &["hold", "keep", &name])?;
    let outcome = run.wait()?;
    outcome.expect_exit(10)?.expect_stderr("destroy snapshot")?;
    outcome.expect_stderr("zfs holds")?;
    let manifest: Value =
        serde_json::from_slice(&fs::read(machine.rig.path("db.tar.manifest.json"))?)?;
    ensure!(manifest.to_string().contains("the snapshot stays"), "{manifest}");
    ensure!(pool::snapshots()? == [name.as_str()], "{:?}", pool::snapshots()?);
    run_program("zfs", &["release", "keep", &name])?;
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(&name)?;
    remove_artefact(&machine.rig.path("db.tar"))?;
    machine.expect_nothing_left()
}

fn two_pools(machine: &mut Machine) -> Result<()> {
    machine.move_redo(&Path::new(MOUNT).join("redo"), Path::new(OTHER))?;
    let refused = machine.backup("db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("several pools")?;
    refused.expect_stderr(&format!("redo {OTHER} on other"))?.expect_stderr("on tank/mysql")?;
    machine.expect_nothing_left()
}

#[test]
#[ignore = "runs in a guest, started by as_root"]
fn as_stranger() -> Result<()> {
    let mut steps = Steps::begin()?;
    let machine = start(Flavor::Mariadb1011)?;
    steps.run("what is missing is named with the command", || {
        let command = format!("zfs allow -u {USER} {HANDBOOK} tank/mysql");
        let refused = machine.backup("db.tar").run()?;
        refused.expect_exit(4)?.expect_stderr(&command)?;
        let explained = machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--explain"]);
        explained.run()?.expect_stdout(&command)?;
        let doctor = machine.doctor()?;
        ensure!(doctor.contains(&format!("  mend: {command}\n")), "{doctor}");
        machine.expect_nothing_left()
    });
    steps.end()
}
