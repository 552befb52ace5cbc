//! What runs inside of the guests.
use super::volumes::{self, GROUP};
use crate::volume_machine::{Machine, PATIENT, START, Technology, remove_artefact};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    Flavor, Server, ServerOptions, Steps, VolumeGroup, prove_under_load, run_program,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A snapshot and its mount.
const LVM: Technology =
    Technology { engine: "lvm-snapshot", left: volumes::left, while_copying: 2 };

fn start(flavor: Flavor, volume: &Path) -> Result<Machine> {
    Machine::start(LVM, flavor, volume, ServerOptions::default())
}

#[test]
#[ignore = "runs in a guest, which a_thick_volume_is_snapshotted_and_nothing_is_left starts"]
fn thick() -> Result<()> {
    let mut steps = Steps::begin()?;
    let group = VolumeGroup::make(GROUP, "/dev/ubda")?;
    let volume = group.thick("lv_data", "1G")?;
    let other = group.thick("lv_redo", "256M")?;
    let mut machine = start(Flavor::Mariadb1011, &volume)?;
    steps.run("mariadb under load is proven", || mariadb_is_proven(&machine));
    steps.run("the doctor says what is free", || doctor_of_thick(&machine));
    steps.run("an overflow fails the backup and leaves nothing", || overflow(&machine, &volume));
    steps.run("a run that is ended leaves nothing", || machine.ended_runs_leave_nothing());
    steps.run("a tool that outlives its run leaves nothing", || {
        machine.a_tool_that_outlives_its_run_leaves_nothing("lvcreate")
    });
    steps.run("cleanup removes what a crash left and nothing else", || crashed(&machine));
    steps.run("a snapshot without room is refused", || no_room(&machine));
    steps.run("another backend is refused", || machine.other_backends_are_refused("lvm", "zfs"));
    steps.run("two volumes are refused with the list", || two_volumes(&mut machine, &other));
    drop(machine);
    steps.run("the data directory of another server is refused", || another_server(&volume));
    steps.run("mysql comes back", || start(Flavor::Mysql97, &volume)?.round_trip().map(drop));
    steps.end()
}

/// With the handbook's keys, and the family in place of the engine.
fn mariadb_is_proven(machine: &Machine) -> Result<()> {
    let config = format!(
        "backup:\n  engine: snapshot\n  snapshot:\n    backend: lvm\n    lvm:\n      \
         volume_group: {GROUP}\n      snapshot_size: \"400M\"\n"
    );
    fs::write(machine.rig.path("dbbackup.yaml"), config)?;
    let proven = prove_under_load(&machine.rig, &machine.server, &PATIENT);
    fs::remove_file(machine.rig.path("dbbackup.yaml"))?;
    let manifest = proven?;
    ensure!(manifest["engine"]["id"] == "lvm-snapshot", "{}", manifest["engine"]);
    ensure!(manifest["coordinates"]["precision"] == "exact", "{}", manifest["coordinates"]);
    ensure!(manifest["pages"]["bad"] == 0, "{}", manifest["pages"]);
    ensure!(manifest["locks"][0]["held_ms"].is_u64(), "{}", manifest["locks"]);
    println!("locks: {}", manifest["locks"]);
    ensure!(volumes::left()?.is_empty(), "left: {:?}", volumes::left()?);
    let selected =
        machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--json"]).run()?;
    selected.expect_success()?.expect_stdout("lvm.volume")?.expect_stdout("vg_mysql/lv_data")?;
    remove_artefact(&machine.rig.path("proof.tar.zst"))
}

/// More changes on the volume during the copy than the snapshot has room for.
fn overflow(machine: &Machine, volume: &Path) -> Result<()> {
    let small = ["--engine-option", "snapshot_bytes=8388608", "--limit-rate", "20M"];
    let mut run = machine.backup("db.tar").args(small).start()?;
    run.wait_for_file(&machine.rig.path("db.tar.partial"), 1, START)?;
    let filler = volume.join("filler");
    volumes::fill(&filler, 40)?;
    fs::remove_file(&filler)?;
    let outcome = run.wait()?;
    outcome.expect_exit(7)?.expect_stderr("has overflowed")?;
    outcome.expect_stderr("snapshot_size")?;
    machine.expect_nothing_left()
}

fn doctor_of_thick(machine: &Machine) -> Result<()> {
    let volumes = || run_program("lvs", &["--options", "lv_name,lv_attr,lv_size,vg_free"]);
    let before = volumes()?;
    let said = machine.doctor()?;
    ensure!(before == volumes()?, "the doctor changed {before} to {}", volumes()?);
    for wanted in [
        "good: engine lvm-snapshot: volume group vg_mysql has ",
        " free (vgs vg_mysql), and the snapshot of vg_mysql/lv_data takes 208.0 MiB of it",
        "good: engine lvm-snapshot: LVM snapshot of vg_mysql/lv_data",
    ] {
        ensure!(said.contains(wanted), "{wanted}: {said}");
    }
    Ok(())
}

/// Two servers on one volume: the path that a server names leads to the files of the other one.
fn another_server(volume: &Path) -> Result<()> {
    let options = || ServerOptions::default().under(volume);
    let other = Server::start(Flavor::Mariadb1011, options())?;
    let link = volume.join("current");
    let own_files = volume.join("own");
    let mut mine = Server::start_at(Flavor::Mariadb1011, &own_files, options())?;
    mine.stop()?;
    symlink(&own_files, &link)?;
    let mine = Server::start_on(Flavor::Mariadb1011, &link, options())?;
    fs::remove_file(&link)?;
    symlink(other.datadir(), &link)?;
    let machine = Machine::of(LVM, mine)?;
    let refused = machine.backup("db.tar").run()?;
    fs::remove_file(&link)?;
    refused.expect_exit(4)?.expect_stderr("not proven to belong to the server")?;
    machine.expect_nothing_left()?;
    drop(machine);
    fs::remove_dir_all(&own_files)?;
    Ok(())
}

