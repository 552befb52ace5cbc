//! A scratch server: a stock server of the backup's own series, started on a directory of ours to
//! prove that a backup can be restored. Reachable by a socket in a private directory and by nothing
//! else; it dies with this process, and the journal names it as well.
use crate::{
    connection::{Connection, ServerError, Session},
    exit::{Classified, Exit},
    supervisor::{
        CancelFlag,
        host_record::{HostRecord, process_start_ticks},
        journal::{Journal, JournalError},
        message::{RecordOwner, WORKER_ARGUMENT},
    },
    worker::EXEC_ARGUMENT,
};
use dbbackup_plugin_api::document::connection::{ConnectionDocument, SslDocument, SslMode};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

mod initialise;
mod program;
mod socket;

pub(crate) use program::{ServerProgram, target_server};

/// Longest wait for a server to take connections, crash recovery included.
const START_LIMIT: Duration = Duration::from_secs(600);
/// Longest wait for a shutdown.
const STOP_LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for the initialisation of a data directory.
const INITIALISE_LIMIT: Duration = Duration::from_secs(300);
/// Time between two looks at a server that starts or stops.
const POLL: Duration = Duration::from_millis(100);
/// Bytes of the server's log that are shown when it fails.
const LOG_TAIL_BYTES: usize = 2000;

/// Why a scratch server cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// There is no server program.
    #[error("no server program found: looked for {looked_for}")]
    NoProgram {
        /// Names and places.
        looked_for: String,
    },
    /// The program is of another series.
    #[error("{} is {found}, the backup is of {wanted}", program.display())]
    OtherSeries {
        /// The program.
        program: PathBuf,
        /// What it says of itself.
        found: String,
        /// Flavour and series of the backup.
        wanted: String,
    },
    /// A file, directory or process of the server cannot be had.
    #[error("{what} {}", path.display())]
    Io {
        /// The step, a verb.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended or did not get ready.
    #[error("the scratch server {what}; the end of its log:\n{log}")]
    Failed {
        /// What it did.
        what: String,
        /// End of its log.
        log: String,
    },
    /// The server does not even work on an empty data directory: nothing is known of the backup.
    #[error("the scratch server {what}; the end of its log:\n{log}")]
    Unusable {
        /// What it did.
        what: String,
        /// End of its log.
        log: String,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The server refuses a statement.
    #[error(transparent)]
    Server(#[from] Box<ServerError>),
    /// The journal cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl ScratchError {
    fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

impl From<ServerError> for ScratchError {
    fn from(error: ServerError) -> Self {
        Self::Server(Box::new(error))
    }
}

/// What the server is started on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// An empty data directory, which is initialised.
    Fresh,
    /// The files of a backup, whose accounts are not asked.
    Restored,
}

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct ScratchServer {
    child: Child,
    directory: PathBuf,
    socket: PathBuf,
    content: Content,
    ended: bool,
}

impl ScratchServer {
    /// Starts a server whose data are in `directory/data` and waits until it takes connections.
    ///
    /// # Errors
    /// [`ScratchError`]; no process is left.
    pub(crate) fn start(
        program: &ServerProgram,
        directory: &Path,
        content: Content,
        settings: &[String],
        journal: &mut Journal,
        cancel: &CancelFlag,
    ) -> Result<Self, ScratchError> {
        if content == Content::Fresh {
            initialise::data_directory(program, directory, cancel)?;
        }
        let socket = socket::create(journal)?;
        let mut arguments = common_arguments(directory);
        arguments.extend([
            OsString::from("--skip-networking"),
            prefixed("--socket=", &socket),
            prefixed("--pid-file=", &directory.join("server.pid")),
            prefixed("--log-error=", &log_path(directory)),
        ]);
        arguments.extend(program.quiet_arguments().iter().map(OsString::from));
        if content == Content::Restored {
            arguments.push("--skip-grant-tables".into());
        }
        arguments.extend(settings.iter().map(OsString::from));
        let child = spawn_guarded(program, &arguments, directory)?;
        let directory = directory.to_owned();
        let mut server = Self { child, directory, socket, content, ended: false };
        server.journal(journal)?;
        server.wait_ready(cancel)?;
        Ok(server)
    }

    /// How to reach it.
    pub(crate) fn connection(&self) -> ConnectionDocument {
        ConnectionDocument {
            socket: Some(self.socket.clone()),
            user: "root".to_owned(),
            ssl: SslDocument { mode: SslMode::Disabled, ..SslDocument::default() },
            connect_timeout_ms: 10_000,
            stall_budget_ms: 3_600_000,
            ..ConnectionDocument::default()
        }
    }

    /// Opens a session.
    pub(crate) fn session(&self) -> Result<Session, ScratchError> {
        Ok(Session::open(&Connection::new(self.connection(), None))?)
    }

    /// Shuts the server down and waits for its end.
    pub(crate) fn stop(mut self) -> Result<(), ScratchError> {
        self.signal(Signal::TERM)?;
        let status = wait_for(&mut self.child, STOP_LIMIT, &CancelFlag::new())
            .map_err(|source| ScratchError::io("wait for", &self.directory, source))?;
        self.ended = status.is_some();
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.failed(format!("ended with {status}"))),
            None => Err(self.failed("did not shut down".to_owned())),
        }
    }

    fn journal(&self, journal: &mut Journal) -> Result<(), ScratchError> {
        let pid = Pid::from_child(&self.child).as_raw_nonzero().get();
        let start_ticks = process_start_ticks(pid).unwrap_or_default();
        let record = HostRecord::ScratchServer { pid, start_ticks };
        journal.record(RecordOwner::Host, record.to_undo_record()?)?;
        Ok(())
    }

    fn wait_ready(&mut self, cancel: &CancelFlag) -> Result<(), ScratchError> {
        let deadline = Instant::now() + START_LIMIT;
        let connection = Connection::new(self.connection(), None);
        loop {
            let status = self.child.try_wait();
            if let Some(status) =
                status.map_err(|e| ScratchError::io("look at", &self.directory, e))?
            {
                self.ended = true;
                return Err(self.failed(format!("ended with {status} while it was starting")));
            }
            if self.socket.exists() && Session::open(&connection).is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let seconds = START_LIMIT.as_secs();
                return Err(self.failed(format!("took no connections within {seconds} s")));
            }
            if cancel.sleep(POLL) {
                return Err(ScratchError::Cancelled);
            }
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), ScratchError> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|errno| ScratchError::io("signal", &self.directory, errno.into()))
    }

    fn failed(&self, what: String) -> ScratchError {
        let log = log_tail(&self.directory);
        match self.content {
            Content::Fresh => ScratchError::Unusable { what, log },
            Content::Restored => ScratchError::Failed { what, log },
        }
    }
}

