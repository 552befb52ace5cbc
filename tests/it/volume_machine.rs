//! A server on a volume of a guest, and a dbbackup beside it: what the scenarios of LVM and ZFS share.
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    Flavor, Invocation, Proof, Restored, Rig, Running, S3_BUCKET, S3Options, S3Server,
    SampleTables, Server, ServerOptions, Signal, wait_until,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a run may take to come to its copy.
pub(crate) const START: Duration = Duration::from_secs(120);
/// A guest's processes take long: LVM's own a second each, which a real machine does not need.
pub(crate) const PATIENT: [&str; 4] = ["--max-lock", "30s", "--max-lock-wait", "30s"];

/// The engine of a scenario, and what it leaves behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Technology {
    /// The engine.
    pub(crate) engine: &'static str,
    /// Snapshots and mounts that are there, by their names.
    pub(crate) left: fn() -> Result<Vec<String>>,
    /// How many of them a run in the middle of its copy has.
    pub(crate) while_copying: usize,
}

/// The server goes before its rig.
pub(crate) struct Machine {
    pub(crate) server: Server,
    pub(crate) rig: Rig,
    technology: Technology,
}

impl Machine {
    /// Starts a server with sample tables on a volume.
    pub(crate) fn start(
        technology: Technology,
        flavor: Flavor,
        volume: &Path,
        options: ServerOptions,
    ) -> Result<Self> {
        let server = Server::start(flavor, options.under(volume))?;
        SampleTables { rows: 500, ..SampleTables::small() }.load(&server)?;
        Self::of(technology, server)
    }

    /// Takes a server that runs.
    pub(crate) fn of(technology: Technology, server: Server) -> Result<Self> {
        Ok(Self { server, rig: Rig::new()?, technology })
    }

    /// Moves the redo log of a MariaDB, which takes it from a new place when it was shut down
    /// cleanly.
    pub(crate) fn move_redo(&mut self, from: &Path, to: &Path) -> Result<()> {
        self.server.sql("SET GLOBAL innodb_fast_shutdown = 0")?;
        self.server.stop()?;
        fs::copy(from.join("ib_logfile0"), to.join("ib_logfile0"))?;
        fs::remove_file(from.join("ib_logfile0"))?;
        let option = format!("--innodb-log-group-home-dir={}", to.display());
        *self.server.options_mut() = ServerOptions::default().arg(option);
        self.server.restart()
    }

    pub(crate) fn backup(&self, output: &str) -> Invocation {
        let engine = self.technology.engine;
        let arguments = ["physical-backup", "--engine", engine, "--output", output];
        self.rig.dbbackup_on(&self.server, arguments).args(PATIENT)
    }

    /// A run in the middle of its copy.
    pub(crate) fn copying(&self) -> Result<Running> {
        let mut run = self.backup("db.tar").args(["--limit-rate", "1M"]).start()?;
        run.wait_for_file(&self.rig.path("db.tar.partial"), 1, START)?;
        let there = (self.technology.left)()?;
        ensure!(there.len() == self.technology.while_copying, "{there:?}");
        Ok(run)
    }

    /// A run whose supervisor is killed in the middle of its copy. The worker dies with it, but not in
    /// the same moment, and reads the snapshot until then.
    pub(crate) fn crash(&self) -> Result<()> {
        let run = self.copying()?;
        let workers = run.workers()?;
        run.kill9_after(Duration::ZERO)?;
        for worker in workers {
            wait_until_ended("the worker of a killed run", worker)?;
        }
        Ok(())
    }

    /// A backup that is restored, and holds what its source does; nobody writes meanwhile.
    pub(crate) fn round_trip(&self) -> Result<Value> {
        self.backup("short.tar.zst").run()?.expect_success()?;
        let artefact = self.rig.path("short.tar.zst");
        let proof = Proof { rig: &self.rig, source: &self.server, artefact };
        let restored = proof.restored(ServerOptions::default())?;
        self.server.checksum_all()?.expect_same(&restored.server.checksum_all()?)?;
        let manifest = proof.manifest()?;
        remove_artefact(&proof.artefact)?;
        self.expect_nothing_left()?;
        Ok(manifest)
    }

    /// A backup that goes straight into a store, and comes back from there.
    pub(crate) fn round_trip_through_a_store(&self) -> Result<()> {
        let store = S3Server::start(S3Options::default())?;
        let access = store.access();
        let keys = |run: Invocation| {
            let run = run.deadline(START);
            access.env().into_iter().fold(run, |run, (name, value)| run.env(name, value))
        };
        let url = format!("s3://{S3_BUCKET}/snapshots/db.tar.zst");
        let backup = ["stream-backup", "--engine", self.technology.engine, "--target", &url];
        keys(self.rig.dbbackup_on(&self.server, backup).args(PATIENT)).run()?.expect_success()?;
        self.expect_nothing_left()?;
        let restore = keys(self.rig.dbbackup(["restore", &url]));
        let restored = Restored::by(restore, &self.server, ServerOptions::default())?;
        self.server.checksum_all()?.expect_same(&restored.server.checksum_all()?)?;
        self.expect_nothing_left()
    }