fn crashed(machine: &Machine) -> Result<()> {
    machine.crash()?;
    let left = volumes::snapshots()?;
    let name = left.first().context("a snapshot is left")?;
    // Of another tool, although its name is like ours.
    let origin = format!("{GROUP}/lv_data");
    let foreign = ["--yes", "--snapshot", "--size", "8M", "--name", "dbbackup-foreign", &origin];
    run_program("lvcreate", &foreign)?;
    let dry = machine.rig.dbbackup(["cleanup", "--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout(name)?;
    ensure!(volumes::snapshots()?.len() == 2, "a dry run removed something");
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(name)?;
    ensure!(volumes::snapshots()? == ["dbbackup-foreign"], "{:?}", volumes::snapshots()?);
    ensure!(volumes::mounted_snapshots()?.is_empty(), "{:?}", volumes::mounted_snapshots()?);
    run_program("lvremove", &["--yes", &format!("{GROUP}/dbbackup-foreign")])?;
    // Gone by other hands before its record is undone.
    machine.crash()?;
    for point in volumes::mounted_snapshots()? {
        run_program("umount", &[&point])?;
    }
    for name in volumes::snapshots()? {
        run_program("lvremove", &["--yes", &format!("{GROUP}/{name}")])?;
    }
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?;
    machine.expect_nothing_left()
}

fn no_room(machine: &Machine) -> Result<()> {
    let take = ["--yes", "--extents", "100%FREE", "--name", "lv_taken", GROUP];
    run_program("lvcreate", &take)?;
    let refused = machine.backup("db.tar").run()?;
    let doctor = machine.doctor();
    run_program("lvremove", &["--yes", &format!("{GROUP}/lv_taken")])?;
    let doctor = doctor?;
    ensure!(doctor.contains("  mend: vgs vg_mysql shows the free space, vgextend"), "{doctor}");
    ensure!(refused.code() != Some(0), "{refused}");
    refused
        .expect_stderr("volume group vg_mysql has 0.0 MiB free")?
        .expect_stderr("vgs vg_mysql")?;
    machine.expect_nothing_left()
}

fn two_volumes(machine: &mut Machine, other: &Path) -> Result<()> {
    let data = machine.server.datadir().to_owned();
    machine.move_redo(&data, other)?;
    let refused = machine.backup("db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("several logical volumes")?;
    refused.expect_stderr(&format!("redo {} on {GROUP}/lv_redo", other.display()))?;
    refused.expect_stderr(&format!("data {} on {GROUP}/lv_data", data.display()))?;
    machine.expect_nothing_left()
}

#[test]
#[ignore = "runs in a guest, which a_thin_volume_is_snapshotted_and_nothing_is_left starts"]
fn thin() -> Result<()> {
    let mut steps = Steps::begin()?;
    let group = VolumeGroup::make(GROUP, "/dev/ubda")?;
    let volume = group.thin("lv_data", "800M", "1G")?;
    let machine = start(Flavor::Mariadb1011, &volume)?;
    steps.run("mariadb comes back", || machine.round_trip().map(drop));
    steps.run("mariadb comes back from a store", || machine.round_trip_through_a_store());
    drop(machine);
    // What was removed still takes room in the pool, and would be written over.
    run_program("fstrim", &[&volume.display().to_string()])?;
    let machine = start(Flavor::Mysql97, &volume)?;
    steps.run("mysql under load is proven", || mysql_is_proven(&machine));
    steps.run("a full pool is refused", || full_pool(&machine, &volume));
    steps.end()
}

fn mysql_is_proven(machine: &Machine) -> Result<()> {
    let engine = [&["--engine", "lvm-snapshot"][..], &PATIENT].concat();
    let manifest = prove_under_load(&machine.rig, &machine.server, &engine)?;
    ensure!(manifest["coordinates"]["precision"] == "bracket", "{}", manifest["coordinates"]);
    let lock = &manifest["locks"][0];
    ensure!(lock["blocks_commits"] == false, "{lock}");
    println!("locks: {}", manifest["locks"]);
    ensure!(volumes::left()?.is_empty(), "left: {:?}", volumes::left()?);
    remove_artefact(&machine.rig.path("proof.tar.zst"))
}

fn full_pool(machine: &Machine, volume: &Path) -> Result<()> {
    let used = run_program(
        "lvs",
        &["--noheadings", "--options", "data_percent", &format!("{GROUP}/pool")],
    )?;
    let used: f64 = used.trim().parse()?;
    let doctor = machine.doctor()?;
    ensure!(doctor.contains("good: engine lvm-snapshot: thin pool vg_mysql/pool is "), "{doctor}");
    // 800 MiB, of which 96.5 % are to be taken.
    let mebibytes = ((96.5 - used) / 100.0 * 800.0) as u32;
    let filler = volume.join("filler");
    volumes::fill(&filler, mebibytes)?;
    let refused = machine.backup("db.tar").run()?;
    let doctor = machine.doctor();
    fs::remove_file(&filler)?;
    let doctor = doctor?;
    ensure!(doctor.contains("  mend: lvextend -L +10G vg_mysql/pool\n"), "{doctor}");
    ensure!(refused.code() != Some(0), "{refused}");
    refused.expect_stderr("thin pool vg_mysql/pool is 9")?;
    refused.expect_stderr("lvextend -L +10G vg_mysql/pool")?;
    machine.expect_nothing_left()
}
