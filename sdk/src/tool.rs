//! Child processes: a program with its words, a time limit, and an answer that holds its exit status.
//!
//! No shell is involved, and the caller's `PATH` has no say: a tool is found in the directories
//! where systems keep their administration programs.
mod lock;

pub use lock::{ToolLock, ToolLockError};

use crate::host::Host;
use std::{
    ffi::{OsStr, OsString},
    io::{Read, Result as IoResult},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Where tools are looked for. A `PATH` of a cron job lacks the `sbin` directories, and one that
/// others can write to would choose what root runs.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Longest answer that is taken; a longer one is an error.
pub const MAX_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;
/// What is kept of the end of a tool's stderr.
const STDERR_TAIL_BYTES: usize = 4096;
/// How often an ended child and a cancellation are looked for.
const POLL: Duration = Duration::from_millis(10);

/// A program and its arguments, not yet started.
#[derive(Clone, Debug)]
pub struct Tool {
    program: String,
    arguments: Vec<OsString>,
    limit: Duration,
    interruption: Interruption,
    lock: Option<ToolLock>,
}

/// What a cancellation does to a running tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    /// It is killed: it only reads.
    Kill,
    /// It ends by itself, and is left to run on where that takes longer than its limit.
    Wait,
}

impl Tool {
    /// A tool that only reads: a cancellation of the run kills it.
    pub fn query(program: &str, limit: Duration) -> Self {
        let interruption = Interruption::Kill;
        let (program, arguments) = (program.to_owned(), Vec::new());
        Self { program, arguments, limit, interruption, lock: None }
    }

    /// A tool that changes something: once started it runs to its end, whatever is cancelled
    /// meanwhile, and past its limit too. A volume manager that is killed half-way may leave a device
    /// suspended, and with it the server. For the same reason it has a process group of its own: the
    /// host kills that of a worker that has died or hangs.
    pub fn change(program: &str, limit: Duration) -> Self {
        Self { interruption: Interruption::Wait, ..Self::query(program, limit) }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, arguments: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.arguments.extend(arguments.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Runs it under a lock, which it holds until it has ended even if we are killed before.
    #[must_use]
    pub fn under(mut self, lock: &ToolLock) -> Self {
        self.lock = Some(lock.clone());
        self
    }

    /// The words, for tests and for commands that are shown to the operator.
    pub fn words(&self) -> Vec<String> {
        let arguments = self.arguments.iter().map(|word| word.to_string_lossy().into_owned());
        std::iter::once(self.program.clone()).chain(arguments).collect()
    }

    /// Runs the tool to its end and returns its stdout.
    ///
    /// # Errors
    /// - [`ToolError::Missing`] and [`ToolError::Start`]: nothing ran.
    /// - [`ToolError::Status`]: it ended with another status than 0.
    /// - [`ToolError::Output`]: its answer is longer than [`MAX_OUTPUT_BYTES`] or could not be read.
    /// - [`ToolError::TimedOut`]: its limit passed. One that reads was killed; one that changes
    ///   something [runs on](ToolError::runs_on), and holds its [lock](Self::under) until it has ended.
    /// - [`ToolError::Cancelled`]: the run was cancelled, and the tool killed.
    pub fn run(&self, host: &Host) -> Result<String, ToolError> {
        self.run_watched(|limit| host.wait_cancelled(limit))
    }

    /// The same; `pause` lets its argument's time pass, and says whether the run is cancelled.
    fn run_watched(&self, pause: impl Fn(Duration) -> bool) -> Result<String, ToolError> {
        let mut child = self.spawn()?;
        let stdout = child.stdout.take().map(|stream| read(stream, Keep::Start));
        let stderr = child.stderr.take().map(|stream| read(stream, Keep::End));
        let status = match self.wait(&mut child, &pause) {
            Err(error) if error.runs_on() => {
                self.leave(child);
                return Err(error);
            }
            waited => waited?,
        };
        // Whoever inherited the streams could keep them open; a tool of ours starts nobody who stays.
        let stdout = self.joined(stdout)?;
        let stderr = self.joined(stderr)?;
        if !status.success() {
            let stderr = one_line(&String::from_utf8_lossy(&stderr));
            return Err(ToolError::Status { program: self.program.clone(), status, stderr });
        }
        if stdout.len() as u64 > MAX_OUTPUT_BYTES {
            return Err(self.output_error(std::io::Error::other("the answer is too long")));
        }
        String::from_utf8(stdout).map_err(|error| self.output_error(std::io::Error::other(error)))
    }

    fn spawn(&self) -> Result<Child, ToolError> {
        let program = self.program.clone();
        let stdin = match &self.lock {
            None => Stdio::null(),
            Some(lock) => match lock.file.try_clone() {
                Ok(file) => file.into(),
                Err(source) => return Err(ToolError::Start { program, source }),
            },
        };
        let mut command = Command::new(&self.program);
        if self.interruption == Interruption::Wait {
            command.process_group(0);
        }
        command
            .args(&self.arguments)
            // Answers and messages in one language; the rest of the environment stays.
            .env("LC_ALL", "C")
            .env("PATH", SEARCH_PATH)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => ToolError::Missing { program },
                _ => ToolError::Start { program, source },
            })
    }

