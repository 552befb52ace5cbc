//! The end of a backup whose copy is whole: its snapshot goes, or stays for the cleanup.

use dbbackup_plugin_api::document::backup::BackupSummary;

use crate::{
    failure::{Classify, HostError, shown},
    host::JournalEntry,
};

/// Ticks the record of a snapshot off once it is gone. One that stays makes the backup a degraded
/// one: the artefact is good, but the machine is not as it was, and somebody should know. The record
/// stays too, so that the host tries again at once, and `dbbackup cleanup` after it.
///
/// # Errors
/// [`HostError`]: the journal cannot be written.
pub fn finish<E: Classify>(
    destroyed: Result<(), E>,
    undo: JournalEntry,
    summary: &mut BackupSummary,
) -> Result<(), HostError> {
    match destroyed {
        Ok(()) => undo.done(),
        Err(error) => {
            let text = format!("the snapshot stays for now: {}", shown(&error));
            tracing::warn!("{text}");
            let hint = error.hint().map(|hint| format!(" ({hint})"));
            summary.degraded.push(format!("{text}{}", hint.unwrap_or_default()));
            Ok(())
        }
    }
}
