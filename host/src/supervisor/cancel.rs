//! Cancellation of a run: by a signal, by a second signal, or by the caller of the library.
use super::error::SupervisorError;
use crate::{exit::Exit, pipeline};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use std::sync::{
    Arc, Condvar, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU8, Ordering},
};
use std::time::Duration;

/// Why a run is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelCause {
    /// SIGINT, or the caller of the library.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
}

impl CancelCause {
    /// The exit code that a cancelled run ends with.
    pub fn exit(self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            Self::Terminated => Exit::Terminated,
        }
    }
}

impl std::fmt::Display for CancelCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        })
    }
}

const RUNNING: u8 = 0;
const INTERRUPTED: u8 = 1;
const TERMINATED: u8 = 2;

/// A wish to end a run, shared by all of its threads. Once cancelled, it stays so; asking a second
/// time makes it urgent, and whoever waits politely kills instead.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cause: AtomicU8,
    requests: AtomicU8,
    /// The time limit whose end has raised the flag, if it was that.
    passed: OnceLock<Duration>,
    guard: Mutex<()>,
    changed: Condvar,
    /// What the readers and writers of this process look at; raised with this flag.
    pipeline: pipeline::CancelFlag,
}

impl CancelFlag {
    /// A flag that nobody has raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that SIGINT, SIGTERM and SIGHUP raise from now on, for the life of the process.
    ///
    /// # Errors
    /// [`SupervisorError::Signals`] if the handlers cannot be installed.
    pub fn raised_by_signals() -> Result<Self, SupervisorError> {
        let flag = Self::new();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|source| SupervisorError::Signals { source })?;
        let raised = flag.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    raised.cancel(match signal {
                        SIGINT => CancelCause::Interrupted,
                        _ => CancelCause::Terminated,
                    });
                }
            })
            .map_err(|source| SupervisorError::Signals { source })?;
        Ok(flag)
    }

    /// Cancels; the first cause stays. A second call makes the cancellation urgent.
    pub fn cancel(&self, cause: CancelCause) {
        let value = match cause {
            CancelCause::Interrupted => INTERRUPTED,
            CancelCause::Terminated => TERMINATED,
        };
        // Under the guard: a sleeper between its look and its wait would miss the wake-up.
        let guard = self.0.guard.lock().unwrap_or_else(PoisonError::into_inner);
        if self.cause().is_none() {
            self.0.cause.store(value, Ordering::SeqCst);
        }
        let before = self.0.requests.load(Ordering::SeqCst);
        self.0.requests.store(before.saturating_add(1), Ordering::SeqCst);
        drop(guard);
        self.0.changed.notify_all();
        self.0.pipeline.cancel();
    }

    /// The flag that pipelines of this process take.
    pub fn reader_flag(&self) -> pipeline::CancelFlag {
        self.0.pipeline.clone()
    }

    /// Why the run is cancelled, if it is.
    pub fn cause(&self) -> Option<CancelCause> {
        match self.0.cause.load(Ordering::SeqCst) {
            RUNNING => None,
            INTERRUPTED => Some(CancelCause::Interrupted),
            _ => Some(CancelCause::Terminated),
        }
    }

    /// Sleeps until a time limit is over or the run is cancelled, and cancels it in the first case.
    pub(crate) fn cancel_after(&self, limit: Duration) {
        if !self.sleep(limit) {
            self.0.passed.get_or_init(|| limit);
            self.cancel(CancelCause::Interrupted);
        }
    }

    /// The time limit whose end has cancelled the run, if it was that.
    pub(crate) fn passed_limit(&self) -> Option<Duration> {
        self.0.passed.get().copied()
    }

    /// True once the run is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cause().is_some()
    }

    /// True once it was asked for more than once: no more waiting for anybody.
    pub fn is_urgent(&self) -> bool {
        self.0.requests.load(Ordering::SeqCst) > 1
    }

    /// Sleeps for at most `time`; answers whether the run is cancelled.
    pub fn sleep(&self, time: Duration) -> bool {
        let guard = self.0.guard.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(guard, time, |()| !self.is_cancelled());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.is_cancelled()
    }
}

#[cfg(test)]
mod tests;