impl Drop for ScratchServer {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            tracing::warn!(%error, "end the scratch server");
        }
    }
}

/// Arguments of every start, `--no-defaults` first.
fn common_arguments(directory: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        "--no-defaults".into(),
        prefixed("--datadir=", &directory.join("data")),
        prefixed("--tmpdir=", directory),
        "--innodb-use-native-aio=OFF".into(),
    ];
    if geteuid().is_root() {
        arguments.push("--user=root".into());
    }
    arguments
}

/// Starts a program through this one, which arranges for it to die with this process.
fn spawn_guarded(
    program: &ServerProgram,
    arguments: &[OsString],
    directory: &Path,
) -> Result<Child, ScratchError> {
    spawn_guarded_with(program, arguments, directory, Stdio::null())
}

fn spawn_guarded_with(
    program: &ServerProgram,
    arguments: &[OsString],
    directory: &Path,
    input: Stdio,
) -> Result<Child, ScratchError> {
    let output = directory.join("output.log");
    let log = File::options()
        .create(true)
        .append(true)
        .open(&output)
        .map_err(|source| ScratchError::io("create", &output, source))?;
    let errors = log.try_clone().map_err(|e| ScratchError::io("open", &output, e))?;
    Command::new(program.guard())
        .args([WORKER_ARGUMENT, EXEC_ARGUMENT])
        .arg(program.path())
        .args(arguments)
        .stdin(input)
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|source| ScratchError::io("start", program.path(), source))
}

/// Waits for the end of a process; none if it has not come in time, or the run was cancelled.
fn wait_for(
    child: &mut Child,
    limit: Duration,
    cancel: &CancelFlag,
) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > deadline || cancel.sleep(POLL) {
            return Ok(None);
        }
    }
}

fn prefixed(option: &str, path: &Path) -> OsString {
    let mut text = OsString::from(option);
    text.push(path);
    text
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("error.log")
}

/// End of the server's log and output.
fn log_tail(directory: &Path) -> String {
    let read = |path: PathBuf| fs::read(path).unwrap_or_default();
    let mut text = read(directory.join("output.log"));
    text.extend(read(log_path(directory)));
    let start = text.len().saturating_sub(LOG_TAIL_BYTES);
    String::from_utf8_lossy(text.get(start..).unwrap_or_default()).into_owned()
}

impl Classified for ScratchError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoProgram { .. } | Self::OtherSeries { .. } | Self::Unusable { .. } => {
                Exit::Precondition
            }
            Self::Io { source, .. } => crate::target::exit_of_io(source.kind()),
            Self::Failed { .. } => Exit::VerificationFailed,
            Self::Cancelled => Exit::Interrupted,
            Self::Server(error) => error.exit(),
            Self::Journal(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoProgram { .. } | Self::OtherSeries { .. } => {
                Some("name a server of the backup's series with --mysqld PATH".to_owned())
            }
            Self::Server(error) => error.hint(),
            Self::Journal(error) => error.hint(),
            _ => None,
        }
    }

    fn code(&self) -> String {
        let code = match self {
            Self::NoProgram { .. } => "E-SCRATCH-NO-SERVER",
            Self::OtherSeries { .. } => "E-SCRATCH-SERIES",
            Self::Io { .. } => "E-SCRATCH-IO",
            Self::Unusable { .. } => "E-SCRATCH-UNUSABLE",
            Self::Failed { .. } => "E-SCRATCH-SERVER",
            Self::Cancelled => "E-INTERRUPTED",
            Self::Server(error) => return error.code(),
            Self::Journal(error) => return error.code(),
        };
        code.to_owned()
    }
}
