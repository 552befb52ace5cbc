//! What runs inside of the guest: as root what only root does, then as a user.
use super::pool::{self, MOUNT, OTHER, USER};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    Flavor, Invocation, Rig, Running, SampleTables, Server, ServerOptions, Signal, Steps, is_root,
    prove_under_load,
};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long a run may take to come to its copy.
const START: Duration = Duration::from_secs(120);
/// A guest's processes take long, which a real machine does not need.
const PATIENT: [&str; 4] = ["--max-lock", "30s", "--max-lock-wait", "30s"];
/// What the handbook says that a user needs.
const HANDBOOK: &str = "create,snapshot,mount,destroy";

/// A server on the pool, and a dbbackup beside it.
struct Machine {
    server: Server,
    rig: Rig,
}

impl Machine {
    fn start(flavor: Flavor, options: ServerOptions) -> Result<Self> {
        let server = Server::start(flavor, options.under(MOUNT))?;
        SampleTables { rows: 500, ..SampleTables::small() }.load(&server)?;
        Ok(Self { server, rig: Rig::new()? })
    }

    /// A MariaDB whose redo log has a dataset of its own.
    fn on_two_datasets() -> Result<Self> {
        let mut machine = Self::start(Flavor::Mariadb1011, ServerOptions::default())?;
        let data = machine.server.datadir().to_owned();
        machine.move_redo(&data, &Path::new(MOUNT).join("redo"))?;
        Ok(machine)
    }

    /// MariaDB takes its redo log to a new place when it was shut down cleanly.
    fn move_redo(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.server.sql("SET GLOBAL innodb_fast_shutdown = 0")?;
        self.server.stop()?;
        fs::copy(from.join("ib_logfile0"), to.join("ib_logfile0"))?;
        fs::remove_file(from.join("ib_logfile0"))?;
        let option = format!("--innodb-log-group-home-dir={}", to.display());
        *self.server.options_mut() = ServerOptions::default().arg(option);
        self.server.restart()
    }

    fn backup(&self, output: &str) -> Invocation {
        let arguments = ["physical-backup", "--engine", "zfs-snapshot", "--output", output];
        self.rig.dbbackup_on(&self.server, arguments).args(PATIENT)
    }

    /// A run in the middle of its copy.
    fn copying(&self) -> Result<Running> {
        let mut run = self.backup("db.tar").args(["--limit-rate", "1M"]).start()?;
        run.wait_for_file(&self.rig.path("db.tar.partial"), 1, START)?;
        ensure!(pool::snapshots()?.len() == 2, "{:?}", pool::snapshots()?);
        Ok(run)
    }

    /// Nothing is left of a run that failed: no snapshot, no file, no record.
    fn expect_nothing_left(&self) -> Result<()> {
        ensure!(pool::snapshots()?.is_empty(), "left: {:?}", pool::snapshots()?);
        let journal = self.rig.state_dir().join("dbbackup/journal");
        // A run that was refused has not made any.
        for directory in [self.rig.work_dir(), journal].iter().filter(|path| path.exists()) {
            let left: Vec<_> = fs::read_dir(directory)?.collect::<std::io::Result<_>>()?;
            ensure!(left.is_empty(), "left in {}: {left:?}", directory.display());
        }
        Ok(())
    }
}

#[test]
#[ignore = "runs in a guest, which datasets_are_snapshotted_by_a_user_and_nothing_is_left starts"]
fn as_root() -> Result<()> {
    let mut steps = Steps::begin()?;
    pool::make()?;
    pool::make_user()?;
    pool::run("zfs", &["allow", "-u", USER, HANDBOOK, "tank/mysql"])?;
    // For a test alone: a backup needs neither.
    pool::run("zfs", &["allow", "-u", USER, "hold,release", "tank/mysql"])?;
    steps.run("a user with permissions", || pool::as_user("as_user"));
    pool::run("zfs", &["unallow", "-u", USER, "tank/mysql"])?;
    steps.run("a user without permissions", || pool::as_user("as_stranger"));
    steps.end()
}

#[test]
#[ignore = "runs in a guest, started by as_root"]
fn as_user() -> Result<()> {
    let mut steps = Steps::begin()?;
    ensure!(!is_root(), "this is for a user");
    steps.run("mysql under load is proven", mysql_is_proven);
    let mut machine = Machine::on_two_datasets()?;
    steps.run("mariadb on two datasets under load is proven", || mariadb_is_proven(&machine));
    steps.run("a run that is ended leaves nothing", || ended(&machine));
    steps.run("cleanup removes what a crash left and nothing else", || crashed(&machine));
    steps.run("a snapshot that is held stays and is reported", || held(&machine));
    steps.run("two pools are refused with the list", || two_pools(&mut machine));
    steps.end()
}

fn mysql_is_proven() -> Result<()> {
    let machine = Machine::start(Flavor::Mysql97, ServerOptions::default())?;
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

fn remove_artefact(path: &Path) -> Result<()> {
    fs::remove_file(path)?;
    fs::remove_file(format!("{}.manifest.json", path.display())).context("remove the manifest")
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
    let left = pool::snapshots()?;
    let name = left.first().context("a snapshot is left")?;
    // Of another tool, although its name is like ours.
    pool::run("zfs", &["snapshot", "tank/mysql@dbbackup-foreign"])?;
    let dry = machine.rig.dbbackup(["cleanup", "--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout(name)?;
    ensure!(pool::snapshots()?.len() == 3, "a dry run destroyed something");
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout(name)?;
    ensure!(pool::snapshots()? == ["tank/mysql@dbbackup-foreign"], "{:?}", pool::snapshots()?);
    pool::run("zfs", &["destroy", "tank/mysql@dbbackup-foreign"])?;
    // Gone by other hands, one of both, before its record is undone.
    machine.copying()?.kill9_after(Duration::ZERO)?;
    let left = pool::snapshots()?;
    pool::run("zfs", &["destroy", left.first().context("a snapshot is left")?])?;
    machine.rig.dbbackup(["cleanup"]).run()?.expect_success()?;
    machine.expect_nothing_left()
}

fn held(machine: &Machine) -> Result<()> {
    let mut run = machine.backup("db.tar").args(["--limit-rate", "20M"]).start()?;
    run.wait_for_file(&machine.rig.path("db.tar.partial"), 1, START)?;
    let name = pool::snapshots()?.first().context("a snapshot")?.clone();
    pool::run("zfs", &["hold", "keep", &name])?;
    let outcome = run.wait()?;
    outcome.expect_exit(10)?.expect_stderr("destroy snapshot")?;
    outcome.expect_stderr("zfs holds")?;
    let manifest: Value =
        serde_json::from_slice(&fs::read(machine.rig.path("db.tar.manifest.json"))?)?;
    ensure!(manifest.to_string().contains("the snapshot stays"), "{manifest}");
    ensure!(pool::snapshots()? == [name.as_str()], "{:?}", pool::snapshots()?);
    pool::run("zfs", &["release", "keep", &name])?;
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
    let machine = Machine::start(Flavor::Mariadb1011, ServerOptions::default())?;
    steps.run("what is missing is named with the command", || {
        let command = format!("zfs allow -u {USER} {HANDBOOK} tank/mysql");
        let refused = machine.backup("db.tar").run()?;
        refused.expect_exit(4)?.expect_stderr(&command)?;
        let explained = machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--explain"]);
        explained.run()?.expect_stdout(&command)?;
        machine.expect_nothing_left()
    });
    steps.end()
}
