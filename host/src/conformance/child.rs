//! One check, one process: how it is started, watched, and how it answers.
//!
//! The order comes over standard input and the verdict goes back over the same socket, because
//! standard output must stay silent: whatever appears there fails the check.
use super::{CHECKS, Check, CheckOutcome, Verdict};
use crate::supervisor::Secrets;
use dbbackup_plugin_api::document::environment::Environment;
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The hidden argument that turns the program into one check.
pub const CHECK_ARGUMENT: &str = "conformance-check";

/// Longest order or verdict, bytes.
const LONGEST_MESSAGE_BYTES: u64 = 16 << 20;
/// How many of the last lines of a check are shown.
const TAIL_LINES: usize = 4;

/// What a check is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) check: String,
    pub(super) file: PathBuf,
    pub(super) engine: String,
    pub(super) options: Value,
    pub(super) environment: Environment,
    pub(super) secrets: Secrets,
}

/// Starts checks.
pub(super) struct Runner<'a> {
    pub(super) program: &'a Path,
    pub(super) time_limit: Duration,
}

impl Runner<'_> {
    /// Runs a check to its verdict; a process that ends without one has failed.
    pub(super) fn run(&self, check: &Check, order: &Order) -> CheckOutcome {
        let started = Instant::now();
        let verdict = self
            .verdict(order)
            .unwrap_or_else(|error| Verdict::Failed { why: format!("start the check: {error}") });
        CheckOutcome {
            check: check.name.to_owned(),
            promise: check.promise.to_owned(),
            engine: Some(order.engine.clone()),
            verdict,
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn verdict(&self, order: &Order) -> io::Result<Verdict> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new(self.program)
            .arg(CHECK_ARGUMENT)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let answer = self.converse(ours, order);
        // The check has answered, ended or run out of time; whatever it left behind ends with it.
        let is_in_time = !matches!(&answer, Err(error) if is_timeout(error));
        let status = end(&mut child, is_in_time)?;
        let panicked = |_| std::io::Error::other("a reader of the check's output panicked");
        let spoken = stdout.join().map_err(panicked)?;
        let last_words = stderr.join().map_err(panicked)?;
        if !is_in_time {
            let limit = self.time_limit.as_secs();
            return Ok(Verdict::Failed { why: format!("hung: no verdict after {limit} s") });
        }
        let verdict = match answer {
            Ok(verdict) if status.success() => verdict,
            Ok(_) => Verdict::Failed { why: format!("ended with {} after it", how(status)) },
            Err(_) => Verdict::Failed { why: ended(status, &last_words) },
        };
        if !spoken.is_empty() && !matches!(verdict, Verdict::Failed { .. }) {
            let why = format!("wrote {} bytes to standard output", spoken.len());
            return Ok(Verdict::Failed { why });
        }
        Ok(verdict)
    }

    fn converse(&self, mut socket: UnixStream, order: &Order) -> io::Result<Verdict> {
        socket.set_read_timeout(Some(self.time_limit))?;
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        socket.write_all(&line)?;
        socket.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        BufReader::new(socket.take(LONGEST_MESSAGE_BYTES)).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// Runs as one check, if standard input is the socket of a [`Kit`](super::Kit).
///
/// # Errors
/// An I/O error if it is not, as when somebody types the hidden argument.
pub fn run_as_check() -> io::Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The socket leaves descriptor 0, which plugins and their children would inherit.
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::net::sockopt::socket_type(&socket)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut socket = UnixStream::from(socket);
    let mut line = String::new();
    BufReader::new((&socket).take(LONGEST_MESSAGE_BYTES)).read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let verdict = match CHECKS.iter().find(|check| check.name == order.check) {
        Some(check) => (check.run)(&order).unwrap_or_else(|why| Verdict::Failed { why }),
        None => Verdict::NotRun { why: format!("unknown check {}", order.check) },
    };
    let mut answer = serde_json::to_vec(&verdict)?;
    answer.push(b'\n');
    socket.write_all(&answer)?;
    Ok(ExitCode::SUCCESS)
}

/// How long a check that has answered may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);
const END_POLL: Duration = Duration::from_millis(5);

fn end(child: &mut Child, is_in_time: bool) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + END_LIMIT;
    while is_in_time && Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            kill_group(child);
            return Ok(status);
        }
        std::thread::park_timeout(END_POLL);
    }
    kill_group(child);
    child.wait()
}

/// Ends what the check or its plugin has started. Gone already is success.
fn kill_group(child: &Child) {
    let group = rustix::process::Pid::from_child(child);
    if let Err(error) = rustix::process::kill_process_group(group, Signal::KILL) {
        tracing::debug!(%error, "check already gone");
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // A broken pipe ends the text; what came until then is what there is to show.
            if let Err(error) = pipe.take(LONGEST_MESSAGE_BYTES).read_to_end(&mut bytes) {
                tracing::debug!(%error, "output of a check");
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn ended(status: ExitStatus, last_words: &str) -> String {
    let lines: Vec<&str> = last_words.trim().lines().collect();
    let words = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("; ");
    let how = how(status);
    if words.is_empty() {
        format!("ended its process: {how}")
    } else {
        format!("ended its process: {how}: {words}")
    }
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit status {code} without a verdict"),
        (None, None) => "an unknown status".to_owned(),
    }
}
