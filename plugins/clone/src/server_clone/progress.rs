//! The statement that clones, run in one session while another one watches it.

use std::{thread, time::Duration};

use dbbackup_sdk::{
    Host, Unit,
    server::{Session, SessionError},
    wire::Secret,
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
    let mut watcher = session.connect_another()?;
    let id = session.id();
    thread::scope(|scope| {
        let cloning = scope.spawn(|| session.execute(statement.expose()));
        let mut cancelled = false;
        while !cloning.is_finished() {
            if host.wait_cancelled(INTERVAL) && !cancelled {
                watcher.kill_query(id)?;
                cancelled = true;
            }
            if cancelled {
                continue;
            }
            host.heartbeat();
            report(&mut watcher, host)?;
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