    /// What the doctor says of the engine, which leaves everything as it was.
    pub(crate) fn doctor(&self) -> Result<String> {
        let arguments = ["engine", "doctor", "--engine", self.technology.engine];
        let said = self.rig.dbbackup_on(&self.server, arguments).run()?;
        self.expect_nothing_left()?;
        Ok(said.expect_success()?.stdout_text())
    }

    /// A worker that is killed, and a run that is told to end, leave nothing.
    pub(crate) fn ended_runs_leave_nothing(&self) -> Result<()> {
        let run = self.copying()?;
        run.kill_workers()?;
        run.wait()?.expect_exit(24)?;
        self.expect_nothing_left()?;
        let mut run = self.copying()?;
        run.signal(Signal::TERM)?;
        run.wait()?.expect_exit(143)?;
        self.expect_nothing_left()
    }

    /// A worker that is killed while its tool has only begun: the tool goes on, makes its snapshot
    /// seconds later, and nothing of that stays.
    pub(crate) fn a_tool_that_outlives_its_run_leaves_nothing(&self, tool: &str) -> Result<()> {
        // Tools are looked for here first.
        let slow = Path::new("/usr/local/sbin").join(tool);
        let (begun, real) = (self.rig.path("begun"), format!("/usr/sbin/{tool}"));
        let script = format!(
            "#!/bin/sh\ncase \"$1 $2\" in *snapshot*) echo $$ > {}; sleep 3;; esac\n\
             exec {real} \"$@\"\n",
            begun.display()
        );
        install(&slow, &script)?;
        let mut run = self.backup("db.tar").start()?;
        let begin = run.wait_for_file(&begun, 1, START).and_then(|()| run.kill_workers());
        let outcome = run.wait()?;
        fs::remove_file(&slow)?;
        begin?;
        outcome.expect_exit(24)?;
        let tool: u32 = fs::read_to_string(&begun)?.trim().parse()?;
        wait_until_ended("the tool of a killed run", tool)?;
        fs::remove_file(&begun)?;
        self.expect_nothing_left()
    }

    /// Backends that are not meant here are refused, with the reason.
    pub(crate) fn other_backends_are_refused(&self, own: &str, other: &str) -> Result<()> {
        let named = |engine: &str, backend: &str| {
            let words = ["physical-backup", "--output", "db.tar", "--engine", engine];
            let backend = ["--snapshot-backend", backend];
            self.rig.dbbackup_on(&self.server, words).args(backend).args(PATIENT).run()
        };
        let family = named("snapshot", other)?;
        family.expect_exit(4)?.expect_stderr(&format!("{other}-snapshot"))?;
        let engine = named(self.technology.engine, other)?;
        ensure!(engine.code() != Some(0), "{engine}");
        engine.expect_stderr(other)?.expect_stderr(self.technology.engine)?;
        self.expect_nothing_left()?;
        named("snapshot", own)?.expect_success()?;
        remove_artefact(&self.rig.path("db.tar"))?;
        self.expect_nothing_left()
    }

    /// Nothing is left of a run that failed: no snapshot, no mount, no file, no record.
    pub(crate) fn expect_nothing_left(&self) -> Result<()> {
        let left = (self.technology.left)()?;
        ensure!(left.is_empty(), "left: {left:?}");
        let journal = self.rig.state_dir().join("dbbackup/journal");
        // A run that was refused has not made any.
        for directory in [self.rig.work_dir(), journal].iter().filter(|path| path.exists()) {
            let left: Vec<_> = fs::read_dir(directory)?.collect::<std::io::Result<_>>()?;
            ensure!(left.is_empty(), "left in {}: {left:?}", directory.display());
        }
        Ok(())
    }
}

/// One that has ended has no program any more, whether somebody has waited for it or not.
fn wait_until_ended(what: &str, process: u32) -> Result<()> {
    let program = PathBuf::from(format!("/proc/{process}/exe"));
    wait_until(&format!("{what} has ended"), START, || Ok(fs::read_link(&program).is_err()))
}

/// Makes a program.
fn install(path: &Path, script: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, script).with_context(|| format!("write {}", path.display()))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// Removes an artefact and its manifest.
pub(crate) fn remove_artefact(path: &Path) -> Result<()> {
    fs::remove_file(path)?;
    fs::remove_file(format!("{}.manifest.json", path.display())).context("remove the manifest")
}
