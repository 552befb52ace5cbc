//! Starts a worker: this program again, with a socket as its standard input and a clean environment.
use super::{error::SupervisorError, message::WORKER_ARGUMENT};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Longest wait for a worker that does not read what it is sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// Variables with one of these beginnings are not for plugins: options of the stock clients, our
/// own settings, credentials of clouds, and what changes the loading of libraries.
const SCRUBBED_PREFIXES: [&str; 5] = ["MYSQL_", "MARIADB_", "DBBACKUP_", "AWS_", "LD_"];

/// Of these, what no engine can ask for.
const NEVER_KEPT: [&str; 4] = ["MYSQL_", "MARIADB_", "DBBACKUP_", "LD_"];

/// Variables that hold one of these words are taken for secrets.
const SCRUBBED_WORDS: [&str; 4] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN"];

/// Which program is started as a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCommand {
    program: PathBuf,
}

impl WorkerCommand {
    /// The running program itself, by a name that stays right when its file is replaced.
    pub fn this_program() -> Self {
        Self { program: PathBuf::from("/proc/self/exe") }
    }

    /// A `dbbackup` binary, for callers that use the host as a library.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// The program's file.
    pub fn path(&self) -> &Path {
        &self.program
    }
}

/// What a worker gets as its standard output.
#[derive(Debug)]
pub(super) enum WorkerStdout {
    /// Nothing: all it says goes over the socket.
    Discard,
    /// An open file, for the bytes of an artefact.
    File(File),
    /// The supervisor's own.
    Inherit,
    /// The other end of a connection to the supervisor.
    Socket(UnixStream),
}

/// A running worker.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    pid: Pid,
}

/// The ends of the worker's channels that the supervisor holds.
#[derive(Debug)]
pub(super) struct WorkerEnds {
    pub(super) socket: UnixStream,
    pub(super) stderr: ChildStderr,
}

impl WorkerProcess {
    /// Starts the worker. It dies with the calling thread, which must therefore wait for it. Variables
    /// that begin like one of `kept` stay in its environment.
    pub(super) fn spawn(
        command: &WorkerCommand,
        stdout: WorkerStdout,
        kept: &[String],
    ) -> Result<(Self, WorkerEnds), SupervisorError> {
        let failed = |source| SupervisorError::Spawn { program: command.program.clone(), source };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        ours.set_write_timeout(Some(SEND_TIMEOUT)).map_err(failed)?;
        let mut process = Command::new(&command.program);
        process
            .arg(WORKER_ARGUMENT)
            .stdin(OwnedFd::from(theirs))
            .stdout(match stdout {
                WorkerStdout::Discard => Stdio::null(),
                WorkerStdout::File(file) => Stdio::from(file),
                WorkerStdout::Inherit => Stdio::inherit(),
                WorkerStdout::Socket(socket) => Stdio::from(OwnedFd::from(socket)),
            })
            .stderr(Stdio::piped())
            // Its own group: Ctrl-C reaches the supervisor alone, which cancels in good order, and
            // the group can be killed with all that plugins have started.
            .process_group(0);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_scrubbed(name, kept)) {
            process.env_remove(name);
        }
        let mut child = process.spawn().map_err(failed)?;
        let pid = Pid::from_child(&child);
        let stderr = child.stderr.take().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        Ok((Self { child, pid }, WorkerEnds { socket: ours, stderr }))
    }

    /// The worker's process id, for a thread that waits for its end.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Kills the worker and everything in its group. Gone already is success.
    pub(super) fn kill_group(&self) {
        if let Err(error) = kill_process_group(self.pid, Signal::KILL) {
            tracing::debug!(pid = self.pid.as_raw_nonzero(), %error, "worker group already gone");
        }
    }

    /// Collects the exit status; to be called after [`wait_for_exit`] has answered.
    pub(super) fn reap(mut self) -> io::Result<ExitStatus> {
        // The group first: as long as the leader is not reaped, its number cannot be another's.
        self.kill_group();
        self.child.wait()
    }
}

/// Blocks until a child has ended, and leaves it to be reaped.
pub(super) fn wait_for_exit(pid: Pid) -> io::Result<()> {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// True for a variable that plugins must not see: the credentials of a cloud are for the engine alone
/// that speaks to it, and nothing brings back what is the server's, ours or the loader's.
fn is_scrubbed(name: &OsStr, kept: &[String]) -> bool {
    let name = OsString::from(name).to_string_lossy().to_uppercase();
    let is_ours = NEVER_KEPT.iter().any(|prefix| name.starts_with(prefix));
    if !is_ours && kept.iter().any(|prefix| name.starts_with(&prefix.to_uppercase())) {
        return false;
    }
    SCRUBBED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SCRUBBED_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests;
