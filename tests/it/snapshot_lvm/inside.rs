//! What runs inside of the guests.
use super::volumes::{self, GROUP};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    Flavor, Invocation, Rig, Running, SampleTables, Server, ServerOptions, Signal, Steps,
    prove_under_load,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a run may take to come to its copy.
const START: Duration = Duration::from_secs(120);
/// A guest's processes take long: LVM's own a second each, which a real machine does not need.
const PATIENT: [&str; 4] = ["--max-lock", "30s", "--max-lock-wait", "30s"];

/// A server on a volume, and a dbbackup beside it.
struct Machine {
    server: Server,
    rig: Rig,
}

impl Machine {
    fn start(flavor: Flavor, volume: &Path, options: ServerOptions) -> Result<Self> {
        let server = Server::start(flavor, options.under(volume))?;
        SampleTables { rows: 500, ..SampleTables::small() }.load(&server)?;
        Ok(Self { server, rig: Rig::new()? })
    }

    fn backup(&self, output: &str) -> Invocation {
        let arguments = ["physical-backup", "--engine", "lvm-snapshot", "--output", output];
        self.rig.dbbackup_on(&self.server, arguments).args(PATIENT)
    }

    /// A run in the middle of its copy.
    fn copying(&self) -> Result<Running> {
        let mut run = self.backup("db.tar").args(["--limit-rate", "1M"]).start()?;
        run.wait_for_file(&self.rig.path("db.tar.partial"), 1, START)?;
        ensure!(volumes::snapshots()?.len() == 1, "{:?}", volumes::snapshots()?);
        ensure!(volumes::mounted_snapshots()?.len() == 1, "{:?}", volumes::mounted_snapshots()?);
        Ok(run)
    }

    /// Nothing is left of a run that failed: no snapshot, no mount, no file, no record.
    fn expect_nothing_left(&self) -> Result<()> {
        expect_no_snapshot()?;
        for directory in [self.rig.work_dir(), self.rig.state_dir().join("dbbackup/journal")] {
            let left: Vec<_> = fs::read_dir(&directory)?.collect::<std::io::Result<_>>()?;
            ensure!(left.is_empty(), "left in {}: {left:?}", directory.display());
        }
        Ok(())
    }
}

fn expect_no_snapshot() -> Result<()> {
    let (snapshots, mounts) = (volumes::snapshots()?, volumes::mounted_snapshots()?);
    ensure!(snapshots.is_empty() && mounts.is_empty(), "left: {snapshots:?}, {mounts:?}");
    Ok(())
}

