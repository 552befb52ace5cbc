//! A second session that ends the first one's statement, or the first session, when its time is up.
//!
//! The first session cannot do that itself: it is blocked in the very statement that must end.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::server::{LockPhase, Session, SessionError};

/// A statement that survives `KILL QUERY` this long loses its session.
const ESCALATE_AFTER: Duration = Duration::from_secs(1);
/// Time-out of the watchdog's own session: a server that does not answer a `KILL` is lost anyway.
const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that a lock may be watched without anything to do: longer than any budget.
const LONGEST_WATCH: Duration = Duration::from_secs(30 * 24 * 3600);

/// Watches one session until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    step: Step,
    exceeded: Option<LockPhase>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A statement waits for the lock; at the deadline it is killed.
    Waiting(Instant),
    /// The statement was told to end; at the deadline its session is killed.
    Escalating(Instant),
    /// The lock is held; at the deadline its session is killed.
    Holding(Instant),
    /// The session is beyond our reach and may still wait or hold: it is killed at once.
    Abandoned,
    /// Nothing to watch any more.
    Done,
}

impl Watchdog {
    /// Opens the second session, and gives the first one until `deadline` to get its lock.
    pub(crate) fn start(session: &Session, deadline: Instant) -> Result<Self, SessionError> {
        let refused = |source: SessionError| SessionError::Watchdog { source: Box::new(source) };
        let mut killer = session.connect_another().map_err(refused)?;
        killer.set_timeouts(WATCHDOG_TIMEOUT, WATCHDOG_TIMEOUT).map_err(refused)?;
        killer.stay_while_idle(LONGEST_WATCH).map_err(refused)?;
        let state = State { step: Step::Waiting(deadline), exceeded: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let id = session.id();
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name(String::from("lock-watchdog"))
            .spawn(move || watch(&watched, killer, id))
            .map_err(|source| refused(thread_refused(source)))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The lock was granted: from now on it may be held for `hold`. False when time was up before.
    pub(crate) fn granted(&self, hold: Duration) -> bool {
        let mut state = self.shared.lock();
        if state.exceeded.is_some() {
            return false;
        }
        state.step = Step::Holding(Instant::now() + hold);
        self.shared.changed.notify_all();
        true
    }

    /// Another statement of the same lock waits, for at most `wait`. False when time was up before.
    pub(crate) fn waits_again(&self, wait: Duration) -> bool {
        let mut state = self.shared.lock();
        if state.exceeded.is_some() {
            return false;
        }
        state.step = Step::Waiting(Instant::now() + wait);
        self.shared.changed.notify_all();
        true
    }

    /// Which time was up, if one was.
    pub(crate) fn exceeded(&self) -> Option<LockPhase> {
        self.shared.lock().exceeded
    }

    /// Ends the watched session as soon as possible: it is lost to us, and the server may not have
    /// noticed.
    pub(crate) fn abandon(mut self) {
        self.finish(Step::Abandoned);
    }

    /// Ends the watch, and tells which time was up, if one was.
    pub(crate) fn stop(mut self) -> Option<LockPhase> {
        self.finish(Step::Done);
        self.exceeded()
    }

    fn finish(&mut self, step: Step) {
        self.shared.lock().step = step;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the lock watchdog panicked");
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.finish(Step::Done);
    }
}

impl Shared {
    /// The state is plain values, valid whoever panicked while holding it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(shared: &Shared, mut killer: Session, id: u32) {
    let mut state = shared.lock();
    loop {
        let now = Instant::now();
        let killed = match state.step {
            Step::Done => break,
            Step::Abandoned => {
                drop(state);
                report(killer.kill_session(id), id);
                break;
            }
            Step::Waiting(deadline) if now >= deadline => {
                state.exceeded = Some(LockPhase::Waiting);
                state.step = Step::Escalating(now + ESCALATE_AFTER);
                drop(state);
                killer.kill_query(id)
            }
            Step::Escalating(deadline) if now >= deadline => {
                drop(state);
                report(killer.kill_session(id), id);
                break;
            }
            Step::Holding(deadline) if now >= deadline => {
                state.exceeded = Some(LockPhase::Holding);
                drop(state);
                report(killer.kill_session(id), id);
                break;
            }
            Step::Waiting(deadline) | Step::Escalating(deadline) | Step::Holding(deadline) => {
                let left = deadline - now;
                state = shared
                    .changed
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
                continue;
            }
        };
        report(killed, id);
        state = shared.lock();
    }
    if let Err(error) = killer.quit() {
        tracing::debug!(%error, "close the lock watchdog's session");
    }
}

/// A kill that fails is all that this thread can tell; the watched session finds out by itself.
fn report(killed: Result<(), SessionError>, id: u32) {
    if let Err(error) = killed {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, session = id, "kill a session past its lock budget");
    }
}

fn thread_refused(source: io::Error) -> SessionError {
    SessionError::Wire(crate::wire::WireError::Disconnected {
        during: "starting the lock watchdog",
        source,
    })
}
