//! The statement that clones, run in one session while another one watches it.

use std::{
    thread,
    time::{Duration, Instant},
};

use dbbackup_sdk::{
    Host, Unit,
    server::{Session, SessionError},
    wire::{ConnectOptions, Secret},
};

use crate::server_clone::MethodError;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// Longest wait for an answer of the watching session: heartbeat and cancellation wait as long.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for another watching session to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Pause after a look that failed; each further one is twice as long, up to the longest. A server that
/// is stuck may keep each session on which it was asked.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// What has been cloned, and what is expected.
const PROGRESS: &str = "SELECT CAST(COALESCE(SUM(DATA), 0) AS UNSIGNED) AS done, \
                        CAST(COALESCE(SUM(ESTIMATE), 0) AS UNSIGNED) AS total \
                        FROM performance_schema.clone_progress";

/// Runs the statement to its end, with progress for the operator; a cancellation ends it.
pub(super) fn watch(
    session: &mut Session,
    host: &Host,
    statement: &Secret,
    shown: &str,
) -> Result<(), MethodError> {
    let mut watcher = Watcher::beside(session)?;
    let has_progress = may_see_progress(session)?;
    let id = session.id();
    thread::scope(|scope| {
        let cloning = scope.spawn(|| session.execute(statement.expose()));
        let mut cancelled = false;
        while !cloning.is_finished() {
            cancelled = cancelled || host.wait_cancelled(INTERVAL);
            if cancelled {
                // Again each time: one that comes before the statement begins is lost.
                watcher.ask("end the clone", |session| Ok(session.kill_query(id)?));
                thread::park_timeout(INTERVAL);
            } else if has_progress && watcher.is_due() {
                watcher.ask("read the progress", |session| report(session, host));
            }
            host.heartbeat();
        }
        let ended = cloning.join().map_err(|_| MethodError::Thread)?;
        match ended {
            Ok(_) if !cancelled => Ok(()),
            Ok(_) => Err(MethodError::Cancelled),
            Err(_) if cancelled => Err(MethodError::Cancelled),
            Err(error) => Err(without_secrets(error, shown).into()),
        }
    })
}

/// Whether the account sees the progress; the clone does without.
fn may_see_progress(session: &mut Session) -> Result<bool, MethodError> {
    match session.query(PROGRESS) {
        Ok(_) => Ok(true),
        Err(error) if error.is_denied() => {
            tracing::warn!(
                "there will be no progress to see: GRANT SELECT ON performance_schema.* to the account"
            );
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// The session that watches. One that fails is made anew: nothing of this may end the watch, since
/// the statement goes on, and the host would hear of nobody.
struct Watcher {
    options: ConnectOptions,
    session: Option<Session>,
    pause: Duration,
    failed: Option<Instant>,
}

impl Watcher {
    /// Watches from another session of the same server.
    fn beside(session: &Session) -> Result<Self, MethodError> {
        let mut another = session.connect_another()?;
        another.set_timeouts(ANSWER_WITHIN, ANSWER_WITHIN)?;
        let mut options = session.options().clone();
        options.stall_budget_ms = milliseconds(ANSWER_WITHIN);
        options.connect_timeout_ms = options.connect_timeout_ms.min(milliseconds(CONNECT_WITHIN));
        Ok(Self { options, session: Some(another), pause: FIRST_PAUSE, failed: None })
    }

    /// Whether it is time for a look.
    fn is_due(&self) -> bool {
        self.failed.is_none_or(|failed| failed.elapsed() >= self.pause)
    }

    fn ask(&mut self, what: &str, ask: impl FnOnce(&mut Session) -> Result<(), MethodError>) {
        match self.try_ask(ask) {
            Ok(()) => (self.failed, self.pause) = (None, FIRST_PAUSE),
            Err(error) => {
                tracing::warn!(%error, "{what}: tried again");
                self.session = None;
                if self.failed.replace(Instant::now()).is_some() {
                    self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn try_ask(
        &mut self,
        ask: impl FnOnce(&mut Session) -> Result<(), MethodError>,
    ) -> Result<(), MethodError> {
        match &mut self.session {
            Some(session) => ask(session),
            none => ask(none.insert(Session::connect(&self.options)?)),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn report(watcher: &mut Session, host: &Host) -> Result<(), MethodError> {
    let table = watcher.query(PROGRESS)?;
    if let Some(record) = table.records().next() {
        host.progress("clone", record.number("done")?, record.number("total")?, Unit::Bytes);
    }
    Ok(())
}

/// The statement may hold a password, and errors show statements.
fn without_secrets(error: SessionError, shown: &str) -> SessionError {
    match error {
        SessionError::Statement { source, .. } => {
            SessionError::Statement { statement: shown.to_owned(), source }
        }
        other => other,
    }
}
