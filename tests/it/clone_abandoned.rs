//! Clones that a server makes for a run that is killed. The server does not notice, so whoever undoes
//! ends the statement first, and leaves the directory where it cannot.
use crate::cloned::Source;
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    BtrfsDisk, FrozenDisk, Running, SampleTables, ServerOptions, Signal, skip, wait_until,
};
use std::{fs, thread, time::Duration};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Room for a clone of the source, and for what the engine wants to be free beside it.
const DISK_BYTES: u64 = 2 << 30;
/// A running DDL statement, for which a clone waits before it writes anything.
const DDL: &str = "CREATE TABLE kinds.slow AS SELECT SLEEP(3600)";

/// A run whose server is in the middle of `CLONE LOCAL`: the disk that it clones to takes nothing.
/// No test here depends on anybody's speed.
struct MidClone {
    frozen: FrozenDisk,
    disk: BtrfsDisk,
    source: Source,
}

impl MidClone {
    fn start() -> Result<(Self, Running)> {
        let source = Source::start(ServerOptions::default())?;
        let disk = BtrfsDisk::mount(DISK_BYTES)?;
        source.server.sql("SET GLOBAL clone_block_ddl = ON")?;
        let mut ddl = source.server.session()?;
        // It ends by being killed, which is an error or none.
        let ddl = thread::spawn(move || ddl.run(DDL));
        let id = "SELECT id FROM performance_schema.processlist \
                  WHERE info LIKE 'CREATE TABLE kinds.slow%'";
        let is_running = || Ok(source.server.rows::<u64>(id)?.len() == 1);
        wait_until("the DDL runs", PATIENCE, is_running)?;
        let option = format!("data_dir={}", disk.path().display());
        let run = source.backup("local", "db.tar").args(["--engine-option", &option]);
        let running = run.start()?;
        wait_until("the clone waits for the DDL", PATIENCE, || Ok(clones(&source, "")? == 1))?;
        let frozen = disk.freeze()?;
        source.server.sql(&format!("KILL {}", source.server.row::<u64>(id)?))?;
        drop(ddl.join());
        let waits = "AND state <> 'Waiting for backup lock'";
        wait_until("the server clones", PATIENCE, || Ok(clones(&source, waits)? == 1))?;
        Ok((Self { frozen, disk, source }, running))
    }

    /// Waits until somebody has told the server to end the clone, and lets it.
    fn let_end(self) -> Result<(BtrfsDisk, Source)> {
        let told = "AND command = 'Killed'";
        let was_told = || Ok(clones(&self.source, told)? == 1);
        wait_until("the server is told to end the clone", PATIENCE, was_told)?;
        drop(self.frozen);
        Ok((self.disk, self.source))
    }
}

/// Statements that clone. The table of performance_schema does not show which are told to end.
fn clones(source: &Source, and: &str) -> Result<u64> {
    source.server.row(&format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'CLONE %' {and}"
    ))
}

fn is_empty(disk: &BtrfsDisk) -> Result<bool> {
    Ok(fs::read_dir(disk.path())?.next().is_none())
}

/// Nobody clones, nothing is there, and the server is well.
fn expect_clean(disk: &BtrfsDisk, source: &Source) -> Result<()> {
    ensure!(clones(source, "")? == 0, "the server still clones");
    ensure!(is_empty(disk)?, "something is left");
    source.server.expect_writable_within(Duration::from_secs(5))
}

#[test]
fn a_killed_run_leaves_a_clone_that_cleanup_ends_before_it_removes_the_directory() -> Result<()> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        skip!("{obstacle}");
    }
    let (clone, mut running) = MidClone::start()?;
    running.signal(Signal::KILL)?;
    ensure!(running.wait()?.code().is_none(), "it was done before it was killed");

    let blind = clone.source.rig.dbbackup(["cleanup"]).run()?;
    blind.expect_exit(1)?.expect_stdout("may still clone into")?.expect_stdout("or run KILL ")?;
    ensure!(!is_empty(&clone.disk)?, "removed under a server that clones");
    ensure!(clones(&clone.source, "AND command = 'Query'")? == 1, "the server has noticed");

    let cleanup = clone.source.rig.dbbackup_on(&clone.source.server, ["cleanup"]).start()?;
    let (disk, source) = clone.let_end()?;
    cleanup.wait()?.expect_success()?.expect_stdout("removed: clone directory")?;
    expect_clean(&disk, &source)
}

