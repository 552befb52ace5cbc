//! The undo journal as engines see it. Records hold documents, never commands.
use super::{Extra, document};
use serde::{Deserialize, Serialize};

/// A side effect that outlives the process, recorded before it happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoRecord {
    /// What it is, in the engine's own words: `zfs-snapshot`, `mount`, `multipart-upload` …
    pub kind: String,
    /// One line for the operator.
    pub summary: String,
    /// What the engine needs to undo it.
    pub facts: serde_json::Value,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(UndoRecord, "dbbackup.undo-record/1");

/// A record handed back to the engine that wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoRequest {
    /// The record.
    pub record: UndoRecord,
    /// True if nothing may be changed: say what would be done.
    pub dry_run: bool,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(UndoRequest, "dbbackup.undo-request/1");

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoOutcome {
    /// True if the side effect is gone (also if it was gone before).
    pub undone: bool,
    /// One line for the operator.
    pub summary: String,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(UndoOutcome, "dbbackup.undo-outcome/1");