#[test]
#[ignore = "runs in a guest, which a_thick_volume_is_snapshotted_and_nothing_is_left starts"]
fn thick() -> Result<()> {
    let mut steps = Steps::begin()?;
    volumes::make_group()?;
    let volume = volumes::thick("lv_data", "1G")?;
    let other = volumes::thick("lv_redo", "256M")?;
    let mut machine = Machine::start(Flavor::Mariadb1011, &volume, ServerOptions::default())?;
    steps.run("mariadb under load is proven", || mariadb_is_proven(&machine));
    steps.run("an overflow fails the backup and leaves nothing", || overflow(&machine, &volume));
    steps.run("a run that is ended leaves nothing", || ended(&machine));
    steps.run("cleanup removes what a crash left and nothing else", || crashed(&machine));
    steps.run("a snapshot without room is refused", || no_room(&machine));
    steps.run("two volumes are refused with the list", || two_volumes(&mut machine, &other));
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
    expect_no_snapshot()?;
    let selected =
        machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--json"]).run()?;
    selected.expect_success()?.expect_stdout("lvm.volume")?.expect_stdout("vg_mysql/lv_data")?;
    for name in ["proof.tar.zst", "proof.tar.zst.manifest.json"] {
        fs::remove_file(machine.rig.path(name))?;
    }
    Ok(())
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

fn ended(machine: &Machine) -> Result<()> {
    let run = machine.copying()?;
    run.kill_workers()?;
    run.wait()?.expect_exit(24)?;
    machine.expect_nothing_left()?;
    let mut run = machine.copying()?;
    run.signal(Signal::TERM)?;
    run.wait()?.expect_exit(143)?;
    machine.expect_nothing_left()
}

fn crashed(machine: &Machine) -> Result<()> {
    machine.copying()?.kill9_after(Duration::ZERO)?;
    let left = volumes::snapshots()?;
    let name = left.first().context("a snapshot is left")?;
    // Of another tool, although its name is like ours.
    let origin = format!("{GROUP}/lv_data");
    let foreign = ["--yes", "--snapshot", "--size", "8M", "--name", "dbbackup-foreign", &origin];
    volumes::run("lvcreate", &foreign)?;
    let dry = machine.rig.dbbackup(["cleanup", "--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout(name)?;
    ensure!(volumes::snapshots()?.len() == 2, "a dry run removed something");
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(name)?;
    ensure!(volumes::snapshots()? == ["dbbackup-foreign"], "{:?}", volumes::snapshots()?);
    ensure!(volumes::mounted_snapshots()?.is_empty(), "{:?}", volumes::mounted_snapshots()?);
    volumes::run("lvremove", &["--yes", &format!("{GROUP}/dbbackup-foreign")])?;
    // Gone by other hands before its record is undone.
    machine.copying()?.kill9_after(Duration::ZERO)?;
    for point in volumes::mounted_snapshots()? {
        volumes::run("umount", &[&point])?;
    }
    for name in volumes::snapshots()? {
        volumes::run("lvremove", &["--yes", &format!("{GROUP}/{name}")])?;
    }
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?;
    machine.expect_nothing_left()
}

fn no_room(machine: &Machine) -> Result<()> {
    let take = ["--yes", "--extents", "100%FREE", "--name", "lv_taken", GROUP];
    volumes::run("lvcreate", &take)?;
    let refused = machine.backup("db.tar").run()?;
    volumes::run("lvremove", &["--yes", &format!("{GROUP}/lv_taken")])?;
    ensure!(refused.code() != Some(0), "{refused}");
    refused
        .expect_stderr("volume group vg_mysql has 0.0 MiB free")?
        .expect_stderr("vgs vg_mysql")?;
    machine.expect_nothing_left()
}

fn two_volumes(machine: &mut Machine, other: &Path) -> Result<()> {
    // MariaDB takes its redo log to a new place when it was shut down cleanly.
    machine.server.sql("SET GLOBAL innodb_fast_shutdown = 0")?;
    machine.server.stop()?;
    let data = machine.server.datadir().to_owned();
    let redo = PathBuf::from("ib_logfile0");
    fs::copy(data.join(&redo), other.join(&redo))?;
    let option = format!("--innodb-log-group-home-dir={}", other.display());
    *machine.server.options_mut() = ServerOptions::default().arg(option);
    machine.server.restart()?;
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
    volumes::make_group()?;
    let volume = volumes::thin("lv_data", "800M", "1G")?;
    let machine = Machine::start(Flavor::Mysql97, &volume, ServerOptions::default())?;
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
    expect_no_snapshot()?;
    for name in ["proof.tar.zst", "proof.tar.zst.manifest.json"] {
        fs::remove_file(machine.rig.path(name))?;
    }
    Ok(())
}

fn full_pool(machine: &Machine, volume: &Path) -> Result<()> {
    let used = volumes::run(
        "lvs",
        &["--noheadings", "--options", "data_percent", &format!("{GROUP}/pool")],
    )?;
    let used: f64 = used.trim().parse()?;
    // 800 MiB, of which 96.5 % are to be taken.
    let mebibytes = ((96.5 - used) / 100.0 * 800.0) as u32;
    let filler = volume.join("filler");
    volumes::fill(&filler, mebibytes)?;
    let refused = machine.backup("db.tar").run()?;
    fs::remove_file(&filler)?;
    ensure!(refused.code() != Some(0), "{refused}");
    refused.expect_stderr("thin pool vg_mysql/pool is 9")?;
    refused.expect_stderr("lvextend -L +10G vg_mysql/pool")?;
    machine.expect_nothing_left()
}