    fn wait(
        &self,
        child: &mut Child,
        pause: &impl Fn(Duration) -> bool,
    ) -> Result<ExitStatus, ToolError> {
        let started = Instant::now();
        loop {
            let ended = child.try_wait();
            if let Some(status) = ended.map_err(|error| self.output_error(error))? {
                return Ok(status);
            }
            let program = self.program.clone();
            if started.elapsed() > self.limit {
                let runs_on = self.interruption == Interruption::Wait;
                if !runs_on {
                    self.kill(child)?;
                }
                return Err(ToolError::TimedOut { program, limit: self.limit, runs_on });
            }
            let asked = Instant::now();
            if pause(POLL) {
                if self.interruption == Interruption::Kill {
                    self.kill(child)?;
                    return Err(ToolError::Cancelled { program });
                }
                // A cancelled host returns from its wait at once.
                std::thread::park_timeout(POLL.saturating_sub(asked.elapsed()));
            }
        }
    }

    /// Leaves a tool to itself that must not be killed. The threads that read its streams go on, so
    /// that it waits for nobody, and one more takes its status, so that it becomes no zombie; none
    /// of them keeps our process from ending.
    fn leave(&self, mut child: Child) {
        let program = self.program.clone();
        let reaper = std::thread::Builder::new().name(format!("left {program}"));
        let started = reaper.spawn(move || match child.wait() {
            Ok(status) => tracing::warn!(%program, %status, "ended after its limit"),
            Err(error) => tracing::warn!(%program, %error, "wait for a tool that runs on"),
        });
        if let Err(error) = started {
            // It ends all the same, and its status goes to whoever inherits it from us.
            tracing::warn!(program = %self.program, %error, "nobody waits for a tool that runs on");
        }
    }

    fn kill(&self, child: &mut Child) -> Result<(), ToolError> {
        child.kill().and_then(|()| child.wait()).map_err(|error| self.output_error(error))?;
        Ok(())
    }

    fn joined(&self, reader: Option<JoinHandle<IoResult<Vec<u8>>>>) -> Result<Vec<u8>, ToolError> {
        let Some(reader) = reader else { return Ok(Vec::new()) };
        let read = reader.join().unwrap_or_else(|_| Err(std::io::Error::other("reader panicked")));
        read.map_err(|error| self.output_error(error))
    }

    fn output_error(&self, source: std::io::Error) -> ToolError {
        ToolError::Output { program: self.program.clone(), source }
    }
}

/// Why a tool gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not installed.
    #[error("{program} is not installed (looked in {SEARCH_PATH})")]
    Missing {
        /// The program.
        program: String,
    },
    /// The kernel did not start it.
    #[error("start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended with another status than 0.
    #[error("{program} ended with {status}: {stderr}")]
    Status {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said, in one line.
        stderr: String,
    },
    /// Its answer is too long, no text, or could not be read.
    #[error("read the answer of {program}")]
    Output {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its time was up.
    #[error("{program} did not end within {limit:?}{}", if *runs_on { ", and runs on" } else { "" })]
    TimedOut {
        /// The program.
        program: String,
        /// Its time.
        limit: Duration,
        /// Whether it was left to end by itself; otherwise it was killed.
        runs_on: bool,
    },
    /// The run was cancelled.
    #[error("{program} was ended, because the run is cancelled")]
    Cancelled {
        /// The program.
        program: String,
    },
}

impl ToolError {
    /// What the tool itself said, if it ran to its end.
    pub fn stderr(&self) -> Option<&str> {
        match self {
            Self::Status { stderr, .. } => Some(stderr),
            _ => None,
        }
    }

    /// Whether the tool was left to end by itself: what it does may be done at any later time.
    pub fn runs_on(&self) -> bool {
        matches!(self, Self::TimedOut { runs_on: true, .. })
    }

    /// Whether the tool is not installed.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

impl crate::failure::Classify for ToolError {
    fn code(&self) -> crate::ErrorCode {
        use crate::ErrorCode;
        match self {
            Self::Missing { .. } => ErrorCode::PRECONDITION,
            Self::Cancelled { .. } => ErrorCode::CANCELLED,
            Self::TimedOut { .. } => ErrorCode::TIMEOUT,
            Self::Start { .. } | Self::Status { .. } | Self::Output { .. } => ErrorCode::TOOL,
        }
    }
}

/// Which part of a long stream is kept.
#[derive(Clone, Copy)]
enum Keep {
    /// The start, and one byte more than is allowed, to tell a long answer from a full one.
    Start,
    End,
}

/// Reads a stream to its end, so that the tool never waits for us.
fn read(mut stream: impl Read + Send + 'static, keep: Keep) -> JoinHandle<IoResult<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        match keep {
            Keep::Start => {
                stream.by_ref().take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut kept)?;
                std::io::copy(&mut stream, &mut std::io::sink())?;
            }
            Keep::End => {
                let mut buffer = [0; STDERR_TAIL_BYTES];
                loop {
                    let count = match stream.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(count) => count,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                        Err(error) => return Err(error),
                    };
                    kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    let surplus = kept.len().saturating_sub(STDERR_TAIL_BYTES);
                    kept.drain(..surplus);
                }
            }
        }
        Ok(kept)
    })
}

/// A tool's complaint as a part of a message: its lines joined, without their indentation.
fn one_line(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() { "it said nothing".to_owned() } else { lines.join("; ") }
}

#[cfg(test)]
mod tests;
