//! The supervisor: runs each piece of plugin work in a worker process, watches it, and believes its
//! receipt only together with a clean exit.
pub mod cancel;
pub mod error;
pub mod event;
pub(crate) mod host_record;
pub mod job;
pub mod journal;
pub(crate) mod message;
pub mod runtime;
pub mod secrets;
mod spawn;
mod stall;
pub mod state;
pub mod undo;
mod watch;

pub use cancel::{CancelCause, CancelFlag};
pub use error::SupervisorError;
pub use event::{Observer, RunEvent, Silent};
pub use message::WORKER_ARGUMENT;
pub use runtime::Runtime;
pub use secrets::Secrets;
pub use spawn::WorkerCommand;
pub use state::StateDir;
pub use watch::Limits;

use error::Blamed;
use job::{Job, Receipt};
use journal::Journal;
use spawn::{WorkerProcess, WorkerStdout};
use std::{fs::File, os::unix::net::UnixStream};
use watch::Watch;

/// Where the bytes of a backup leave the worker.
#[derive(Debug)]
pub(crate) enum ArtefactStream {
    /// The job writes none.
    None,
    /// Into an open file.
    File(File),
    /// To the supervisor's standard output.
    Stdout,
    /// Requests and answers of a target that the worker serves.
    Socket(UnixStream),
}

/// Starts workers, all under the same limits and watched by the same observer.
pub struct Supervisor<'a> {
    command: &'a WorkerCommand,
    limits: Limits,
    observer: &'a dyn Observer,
    cancel: &'a CancelFlag,
}

impl<'a> Supervisor<'a> {
    /// A supervisor; nothing is started yet.
    pub fn new(
        command: &'a WorkerCommand,
        limits: Limits,
        observer: &'a dyn Observer,
        cancel: &'a CancelFlag,
    ) -> Self {
        Self { command, limits, observer, cancel }
    }

    /// Runs a job that keeps no journal and writes no artefact, such as an assessment.
    ///
    /// # Errors
    /// [`SupervisorError`]; the worker and all that it started are gone.
    pub fn run(&self, job: Job) -> Result<Receipt, SupervisorError> {
        self.run_with(job, None, ArtefactStream::None)
    }

    /// Runs a job to its end: started, watched, and reaped.
    pub(crate) fn run_with(
        &self,
        job: Job,
        journal: Option<&mut Journal>,
        stream: ArtefactStream,
    ) -> Result<Receipt, SupervisorError> {
        let task = job.task.name();
        let blamed = job
            .task
            .engine()
            .map(|engine| Blamed { plugin: engine.plugin.clone(), engine: engine.engine.clone() });
        let stdout = match stream {
            ArtefactStream::None => WorkerStdout::Discard,
            ArtefactStream::File(file) => WorkerStdout::File(file),
            ArtefactStream::Stdout => WorkerStdout::Inherit,
            ArtefactStream::Socket(socket) => WorkerStdout::Socket(socket),
        };
        let kept = job.task.environment();
        let (process, ends) = WorkerProcess::spawn(self.command, stdout, kept)?;
        let watch = Watch::start(process, ends, self.limits, self.observer, self.cancel)?;
        watch.run(job, journal)?.verdict(task, blamed)
    }
}
