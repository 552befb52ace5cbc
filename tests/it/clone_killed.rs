//! Clones whose worker or supervisor is killed at any moment: never a backup without its bytes, a
//! source that goes on, nothing left that the next run or `cleanup` does not remove, and a next backup
//! that succeeds.
use crate::{
    cloned::Source,
    killed::{Moment, Victim, bytes_below, kill, moments},
};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Direction, FaultProxy, Invocation, Outcome, ServerOptions, WriteLoad};
use std::{fs, path::Path, time::Duration};

/// Slow enough for the moments to hit every stage.
const BYTES_PER_SECOND: u64 = 120_000_000;
/// How soon commits must go on.
const SOON: Duration = Duration::from_secs(10);
/// What the runs write, turn by turn.
const OUTPUTS: [&str; 2] = ["db.tar.zst", "db/"];
/// Not compressed, so that the bytes of both tell how far a run is.
const LOCAL_OUTPUTS: [&str; 2] = ["db.tar", "db/"];

/// A source that writes while runs are killed.
struct Busy {
    source: Source,
    load: WriteLoad,
}

impl Busy {
    fn start() -> Result<Self> {
        let source = Source::start(ServerOptions::default())?;
        let load = WriteLoad::start_paced(&source.server, Duration::from_millis(10))?;
        Ok(Self { source, load })
    }

    /// What is true after every kill, whatever else is left: the source goes on, and what is listed
    /// as a backup is one.
    fn expect_unharmed(&self, moment: Moment) -> Result<()> {
        let whole = || {
            self.load.wait_for_commits(5, SOON)?;
            self.source.aftermath().expect_listed_to_be_whole()
        };
        whole().with_context(|| format!("{moment:?}"))
    }

    /// A run whose worker was killed has cleaned up before it ended.
    fn expect_ended_in_good_order(&self, outcome: &Outcome, output: &str) -> Result<()> {
        let aftermath = self.source.aftermath();
        if outcome.code() == Some(0) {
            aftermath.expect_names(&names_of(output))?;
            aftermath.expect_backups(1)?;
        } else {
            ensure!(matches!(outcome.code(), Some(24 | 4 | 5)), "{outcome}");
            aftermath.expect_names::<&str>(&[])?;
        }
        aftermath.expect_clean()
    }

    /// What a killed supervisor has left goes with `cleanup`, or with the next run, which succeeds.
    fn expect_cleaned_up(&self, moment: Moment, again: Invocation, output: &str) -> Result<()> {
        let aftermath = self.source.aftermath();
        if moment.number.is_multiple_of(2) {
            let cleanup = ["cleanup", "."];
            self.source.rig.dbbackup_on(&self.source.server, cleanup).run()?.expect_success()?;
            let count = aftermath.listed()?.len();
            let names = if count == 0 { Vec::new() } else { names_of(output) };
            aftermath.expect_names(&names)?;
            aftermath.expect_backups(count)?;
        } else {
            again.arg("--force").run()?.expect_success()?;
            aftermath.expect_names(&names_of(output))?;
            aftermath.expect_backups(1)?;
        }
        aftermath.expect_clean()
    }

