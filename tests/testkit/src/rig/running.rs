//! A run of `dbbackup` under way, to be watched, signalled and killed.
use super::{Invocation, Outcome};
use crate::process::OwnedProcess;
use crate::wait::{pause, wait_until};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// A started `dbbackup`. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    process: OwnedProcess,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
    command_line: String,
    started: Instant,
    deadline: Duration,
}

impl Running {
    pub(super) fn start(mut invocation: Invocation) -> Result<Self> {
        let stdout = NamedTempFile::new_in(&invocation.streams)?;
        let stderr = NamedTempFile::new_in(&invocation.streams)?;
        let input = invocation.input_file()?;
        let output = match invocation.stdout.take() {
            Some(elsewhere) => elsewhere,
            None => stdout.reopen()?.into(),
        };
        let errors = stderr.reopen()?;
        let words: Vec<_> =
            invocation.arguments.iter().map(|word| word.to_string_lossy()).collect();
        let command_line = format!("dbbackup {}", words.join(" "));
        let process = OwnedProcess::spawn(&invocation.binary, |command| {
            invocation.configure(command);
            command.stdin(input).stdout(output).stderr(errors);
        })?;
        let (started, deadline) = (Instant::now(), invocation.deadline);
        Ok(Self { process, stdout, stderr, command_line, started, deadline })
    }

    /// The process id of the supervisor, which is the process that was started.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The process ids of the workers alive, which are the supervisor's children.
    ///
    /// # Errors
    /// `/proc` is not readable.
    pub fn workers(&self) -> Result<Vec<u32>> {
        children_of(self.pid())
    }

    /// Waits until a worker has been started and returns its process id.
    ///
    /// # Errors
    /// None is started within `deadline`, or the run ends before.
    pub fn wait_for_worker(&mut self, deadline: Duration) -> Result<u32> {
        let mut found = None;
        wait_until("dbbackup starts a worker", deadline, || {
            found = self.workers()?.first().copied();
            if found.is_none() && self.process.exited()?.is_some() {
                bail!("{} ended without a worker: {}", self.command_line, self.stderr_so_far());
            }
            Ok(found.is_some())
        })?;
        found.context("no worker")
    }

    /// Waits until `path` exists and holds at least `bytes`.
    ///
    /// # Errors
    /// It does not within `deadline`, or the run ends before.
    pub fn wait_for_file(&mut self, path: &Path, bytes: u64, deadline: Duration) -> Result<()> {
        wait_until(&format!("{} holds {bytes} bytes", path.display()), deadline, || {
            let is_there = fs::metadata(path).is_ok_and(|metadata| metadata.len() >= bytes);
            if !is_there && self.process.exited()?.is_some() {
                bail!("{} ended before: {}", self.command_line, self.stderr_so_far());
            }
            Ok(is_there)
        })
    }

    /// Whether the run has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.exited(), Ok(None))
    }

    /// Sends a signal to the supervisor, such as SIGTERM or SIGINT.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Kills every worker, as the kernel does when memory runs out.
    ///
    /// # Errors
    /// `/proc` is not readable.
    pub fn kill_workers(&self) -> Result<()> {
        for worker in self.workers()? {
            let pid = i32::try_from(worker).ok().and_then(Pid::from_raw);
            match pid.map(|pid| kill_process(pid, Signal::KILL)) {
                // It has ended by itself in the meantime.
                None | Some(Ok(()) | Err(rustix::io::Errno::SRCH)) => {}
                Some(Err(error)) => return Err(error).context("kill a worker"),
            }
        }
        Ok(())
    }

    /// Lets the run go on for `time` unless it ends before, then kills the supervisor.
    ///
    /// # Errors
    /// The kernel refuses the signal.
    pub fn kill9_after(mut self, time: Duration) -> Result<Outcome> {
        let until = self.started + time;
        while self.is_running() && Instant::now() < until {
            pause(Duration::from_millis(1));
        }
        self.signal(Signal::KILL)?;
        self.wait()
    }

    /// What was logged so far.
    pub fn stderr_so_far(&self) -> String {
        read_lossy(self.stderr.path())
    }

    /// Waits for the end of the run.
    ///
    /// # Errors
    /// It does not end by its deadline, and is killed.
    pub fn wait(mut self) -> Result<Outcome> {
        let left = self.deadline.saturating_sub(self.started.elapsed());
        let status = self.process.wait(left).with_context(|| {
            format!("{}: {}", self.command_line, tail_of(&self.stderr_so_far()))
        })?;
        Ok(Outcome {
            status,
            stdout: fs::read(self.stdout.path())?,
            stderr: read_lossy(self.stderr.path()),
            command_line: self.command_line.clone(),
            elapsed: self.started.elapsed(),
        })
    }
}

/// The live children of a process.
///
/// # Errors
/// `/proc` is not readable.
pub fn children_of(parent: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc").context("read /proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that ends between the listing and this line is not a live child.
        let path = PathBuf::from("/proc").join(pid.to_string()).join("stat");
        let Ok(stat) = fs::read_to_string(path) else { continue };
        // The name in parentheses may hold anything, so the fields count from its end.
        let Some((_, fields)) = stat.rsplit_once(')') else { continue };
        let mut fields = fields.split_whitespace();
        let (state, owner) = (fields.next(), fields.next());
        if state != Some("Z") && owner.and_then(|owner| owner.parse().ok()) == Some(parent) {
            children.push(pid);
        }
    }
    Ok(children)
}

fn read_lossy(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("{} is not readable: {error}", path.display()),
    }
}

fn tail_of(log: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
}
