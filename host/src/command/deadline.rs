//! `--timeout`: cancels a run when its time is over, and names that as the reason.
use crate::{
    config::units::format_duration,
    exit::{Classified, Exit, Failure},
    supervisor::{CancelCause, CancelFlag},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A running limit, if there is one.
#[derive(Debug)]
pub(crate) struct Deadline {
    limit: Option<Duration>,
    passed: Arc<AtomicBool>,
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
        let passed = Arc::new(AtomicBool::new(false));
        if let Some(limit) = limit {
            let (flag, cancel) = (Arc::clone(&passed), cancel.clone());
            let wait = move || {
                if !cancel.sleep(limit) {
                    flag.store(true, Ordering::SeqCst);
                    cancel.cancel(CancelCause::Interrupted);
                }
            };
            let clock = thread::Builder::new().name("timeout".to_owned()).spawn(wait);
            drop(clock.map_err(|source| NoClock { source })?);
        }
        Ok(Self { limit, passed })
    }

    /// Says "not in time" in place of "interrupted", if that is what happened.
    ///
    /// # Errors
    /// The error given, or that the time is over.
    pub(crate) fn judge<T, E: Into<Failure>>(&self, outcome: Result<T, E>) -> Result<T, Failure> {
        outcome.map_err(Into::into).map_err(|failure| match self.limit {
            Some(limit)
                if failure.exit() == Exit::Interrupted && self.passed.load(Ordering::SeqCst) =>
            {
                Passed { limit }.into()
            }
            _ => failure,
        })
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
