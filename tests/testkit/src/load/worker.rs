//! A thread that repeats a step against a server until it is told to stop.
use crate::server::{Server, Session};
use crate::wait::{pause, wait_until};
use anyhow::Result;
use mysql_async::OptsBuilder;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a load has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Steps that were committed.
    pub commits: u64,
    /// Steps that the server refused or that lost their connection.
    pub failures: u64,
    /// The longest that one committed step took: how long the load was held up.
    pub longest: Duration,
    /// The last failure, in words.
    pub last_failure: Option<String>,
}

/// The thread, stopped on drop.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    commits: AtomicU64,
    failures: AtomicU64,
    longest_micros: AtomicU64,
    last_failure: Mutex<Option<String>>,
}

/// How soon a lost connection is opened again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

impl Worker {
    /// Repeats `step`, which gets the session and the number of steps done before, with `rest`
    /// in between. A lost server is waited for.
    pub(super) fn start(
        server: &Server,
        rest: Duration,
        step: impl FnMut(&mut Session, u64) -> Result<()> + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let (options, inside) = (server.socket_options(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || inside.repeat(&options, rest, step));
        Self { shared, thread: Some(thread) }
    }

    pub(super) fn report(&self) -> LoadReport {
        let shared = &self.shared;
        let last = shared.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        LoadReport {
            commits: shared.commits.load(Ordering::SeqCst),
            failures: shared.failures.load(Ordering::SeqCst),
            longest: Duration::from_micros(shared.longest_micros.load(Ordering::SeqCst)),
            last_failure: last.clone(),
        }
    }

    pub(super) fn wait_for_commits(&self, more: u64, deadline: Duration) -> Result<()> {
        let before = self.report().commits;
        wait_until(&format!("the load commits {more} times"), deadline, || {
            Ok(self.report().commits >= before + more)
        })
    }

    pub(super) fn forget_longest(&self) {
        self.shared.longest_micros.store(0, Ordering::SeqCst);
    }

    pub(super) fn stop(&mut self) -> LoadReport {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed, and shows in the report as missing commits.
            drop(thread.join());
        }
        self.report()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn repeat(
        &self,
        options: &OptsBuilder,
        rest: Duration,
        mut step: impl FnMut(&mut Session, u64) -> Result<()>,
    ) {
        let mut session = None;
        while !self.stop.load(Ordering::SeqCst) {
            let Some(open) = session.as_mut() else {
                session = Session::connect(options).ok();
                if session.is_none() {
                    pause(RECONNECT_PAUSE);
                }
                continue;
            };
            let started = Instant::now();
            match step(open, self.commits.load(Ordering::SeqCst)) {
                Ok(()) => self.note_commit(started.elapsed()),
                Err(error) => {
                    self.note_failure(&error);
                    session = None;
                }
            }
            pause(rest);
        }
    }

    fn note_commit(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.longest_micros.fetch_max(micros, Ordering::SeqCst);
        self.commits.fetch_add(1, Ordering::SeqCst);
    }

    fn note_failure(&self, error: &anyhow::Error) {
        self.failures.fetch_add(1, Ordering::SeqCst);
        let mut last = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(format!("{error:#}"));
    }
}