    /// Takes what is there away, so that the next run begins anew.
    fn forget(&self, output: &str) -> Result<()> {
        for name in names_of(output) {
            let path = self.source.rig.path(name);
            if path.is_dir() {
                fs::remove_dir_all(&path)?;
            } else if path.exists() {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// The next backup succeeds and is whole, and nobody was ever refused a commit.
    fn expect_a_next_backup(self, backup: Invocation) -> Result<()> {
        backup.run()?.expect_success()?;
        self.source.aftermath().expect_backups(1)?;
        let load = self.load.stop();
        ensure!(load.failures == 0, "{load:?}");
        Ok(())
    }
}

/// What a backup consists of in the directory of the runs.
fn names_of(output: &str) -> Vec<String> {
    match output.strip_suffix('/') {
        Some(directory) => vec![directory.to_owned()],
        None => vec![output.to_owned(), format!("{output}.manifest.json")],
    }
}

/// Turn by turn an archive and a directory.
fn turn(outputs: [&'static str; 2], moment: Moment) -> &'static str {
    let [even, odd] = outputs;
    if moment.number.is_multiple_of(2) { even } else { odd }
}

/// Turn by turn DDL that goes on, and DDL that waits.
fn ddl(moment: Moment) -> [&'static str; 2] {
    ["--clone-ddl", if (moment.number / 2).is_multiple_of(2) { "block" } else { "allow" }]
}

/// Kills a run at each moment of a clone over the protocol.
fn kill_protocol(victim: Victim, name: &str) -> Result<()> {
    let busy = Busy::start()?;
    let source = &busy.source;
    let proxy = FaultProxy::start(source.server.port())?;
    let passed = || proxy.passed_bytes(Direction::ToClient);
    source.backup_through(&proxy, "db/").run()?.expect_success()?;
    let whole = passed();
    busy.forget("db/")?;
    for moment in moments(name) {
        let output = turn(OUTPUTS, moment);
        proxy.throttle(Direction::ToClient, BYTES_PER_SECOND);
        let before = passed();
        let run = source.backup_through(&proxy, output).args(ddl(moment)).start()?;
        let outcome = kill(run, victim, moment, whole, || Ok(passed() - before))?;
        println!("{moment:?} of {output}: {:?}", outcome.code());
        proxy.resume();
        busy.expect_unharmed(moment)?;
        match victim {
            Victim::Worker => busy.expect_ended_in_good_order(&outcome, output),
            Victim::Supervisor => {
                busy.expect_cleaned_up(moment, source.backup_through(&proxy, output), output)
            }
        }
        .and_then(|()| source.expect_no_clone())
        .with_context(|| format!("{moment:?}, {output}: {outcome}"))?;
        busy.forget(output)?;
    }
    let next = source.backup("protocol", OUTPUTS[0]);
    busy.expect_a_next_backup(next)
}

#[test]
fn killed_workers_of_a_clone_leave_no_backup_and_no_trace() -> Result<()> {
    kill_protocol(Victim::Worker, "killed workers of clones")
}

#[test]
fn killed_supervisors_of_a_clone_leave_what_cleanup_or_the_next_run_removes() -> Result<()> {
    kill_protocol(Victim::Supervisor, "killed supervisors of clones")
}

/// Kills a run at each moment of a clone that the server makes.
fn kill_local(victim: Victim, name: &str) -> Result<()> {
    let busy = Busy::start()?;
    let source = &busy.source;
    let places = tempfile::tempdir()?;
    let option = format!("data_dir={}", places.path().display());
    let backup = |output: &str| {
        source.backup("local", output).args(["--engine-option", &option, "--limit-rate", "60M"])
    };
    // First the server writes its clone, then the run the artefact, as many bytes once more.
    backup(LOCAL_OUTPUTS[0]).run()?.expect_success()?;
    let whole = bytes_below(&source.rig.path(LOCAL_OUTPUTS[0])) * 2;
    busy.forget(LOCAL_OUTPUTS[0])?;
    for moment in moments(name) {
        let output = turn(LOCAL_OUTPUTS, moment);
        let partial = format!("{}.partial", output.trim_end_matches('/'));
        let partial = source.rig.path(partial);
        let run = backup(output).start()?;
        let progress = || Ok(bytes_below(places.path()) + bytes_below(&partial));
        let outcome = kill(run, victim, moment, whole, progress)?;
        println!("{moment:?} of {output}: {:?}", outcome.code());
        busy.expect_unharmed(moment)?;
        match victim {
            Victim::Worker => busy.expect_ended_in_good_order(&outcome, output),
            Victim::Supervisor => busy.expect_cleaned_up(moment, backup(output), output),
        }
        .with_context(|| format!("{moment:?}, {output}: {outcome}"))?;
        expect_empty(places.path())?;
        source.expect_no_clone()?;
        busy.forget(output)?;
    }
    let next = backup(LOCAL_OUTPUTS[0]);
    busy.expect_a_next_backup(next)?;
    expect_empty(places.path())
}

fn expect_empty(directory: &Path) -> Result<()> {
    let left = bytes_below(directory);
    ensure!(fs::read_dir(directory)?.next().is_none(), "{left} bytes are left");
    Ok(())
}

#[test]
fn killed_workers_of_a_local_clone_leave_no_backup_and_no_trace() -> Result<()> {
    kill_local(Victim::Worker, "killed workers of local clones")
}

#[test]
fn killed_supervisors_of_a_local_clone_leave_what_cleanup_or_the_next_run_removes() -> Result<()> {
    kill_local(Victim::Supervisor, "killed supervisors of local clones")
}

/// The donor waits minutes for a recipient that was cut off, with its backup lock, unless it is told to
/// end the clone. The account may do nothing but clone.
#[test]
fn the_clone_of_a_killed_worker_holds_no_lock_on_its_donor() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source
        .server
        .sql("CREATE USER keeper@'%' IDENTIFIED BY 'k'; GRANT BACKUP_ADMIN ON *.* TO keeper@'%'")?;
    let port = source.server.port().to_string();
    let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
    let run = source.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k");
    let mut run = run.args(["--clone-ddl", "block", "--limit-rate", "5M"]).start()?;
    run.wait_for_file(&source.rig.path("db.tar.partial"), 5_000_000, SOON)?;
    let locks = "SELECT COUNT(*) FROM performance_schema.metadata_locks \
                 WHERE object_type = 'BACKUP LOCK' AND lock_type = 'SHARED'";
    ensure!(source.server.row::<u64>(locks)? == 1, "DDL does not wait for the clone");
    run.kill_workers()?;
    run.wait()?.expect_exit(24)?;
    source.expect_no_clone()?;
    ensure!(source.server.row::<u64>(locks)? == 0, "DDL waits for a clone that nobody makes");
    source.aftermath().expect_names::<&str>(&[])?;
    source.aftermath().expect_clean()
}
