//! Ends sessions from another thread when the run is cancelled.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Host, server::Session, wire::Canceller};

/// How often the host is asked. A cancelled run has to end within two seconds.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Every so many questions the host is told that we live, where that is wanted.
const HEARTBEAT_EVERY: u32 = 25;

/// Watches for cancellation until it is dropped.
#[derive(Debug)]
pub struct CancelWatch {
    sessions: Arc<Mutex<Watched>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Watched {
    cancellers: Vec<Canceller>,
    cancelled: bool,
}

impl CancelWatch {
    /// Starts to watch, and says meanwhile that the engine lives although a statement takes its
    /// time: for engines whose every wait ends with the stall budget of its session.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(host: &Host) -> io::Result<Self> {
        Self::start_with(host, |host, asked| {
            if asked.is_multiple_of(HEARTBEAT_EVERY) {
                host.heartbeat();
            }
        })
    }

    /// Starts to watch without a word: for engines that say themselves when they live.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start_silent(host: &Host) -> io::Result<Self> {
        Self::start_with(host, |_, _| {})
    }

    fn start_with(host: &Host, each: impl Fn(&Host, u32) + Send + 'static) -> io::Result<Self> {
        let sessions = Arc::new(Mutex::new(Watched::default()));
        let (stop, stopped) = channel();
        let (host, watched) = (host.clone(), Arc::clone(&sessions));
        let thread = thread::Builder::new().name("cancel-watch".to_owned()).spawn(move || {
            let mut asked = 0_u32;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(ASK_EVERY) {
                asked = asked.wrapping_add(1);
                each(&host, asked);
                if host.is_cancelled() {
                    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                    watched.cancelled = true;
                    watched.cancellers.iter().for_each(Canceller::cancel);
                    return;
                }
            }
        })?;
        Ok(Self { sessions, stop: Some(stop), thread: Some(thread) })
    }

    /// Ends this session too when the run is cancelled, at once if it is already.
    pub fn add(&self, session: &Session) {
        let mut watched = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let canceller = session.canceller();
        if watched.cancelled {
            canceller.cancel();
        }
        watched.cancellers.push(canceller);
    }
}

impl Drop for CancelWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches for cancellation panicked");
        }
    }
}
