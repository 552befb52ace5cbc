//! `--timeout`: cancels a run when its time is over, and names that as the reason.
use crate::{
    config::units::format_duration,
    exit::{Classified, Exit, Failure},
    supervisor::{CancelCause, CancelFlag, SupervisorError},
};
use std::{io, thread, time::Duration};

/// A running limit, if there is one.
#[derive(Debug)]
pub(crate) struct Deadline {
    cancel: CancelFlag,
}

/// The time is over.
#[derive(Debug, thiserror::Error)]
#[error("not done within {}; cleaned up", format_duration(*.limit))]
struct Passed {
    limit: Duration,
}

/// The thread that waits cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("start the clock of --timeout")]
pub(crate) struct NoClock {
    source: io::Error,
}

impl Deadline {
    /// Starts the clock; the flag is raised when it runs out. The clock ends with the process.
    ///
    /// # Errors
    /// [`NoClock`] if no thread can be started.
    pub(crate) fn start(limit: Option<Duration>, cancel: &CancelFlag) -> Result<Self, NoClock> {
        if let Some(limit) = limit {
            let cancel = cancel.clone();
            let clock = thread::Builder::new().name("timeout".to_owned());
            let clock = clock.spawn(move || cancel.cancel_after(limit));
            drop(clock.map_err(|source| NoClock { source })?);
        }
        Ok(Self { cancel: cancel.clone() })
    }

    /// Says "not in time" in place of "interrupted", if that is what happened.
    ///
    /// # Errors
    /// The error given, or that the time is over.
    pub(crate) fn judge<T, E: Into<Failure>>(&self, outcome: Result<T, E>) -> Result<T, Failure> {
        outcome.map_err(|error| with_cause(&self.cancel, error.into()))
    }
}

/// A failure as a command ends with it. What notices deep inside that the run is cancelled does not know
/// by what, and says that it was interrupted: here the time limit and SIGTERM are told apart from that.
pub(super) fn with_cause(cancel: &CancelFlag, failure: Failure) -> Failure {
    if failure.exit() != Exit::Interrupted {
        return failure;
    }
    match (cancel.passed_limit(), cancel.cause()) {
        (Some(limit), _) => Passed { limit }.into(),
        (None, Some(cause @ CancelCause::Terminated)) => {
            SupervisorError::Cancelled { cause }.into()
        }
        (None, _) => failure,
    }
}

impl Classified for Passed {
    fn exit(&self) -> Exit {
        Exit::Timeout
    }

    fn hint(&self) -> Option<String> {
        Some("raise --timeout".to_owned())
    }

    fn code(&self) -> String {
        "E-TIMEOUT".to_owned()
    }
}

impl Classified for NoClock {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn code(&self) -> String {
        "E-CLOCK".to_owned()
    }
}

#[cfg(test)]
mod tests;
