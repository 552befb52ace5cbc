//! What a killed run leaves on the donor: connections that are cut without a farewell. The donor waits
//! minutes for their owner to come back, and with `--clone-ddl block` no DDL goes through meanwhile. So
//! the journal knows of them before they are made, and whoever undoes ends them.

use dbbackup_sdk::{
    BackupRun, Failure, Host, JournalEntry,
    document::undo::{UndoOutcome, UndoRecord},
    serde_json,
    server::{Session, SessionError},
    undo_record,
};
use serde::{Deserialize, Serialize};

use crate::{error::CloneError, protocol::observer::Observer, server_clone, source::told};

/// Kind of the journal's records.
pub(crate) const RECORD_KIND: &str = "clone-connections";
/// The connection attribute that tells the connections of one run from all others.
const ATTRIBUTE: &str = "dbbackup_backup";
/// Where the server tells the attributes of all sessions, and where those of the own account alone,
/// which needs no privilege.
const ALL_SESSIONS: &str = "performance_schema.session_connect_attrs";
const OWN_SESSIONS: &str = "performance_schema.session_account_connect_attrs";

/// What the journal knows.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    server_uuid: String,
    backup_id: String,
}

/// Notes the connections of a run down.
///
/// # Errors
/// The donor does not tell its identity, or the host takes no record.
pub(super) fn note(run: &BackupRun, observer: &mut Observer) -> Result<JournalEntry, CloneError> {
    let server_uuid = observer.ask(|session| Ok(told(session, "server_uuid")?))?;
    let backup_id = run.request.backup_id.clone();
    let summary = format!("connections of the clone {backup_id}");
    let facts = Facts { server_uuid, backup_id };
    Ok(run.host.journal(&undo_record(RECORD_KIND, summary, &facts)?)?)
}

/// The attribute of a run's connections.
pub(super) fn attribute(run: &BackupRun) -> (String, String) {
    (ATTRIBUTE.to_owned(), run.request.backup_id.clone())
}

/// Ends the connections that a killed run has left on the donor. A donor that cannot be asked gives
/// the clone up by itself, which the outcome says.
///
/// # Errors
/// A [`Failure`] if the record is not one of ours, or the donor does not end them.
pub(crate) fn undo(
    record: &UndoRecord,
    dry_run: bool,
    host: &Host,
) -> Result<UndoOutcome, Failure> {
    let facts = Facts::deserialize(&record.facts).map_err(|error| server_clone::foreign(&error))?;
    if dry_run {
        let summary = format!("would end the connections of the clone {}", facts.backup_id);
        return Ok(outcome(false, summary));
    }
    let mut session = match server_clone::connect(host, &facts.server_uuid) {
        Ok(session) => session,
        Err(why) => {
            let summary = format!(
                "the clone {} is left to its donor, which gives up after its \
                 clone_donor_timeout_after_network_failure: {why}",
                facts.backup_id
            );
            tracing::warn!("{summary}");
            return Ok(outcome(true, summary));
        }
    };
    let ids = connections(&mut session, &facts.backup_id).map_err(CloneError::from)?;
    for id in &ids {
        tracing::info!(session = id, "end a connection of a clone whose run is gone");
        session.kill_session(*id).map_err(CloneError::from)?;
    }
    let summary = match ids.len() {
        0 => format!("the clone {} was given up already", facts.backup_id),
        count => format!("ended {count} connections of the clone {}", facts.backup_id),
    };
    Ok(outcome(true, summary))
}

/// The server's numbers of the connections with a run's attribute.
fn connections(session: &mut Session, backup_id: &str) -> Result<Vec<u32>, SessionError> {
    match connections_in(session, ALL_SESSIONS, backup_id) {
        Err(error) if error.is_denied() => connections_in(session, OWN_SESSIONS, backup_id),
        outcome => outcome,
    }
}

fn connections_in(
    session: &mut Session,
    table: &str,
    backup_id: &str,
) -> Result<Vec<u32>, SessionError> {
    let sql = format!(
        "SELECT PROCESSLIST_ID AS id, ATTR_VALUE AS backup FROM {table} \
         WHERE ATTR_NAME = '{ATTRIBUTE}'"
    );
    let mut ids = Vec::new();
    for record in session.query(sql.as_str())?.records() {
        if record.text("backup")? == backup_id {
            let id = record.number("id")?;
            ids.push(u32::try_from(id).map_err(|_| SessionError::Answer {
                statement: sql.clone(),
                what: format!("the number of a session in {id}"),
            })?);
        }
    }
    Ok(ids)
}

fn outcome(undone: bool, summary: String) -> UndoOutcome {
    UndoOutcome { undone, summary, extra: serde_json::Map::new() }
}
