//! Watches one worker from its start to its end, on one thread that hears everything in one queue.
use super::{
    cancel::CancelFlag,
    error::{Blamed, SupervisorError},
    event::{LogEvent, LogLevel, Observer, RunEvent},
    job::{ErrorReport, Job, Receipt},
    journal::{Journal, JournalError},
    message::{FromWorker, ToWorker, receive, send},
    spawn::{WorkerEnds, WorkerProcess, wait_for_exit},
    stall::{Stall, StallClock},
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use dbbackup_plugin_api::document::manifest::FileRecord;
use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    os::unix::{net::UnixStream, process::ExitStatusExt},
    process::ExitStatus,
    time::{Duration, Instant},
};

/// Messages that may wait for the watching thread.
const QUEUE_MESSAGES: usize = 1024;
/// Time between two looks at clocks and cancellation.
const TICK: Duration = Duration::from_millis(50);
/// Time that a worker has for exiting after its last message.
const EXIT_GRACE: Duration = Duration::from_secs(10);
/// Time that is given to what an ended worker still had in its pipes.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// Lines of standard error that are kept, and the longest one, bytes.
const STDERR_LINES: usize = 100;
const STDERR_LINE_BYTES: u64 = 4096;
/// Target name of log events that come from a worker's standard error.
const STDERR_TARGET: &str = "worker.stderr";

/// How long a worker may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest silence of an engine: no chunk, event or heartbeat.
    pub stall: Duration,
    /// Longest time that the target may take no bytes; the source waits no longer either.
    pub target_stall: Duration,
    /// Time between a cancellation and the kill.
    pub cancel_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(600),
            target_stall: Duration::from_secs(3600),
            cancel_grace: Duration::from_secs(20),
        }
    }
}

/// What the watching thread hears.
enum Input {
    Message(Box<FromWorker>),
    /// The socket is closed, well or badly.
    Closed(io::Result<()>),
    Stderr(String),
    Exited,
}

/// Why we killed the worker.
enum Killed {
    Cancelled,
    Stalled(Stall),
    DidNotExit,
    Unheard(io::Error),
}

/// A worker under watch.
pub(super) struct Watch<'a> {
    process: WorkerProcess,
    socket: UnixStream,
    inputs: Receiver<Input>,
    limits: Limits,
    observer: &'a dyn Observer,
    cancel: &'a CancelFlag,
    clock: StallClock,
    files: Vec<FileRecord>,
    receipt: Option<Receipt>,
    report: Option<ErrorReport>,
    closed: bool,
    protocol: Option<io::Error>,
    stderr: VecDeque<String>,
    cancelled_at: Option<Instant>,
    ending_since: Option<Instant>,
    killed: Option<Killed>,
}

impl<'a> Watch<'a> {
    /// Starts the threads that listen; the worker waits for its job.
    pub(super) fn start(
        process: WorkerProcess,
        ends: WorkerEnds,
        limits: Limits,
        observer: &'a dyn Observer,
        cancel: &'a CancelFlag,
    ) -> Result<Self, SupervisorError> {
        let (sender, inputs) = bounded(QUEUE_MESSAGES);
        let listening = listen(&process, &ends.socket, ends.stderr, sender);
        if let Err(source) = listening {
            process.kill_group();
            let program = "/proc/self/exe".into();
            return Err(process
                .reap()
                .err()
                .map_or(SupervisorError::Spawn { program, source }, |source| {
                    SupervisorError::Send { source }
                }));
        }
        Ok(Self {
            process,
            socket: ends.socket,
            inputs,
            limits,
            observer,
            cancel,
            clock: StallClock::start(Instant::now()),
            files: Vec::new(),
            receipt: None,
            report: None,
            closed: false,
            protocol: None,
            stderr: VecDeque::new(),
            cancelled_at: None,
            ending_since: None,
            killed: None,
        })
    }

