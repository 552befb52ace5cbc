//! The worker's end of the socket: messages out from every thread, answers and cancellation in.
use super::error::WorkerError;
use crate::{
    pipeline::CancelFlag,
    supervisor::{
        job::{ErrorReport, Job},
        message::{FromWorker, RecordOwner, ToWorker, receive, send},
    },
};
use crossbeam_channel::{Receiver, Sender, bounded};
use dbbackup_plugin_api::document::undo::UndoRecord;
use rustix::process::{Signal, getpid, kill_process};
use std::{
    collections::BTreeMap,
    io::{self, BufReader},
    os::unix::net::UnixStream,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Time that an orphaned worker gives its plugins to stop.
const ORPHAN_GRACE: Duration = Duration::from_secs(5);
/// Longest wait for an answer from the journal.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(120);

type Answer = Result<u64, ErrorReport>;

/// The connection to the supervisor.
pub(super) struct Link {
    socket: Mutex<UnixStream>,
    waiting: Mutex<BTreeMap<u64, Sender<Answer>>>,
    next_request: AtomicU64,
    cancel: CancelFlag,
}

impl Link {
    /// Receives the job and starts listening for what comes after it.
    pub(super) fn open(socket: UnixStream) -> io::Result<(Arc<Self>, Job)> {
        let mut reader = BufReader::new(socket.try_clone()?);
        let Some(ToWorker::Job(job)) = receive(&mut reader)? else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "expected a job first"));
        };
        let link = Arc::new(Self {
            socket: Mutex::new(socket),
            waiting: Mutex::default(),
            next_request: AtomicU64::new(1),
            cancel: CancelFlag::new(),
        });
        let listener = Arc::clone(&link);
        thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || listener.listen(reader))?;
        Ok((link, *job))
    }

    /// The flag that the supervisor's cancellation raises.
    pub(super) fn cancel(&self) -> &CancelFlag {
        &self.cancel
    }

    /// Sends a message; blocks while the supervisor is busy.
    pub(super) fn send(&self, message: &FromWorker) -> io::Result<()> {
        send(&mut *lock(&self.socket), message)
    }

    /// Sends a message that may be lost: a supervisor that is gone needs no log.
    pub(super) fn tell(&self, message: &FromWorker) {
        if self.send(message).is_err() {
            self.cancel.cancel();
        }
    }

    /// Has a record written, and waits until it is durable.
    pub(super) fn journal_record(&self, owner: RecordOwner, record: UndoRecord) -> Answer {
        self.ask(|request| FromWorker::JournalRecord { request, owner, record })
    }

    /// Has a record ticked off, and waits until that is durable.
    pub(super) fn journal_done(&self, number: u64) -> Answer {
        self.ask(|request| FromWorker::JournalDone { request, number })
    }

    fn ask(&self, message: impl FnOnce(u64) -> FromWorker) -> Answer {
        let request = self.next_request.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = bounded(1);
        lock(&self.waiting).insert(request, sender);
        let answered = self.send(&message(request)).map_err(unheard);
        let answered = answered.and_then(|()| wait(&answer));
        lock(&self.waiting).remove(&request);
        answered
    }

    fn listen(&self, mut reader: BufReader<UnixStream>) {
        while let Ok(Some(message)) = receive(&mut reader) {
            match message {
                ToWorker::Cancel => self.cancel.cancel(),
                ToWorker::Journalled { request, answer } => {
                    let waiting = lock(&self.waiting).remove(&request);
                    // Whoever asked may have given up; the record is durable all the same.
                    if waiting.is_some_and(|sender| sender.send(answer).is_err()) {
                        tracing::debug!(request, "nobody waits for the journal any more");
                    }
                }
                ToWorker::Job(_) => tracing::warn!("a second job was ignored"),
            }
        }
        // The supervisor is gone or speaks another language: nothing here will be committed.
        self.cancel.cancel();
        let deadline = Instant::now() + ORPHAN_GRACE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        if let Err(error) = kill_process(getpid(), Signal::KILL) {
            tracing::error!(%error, "end the orphaned worker");
        }
    }
}

fn wait(answer: &Receiver<Answer>) -> Answer {
    match answer.recv_timeout(JOURNAL_TIMEOUT) {
        Ok(answer) => answer,
        Err(error) => Err(unheard(io::Error::new(io::ErrorKind::TimedOut, error))),
    }
}

fn unheard(source: io::Error) -> ErrorReport {
    ErrorReport::of(&WorkerError::Unheard { source })
}

/// Locks a mutex whose content stays meaningful when a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