#[test]
fn a_killed_worker_leaves_nothing_when_its_run_has_ended() -> Result<()> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        skip!("{obstacle}");
    }
    let (clone, running) = MidClone::start()?;
    running.kill_workers()?;
    let (disk, source) = clone.let_end()?;
    running.wait()?.expect_exit(24)?;
    expect_clean(&disk, &source)
}

#[test]
fn a_clone_of_a_server_that_is_gone_is_removed_without_asking() -> Result<()> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        skip!("{obstacle}");
    }
    let (mut clone, mut running) = MidClone::start()?;
    running.signal(Signal::KILL)?;
    ensure!(running.wait()?.code().is_none(), "it was done before it was killed");
    // No signal ends a process that waits for a disk.
    drop(clone.frozen);
    clone.source.server.kill9()?;
    ensure!(!is_empty(&clone.disk)?, "nothing was left");
    let cleanup = clone.source.rig.dbbackup(["cleanup"]).run()?;
    cleanup.expect_success()?.expect_stdout("removed: clone directory")?;
    ensure!(is_empty(&clone.disk)?, "something is left");
    Ok(())
}

/// Sessions that the donor keeps for a recipient that comes back.
fn kept(source: &Source) -> Result<u64> {
    source.server.row("SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'clone'")
}

/// A run by method `protocol` that was killed while files were copied; its donor waits for it.
fn killed_by_protocol() -> Result<Source> {
    let source = Source::start(ServerOptions::default())?;
    SampleTables { schema: "wide".to_owned(), tables: 1, rows: 30_000 }.load(&source.server)?;
    let mut running = source.backup("protocol", "copy/").start()?;
    let copied = source.rig.path("copy.partial/data/ibdata1");
    running.wait_for_file(&copied, 16_384, PATIENCE)?;
    running.signal(Signal::KILL)?;
    ensure!(running.wait()?.code().is_none(), "it was done before it was killed");
    wait_until("the donor waits for its recipient", PATIENCE, || Ok(kept(&source)? == 1))?;
    Ok(source)
}

#[test]
fn cleanup_ends_the_clone_that_a_killed_run_left_on_its_donor() -> Result<()> {
    let source = killed_by_protocol()?;
    let shown = source.rig.dbbackup_on(&source.server, ["cleanup", "--dry-run"]).run()?;
    shown.expect_stdout("would remove: connections of the clone ")?;
    ensure!(kept(&source)? == 1, "ended by a dry run");
    let cleanup = source.rig.dbbackup_on(&source.server, ["cleanup"]).run()?;
    cleanup.expect_success()?.expect_stdout("removed: connections of the clone ")?;
    wait_until("the donor has given up", PATIENCE, || Ok(kept(&source)? == 0))?;
    source.backup("protocol", "next/").run()?.expect_success().map(drop)
}

#[test]
fn a_donor_that_waits_for_a_killed_run_is_cloned_by_the_next_one() -> Result<()> {
    let source = killed_by_protocol()?;
    source.backup("protocol", "next/").run()?.expect_success()?;
    ensure!(kept(&source)? == 0, "the killed run's session is there");
    Ok(())
}

#[test]
fn a_donor_that_cannot_be_asked_is_left_to_itself() -> Result<()> {
    let mut source = killed_by_protocol()?;
    source.server.kill9()?;
    let cleanup = source.rig.dbbackup(["cleanup"]).run()?;
    cleanup.expect_success()?.expect_stderr("is left to its donor")?;
    Ok(())
}