    /// Sends the job and watches until the worker has ended.
    pub(super) fn run(
        mut self,
        job: Job,
        mut journal: Option<&mut Journal>,
    ) -> Result<Ended, SupervisorError> {
        // A worker that dies at once is better told by its exit status than by a broken pipe.
        if let Err(error) = send(&mut self.socket, &ToWorker::Job(Box::new(job))) {
            tracing::debug!(%error, "the worker did not take its job");
        }
        loop {
            match self.inputs.recv_timeout(TICK) {
                Ok(Input::Exited) => break,
                Ok(input) => self.hear(input, journal.as_deref_mut()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.check_limits(Instant::now());
        }
        self.drain(journal);
        let status = self.process.reap().map_err(|source| SupervisorError::Send { source })?;
        Ok(Ended {
            status,
            files: self.files,
            receipt: self.receipt,
            report: self.report,
            protocol: self.protocol,
            last_words: self.stderr.pop_back().unwrap_or_default(),
            killed: self.killed,
            cancel: self.cancel.clone(),
        })
    }

    fn hear(&mut self, input: Input, journal: Option<&mut Journal>) {
        match input {
            Input::Message(message) => self.message(*message, journal),
            Input::Closed(how) => {
                self.closed = true;
                self.protocol = how.err();
                self.ending_since.get_or_insert_with(Instant::now);
            }
            Input::Stderr(line) => self.stderr_line(line),
            Input::Exited => {}
        }
    }

    fn message(&mut self, message: FromWorker, journal: Option<&mut Journal>) {
        let now = Instant::now();
        match message {
            FromWorker::Log { event } => {
                self.clock.sign_of_life(now);
                self.observer.event(&RunEvent::Log(event));
            }
            FromWorker::Progress(event) => {
                self.clock.sign_of_life(now);
                self.observer.event(&RunEvent::Progress(event));
            }
            FromWorker::Heartbeat => self.clock.sign_of_life(now),
            FromWorker::Flow(flow) => {
                self.clock.flow(now, flow);
                self.observer.event(&RunEvent::Flow(flow));
                if let Some(since) = self.clock.target_blocked(now).filter(|time| *time > TICK) {
                    self.observer.event(&RunEvent::TargetStalled { since });
                }
            }
            FromWorker::JournalRecord { request, owner, record } => {
                self.clock.sign_of_life(now);
                let journal = journal.ok_or(JournalError::NotKept);
                self.answer(request, journal.and_then(|journal| journal.record(owner, record)));
            }
            FromWorker::JournalDone { request, number } => {
                self.clock.sign_of_life(now);
                let done =
                    journal.ok_or(JournalError::NotKept).and_then(|journal| journal.done(number));
                self.answer(request, done.map(|()| number));
            }
            FromWorker::Files { files } => self.files.extend(files),
            FromWorker::Receipt(receipt) => {
                self.receipt = Some(*receipt);
                self.ending_since.get_or_insert(now);
            }
            FromWorker::Error { report } => {
                self.report.get_or_insert(report);
                self.ending_since.get_or_insert(now);
            }
        }
    }

    fn answer(&mut self, request: u64, answer: Result<u64, JournalError>) {
        let answer = answer.map_err(|error| ErrorReport::of(&error));
        let sent = send(&mut self.socket, &ToWorker::Journalled { request, answer });
        if let Err(error) = sent {
            self.kill(Killed::Unheard(error));
        }
    }

    fn stderr_line(&mut self, line: String) {
        self.observer.event(&RunEvent::Log(LogEvent {
            level: LogLevel::Debug,
            target: STDERR_TARGET.to_owned(),
            message: line.clone(),
            fields: serde_json::Map::new(),
        }));
        if self.stderr.len() == STDERR_LINES {
            self.stderr.pop_front();
        }
        self.stderr.push_back(line);
    }

    /// Cancels, and kills whatever has used up its time.
    fn check_limits(&mut self, now: Instant) {
        if self.killed.is_some() {
            return;
        }
        if self.cancel.is_cancelled() && self.cancelled_at.is_none() {
            self.cancelled_at = Some(now);
            if let Err(error) = send(&mut self.socket, &ToWorker::Cancel) {
                tracing::debug!(%error, "the worker did not hear the cancellation");
            }
        }
        let past = |since: Option<Instant>, limit: Duration| {
            since.is_some_and(|since| now.saturating_duration_since(since) > limit)
        };
        if self.cancelled_at.is_some() && self.cancel.is_urgent()
            || past(self.cancelled_at, self.limits.cancel_grace)
        {
            self.kill(Killed::Cancelled);
        } else if past(self.ending_since, EXIT_GRACE) {
            self.kill(Killed::DidNotExit);
        } else if self.ending_since.is_none()
            && let Some(stall) =
                self.clock.verdict(now, self.limits.stall, self.limits.target_stall)
        {
            self.kill(Killed::Stalled(stall));
        }
    }

    fn kill(&mut self, why: Killed) {
        self.process.kill_group();
        self.killed.get_or_insert(why);
    }

    /// Hears what the ended worker had said before its end.
    fn drain(&mut self, mut journal: Option<&mut Journal>) {
        self.process.kill_group();
        let deadline = Instant::now() + DRAIN_TIME;
        while let Ok(input) = self.inputs.recv_deadline(deadline) {
            self.hear(input, journal.as_deref_mut());
        }
    }
}

/// Starts the three threads that fill the queue; each ends with its source.
fn listen(
    process: &WorkerProcess,
    socket: &UnixStream,
    stderr: impl Read + Send + 'static,
    to: Sender<Input>,
) -> io::Result<()> {
    let (messages, lines, pid) = (to.clone(), to.clone(), process.pid());
    let socket = socket.try_clone()?;
    let thread = |name: &str| std::thread::Builder::new().name(format!("worker-{name}"));
    thread("messages").spawn(move || {
        let mut reader = BufReader::new(socket);
        loop {
            let input = match receive(&mut reader) {
                Ok(Some(message)) => Input::Message(Box::new(message)),
                Ok(None) => Input::Closed(Ok(())),
                // A killed worker resets its socket; its exit status tells the story.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    Input::Closed(Ok(()))
                }
                Err(error) => Input::Closed(Err(error)),
            };
            let last = matches!(input, Input::Closed(_));
            if messages.send(input).is_err() || last {
                return;
            }
        }
    })?;
    thread("stderr").spawn(move || {
        let mut reader = BufReader::new(stderr);
        while let Ok(Some(line)) = bounded_line(&mut reader) {
            if lines.send(Input::Stderr(line)).is_err() {
                return;
            }
        }
    })?;
    thread("exit").spawn(move || {
        if let Err(error) = wait_for_exit(pid) {
            tracing::debug!(%error, "wait for the worker");
        }
        // The watcher may be gone already: then nobody wants to know.
        if to.send(Input::Exited).is_err() {
            tracing::debug!("nobody watches the worker any more");
        }
    })?;
    Ok(())
}

/// A line of at most [`STDERR_LINE_BYTES`]; a longer one comes in pieces.
fn bounded_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    from.take(STDERR_LINE_BYTES).read_until(b'\n', &mut line)?;
    let text = String::from_utf8_lossy(&line);
    Ok((!line.is_empty()).then(|| text.trim_end().to_owned()))
}

