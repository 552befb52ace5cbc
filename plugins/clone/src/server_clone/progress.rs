//! The statement that clones, run in one session while another one watches it.

use std::{thread, time::Duration};

use dbbackup_sdk::{
    Host, Unit,
    server::{Session, SessionError},
    wire::{ConnectOptions, Secret},
};

use crate::server_clone::MethodError;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
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
    let another = session.connect_another()?;
    let mut watcher = Watcher { options: another.options().clone(), session: Some(another) };
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
            } else {
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

/// The session that watches. One that fails is made anew: nothing of this may end the watch, since
/// the statement goes on, and the host would hear of nobody.
struct Watcher {
    options: ConnectOptions,
    session: Option<Session>,
}

impl Watcher {
    fn ask(&mut self, what: &str, ask: impl FnOnce(&mut Session) -> Result<(), MethodError>) {
        if let Err(error) = self.try_ask(ask) {
            tracing::warn!(%error, "{what}: tried again");
            self.session = None;
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
