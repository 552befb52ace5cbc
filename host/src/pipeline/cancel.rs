//! Cancellation that wakes sleepers, and the latch that keeps the first error of a run.
use super::error::PipelineError;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Longest time between two looks at the latch while a queue is full or empty.
const POLL: Duration = Duration::from_millis(20);

/// A flag that many threads share: once set, every wait of the pipeline ends.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    set: AtomicBool,
    guard: Mutex<()>,
    changed: Condvar,
}

impl CancelFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the flag for ever and wakes all sleepers.
    pub fn cancel(&self) {
        // Stored under the guard: a sleeper between its look and its wait would miss the wake-up.
        let guard = lock(&self.0.guard);
        self.0.set.store(true, Ordering::SeqCst);
        drop(guard);
        self.0.changed.notify_all();
    }

    /// True once the flag is set.
    pub fn is_cancelled(&self) -> bool {
        self.0.set.load(Ordering::SeqCst)
    }

    /// Sleeps for `time`, or until the flag is set; answers whether it is.
    pub fn sleep(&self, time: Duration) -> bool {
        let guard = lock(&self.0.guard);
        let waited = self.0.changed.wait_timeout_while(guard, time, |()| !self.is_cancelled());
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.is_cancelled()
    }
}

/// Locks a mutex whose content stays meaningful when a holder panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// First error of a run, given to every later call, and the only place that waits on queues.
#[derive(Debug)]
pub(super) struct Latch {
    cancel: CancelFlag,
    failed: AtomicBool,
    first: Mutex<Option<PipelineError>>,
}

impl Latch {
    pub(super) fn new(cancel: CancelFlag) -> Self {
        Self { cancel, failed: AtomicBool::new(false), first: Mutex::new(None) }
    }

    /// Keeps `error` if it is the first, and answers the first. Whatever fails after the
    /// cancellation fails because of it.
    pub(super) fn fail(&self, error: PipelineError) -> PipelineError {
        let error = if self.cancel.is_cancelled() { PipelineError::Cancelled } else { error };
        let first = lock(&self.first).get_or_insert(error).clone();
        self.failed.store(true, Ordering::SeqCst);
        first
    }

    /// The first error, if there was one.
    pub(super) fn check_failure(&self) -> Result<(), PipelineError> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(self.fail(PipelineError::Aborted));
        }
        Ok(())
    }

    /// The first error, or the cancellation, if there was one.
    pub(super) fn check(&self) -> Result<(), PipelineError> {
        self.check_failure()?;
        if self.cancel.is_cancelled() {
            return Err(self.fail(PipelineError::Cancelled));
        }
        Ok(())
    }

    /// Puts `value` into a queue as soon as there is room.
    pub(super) fn send<T>(&self, queue: &Sender<T>, value: T) -> Result<(), PipelineError> {
        let mut waiting = value;
        loop {
            self.check()?;
            match queue.send_timeout(waiting, POLL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => waiting = back,
                Err(SendTimeoutError::Disconnected(_)) => {
                    return Err(self.fail(PipelineError::StageDied));
                }
            }
        }
    }

    /// Takes the next value of a queue; none once the queue is closed and empty.
    pub(super) fn recv<T>(&self, queue: &Receiver<T>) -> Result<Option<T>, PipelineError> {
        loop {
            self.check()?;
            match queue.recv_timeout(POLL) {
                Ok(value) => return Ok(Some(value)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    /// Sleeps for `time`, with looks at the latch in between.
    pub(super) fn sleep(&self, time: Duration) -> Result<(), PipelineError> {
        let mut left = time;
        while !left.is_zero() {
            self.check()?;
            let step = left.min(POLL);
            self.cancel.sleep(step);
            left -= step;
        }
        self.check()
    }
}