/// A worker that has ended, and all that it said.
pub(super) struct Ended {
    status: ExitStatus,
    files: Vec<FileRecord>,
    receipt: Option<Receipt>,
    report: Option<ErrorReport>,
    protocol: Option<io::Error>,
    last_words: String,
    killed: Option<Killed>,
    cancel: CancelFlag,
}

impl Ended {
    /// The receipt, if everything else fits to it.
    pub(super) fn verdict(
        self,
        task: &'static str,
        blamed: Option<Blamed>,
    ) -> Result<Receipt, SupervisorError> {
        let crashed = |how: String, last_words: String, blamed: Option<Blamed>| {
            SupervisorError::Crashed { task, blamed, how, last_words }
        };
        match self.killed {
            Some(Killed::Stalled(Stall::Engine(silent))) => {
                return Err(SupervisorError::Stalled { blamed, silent });
            }
            Some(Killed::Stalled(Stall::Target(blocked))) => {
                return Err(SupervisorError::TargetStalled { blocked });
            }
            Some(Killed::Unheard(source)) => return Err(SupervisorError::Send { source }),
            Some(Killed::DidNotExit) if self.report.is_none() => {
                let how = "did not end after its last message and was killed".to_owned();
                return Err(crashed(how, self.last_words, blamed));
            }
            Some(Killed::Cancelled | Killed::DidNotExit) | None => {}
        }
        match (self.receipt, self.report) {
            (Some(receipt), None) if self.status.success() => Ok(with_files(receipt, self.files)),
            _ if self.cancel.is_cancelled() => {
                let cause = self.cancel.cause().unwrap_or(super::CancelCause::Interrupted);
                Err(SupervisorError::Cancelled { cause })
            }
            (_, Some(report)) => Err(SupervisorError::Reported(report.into())),
            (_, None) => match self.protocol {
                Some(source) => Err(SupervisorError::Protocol { source }),
                None => Err(crashed(how_it_ended(self.status), self.last_words, blamed)),
            },
        }
    }
}

fn with_files(mut receipt: Receipt, files: Vec<FileRecord>) -> Receipt {
    if let Receipt::Backup(backup) = &mut receipt {
        backup.files = files;
    }
    receipt
}

/// "was killed by SIGSEGV (signal 11)", "exited with status 3".
fn how_it_ended(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by {} (signal {signal})", signal_name(signal)),
        (None, Some(0)) => "ended without a receipt".to_owned(),
        (None, Some(code)) => format!("exited with status {code} without an error"),
        (None, None) => format!("ended with {status}"),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal_hook::low_level::signal_name(signal) {
        Some(name) => name,
        None => "a signal without a name",
    }
}

#[cfg(test)]
mod tests;
