//! The host's services as an engine sees them.
use crate::failure::HostError;
use dbbackup_plugin_api::{
    document::{
        Doc,
        connection::{CONNECTION_SECRET, ConnectionDocument},
        undo::UndoRecord,
    },
    error::{AbiResult, EngineError, ErrorCode},
    host::HostBox,
};
use serde::Serialize;
use std::{path::PathBuf, time::Duration};
use zeroize::Zeroizing;

/// Services of the host; cheap to clone, usable from every thread.
#[derive(Clone)]
pub struct Host(HostBox);

impl Host {
    pub(crate) fn new(services: HostBox) -> Self {
        Self(services)
    }

    /// Reports progress of a phase. `total` 0 means unknown.
    pub fn progress(&self, phase: &str, done: u64, total: u64, unit: Unit) {
        self.0.progress(phase.into(), done, total, unit.name().into());
    }

    /// Says that the engine is alive although nothing flows; the host ends an engine that is silent
    /// for its stall timeout.
    pub fn heartbeat(&self) {
        self.0.heartbeat();
    }

    /// True once the run is cancelled; an engine returns within two seconds then.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits for at most `limit`; true if the run is cancelled.
    pub fn wait_cancelled(&self, limit: Duration) -> bool {
        self.0.wait_cancelled(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
    }

    /// A directory of this run, mode 0700, removed by the host.
    ///
    /// # Errors
    /// [`HostError`] if it cannot be made.
    pub fn scratch_directory(&self) -> Result<PathBuf, HostError> {
        unwrap(self.0.scratch_directory()).map(|path| PathBuf::from(path.into_string()))
    }

    /// A secret by its name, such as
    /// [`PASSWORD_SECRET`](dbbackup_plugin_api::document::connection::PASSWORD_SECRET); none if it
    /// was not given. Wiped when dropped.
    ///
    /// # Errors
    /// [`HostError`] if the secret exists but cannot be read.
    pub fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, HostError> {
        let secret = unwrap(self.0.secret(name.into()))?.into_option();
        Ok(secret.map(|bytes| Zeroizing::new(bytes.into_vec())))
    }

    /// The connection that the account's password belongs to, for roles whose request names no server:
    /// an undo that must ask one. None if the host knows no connection.
    ///
    /// # Errors
    /// [`HostError`] if the host's answer cannot be read.
    pub fn connection(&self) -> Result<Option<ConnectionDocument>, HostError> {
        let Some(document) = self.secret(CONNECTION_SECRET)? else { return Ok(None) };
        let decoded = serde_json::from_slice(&document);
        decoded
            .map(Some)
            .map_err(|error| HostError::new(EngineError::from_error(ErrorCode::INTERNAL, &error)))
    }

    /// Records a side effect that outlives the process, **before** it happens. Durable when this
    /// returns; after a crash the record goes to the engine's undo role.
    ///
    /// # Errors
    /// [`HostError`] if the journal cannot be written, or the record has no facts (a path that is
    /// no UTF-8 cannot be recorded): the side effect must not happen then.
    pub fn journal(&self, record: &UndoRecord) -> Result<JournalEntry, HostError> {
        if record.facts.is_null() {
            let what = format!("the undo record of {} has no facts to undo it by", record.summary);
            return Err(HostError::new(EngineError::new(ErrorCode::INTERNAL, what)));
        }
        let document = Doc::encode(record).map_err(|error| {
            HostError::new(EngineError::from_error(ErrorCode::INTERNAL, &error))
        })?;
        let number = unwrap(self.0.journal_record(document))?;
        Ok(JournalEntry { host: self.clone(), number })
    }

    /// True if a log event of this level and target would be written.
    pub(crate) fn log_enabled(&self, level: u8, target: &str) -> bool {
        self.0.log_enabled(level, target.into())
    }

    /// Writes a log event.
    pub(crate) fn log(&self, level: u8, target: &str, message: &str, fields_json: &str) {
        self.0.log(level, target.into(), message.into(), fields_json.into());
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Host")
    }
}

/// A journalled side effect. Dropped without [`done`](JournalEntry::done), the record stays and
/// `dbbackup cleanup` undoes it.
#[derive(Debug)]
#[must_use = "a record that is never ticked off is undone by the next run"]
pub struct JournalEntry {
    host: Host,
    number: u64,
}

impl JournalEntry {
    /// Ticks the record off, after its side effect was undone.
    ///
    /// # Errors
    /// [`HostError`] if the journal cannot be written; the record stays, which is harmless.
    pub fn done(self) -> Result<(), HostError> {
        unwrap(self.host.0.journal_done(self.number))
    }
}

/// A record of a side effect, for [`Host::journal`]; `facts` are what the engine's undo role needs.
///
/// # Errors
/// [`HostError`] if the facts cannot be written down, such as a path that is no UTF-8.
pub fn undo_record(
    kind: &str,
    summary: String,
    facts: &impl Serialize,
) -> Result<UndoRecord, HostError> {
    let facts = serde_json::to_value(facts).map_err(|error| {
        let what = format!("cannot note down how to undo {summary}: {error}");
        HostError::new(EngineError::new(ErrorCode::PRECONDITION, what))
    })?;
    Ok(UndoRecord { kind: kind.to_owned(), summary, facts, extra: Default::default() })
}

/// What progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Rows of tables.
    Rows,
    /// InnoDB pages.
    Pages,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Rows => "rows",
            Self::Pages => "pages",
        }
    }
}

/// The host's answer as a Rust result.
pub(crate) fn unwrap<T>(answer: AbiResult<T>) -> Result<T, HostError> {
    answer.into_result().map_err(HostError::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Classify as _;
    use dbbackup_plugin_api::host::silent_host;
    use serde_json::{Value, json};
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

    fn record_of(facts: &impl Serialize) -> Result<UndoRecord, HostError> {
        undo_record("acme-snapshot", "snapshot acme/db@b1".to_owned(), facts)
    }

    /// The host here answers every record with `UNSUPPORTED`, which tells whether it was asked.
    fn refusal_of(facts: &Value) -> HostError {
        Host::new(silent_host()).journal(&record_of(facts).unwrap()).unwrap_err()
    }

    #[test]
    fn facts_that_cannot_be_written_down_are_an_error_that_names_the_side_effect() {
        let path = Path::new(OsStr::from_bytes(b"/srv/\xff"));
        let refused = record_of(&path).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::PRECONDITION);
        assert!(refused.to_string().contains("undo snapshot acme/db@b1"), "{refused}");
    }

    #[test]
    fn a_record_without_facts_is_refused_before_the_host_writes_it() {
        assert_eq!(refusal_of(&json!({"name": "acme/db@b1"})).code(), ErrorCode::UNSUPPORTED);
        let refused = refusal_of(&Value::Null);
        assert_eq!(refused.code(), ErrorCode::INTERNAL);
        assert!(refused.to_string().contains("snapshot acme/db@b1 has no facts"), "{refused}");
    }
}
