//! Entries: the pieces of which a backup is made.
use super::{Extra, document, path::EntryPath};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A directory; no bytes follow.
    Directory,
    /// A file of a known size, restored as a file by the host.
    File,
    /// Bytes of unknown length (SQL), handed back to the engine's restore role.
    Stream,
}

/// How the InnoDB pages of a file may be checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageCheck {
    /// Every page must be good now.
    Strict,
    /// A crash-consistent copy: pages that the doublewrite area repairs may be torn.
    Doublewrite,
    /// Good only after patches are applied at restore.
    AfterApply,
    /// Not a tablespace.
    #[default]
    None,
}

impl PageCheck {
    /// True for a file whose pages are not checked.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// One entry, as it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryMeta {
    /// What it is.
    pub kind: EntryKind,
    /// Root that the path is relative to: `data`, `redo`, `undo`, `external/1`, `dump` …
    pub root: String,
    /// Path below the root.
    pub path: EntryPath,
    /// Exact size of a file; absent for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Numeric owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Numeric group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Time of last change, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_unix: Option<u64>,
    /// How pages may be checked.
    #[serde(default)]
    pub pages: PageCheck,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(EntryMeta, "dbbackup.entry/1");

impl EntryMeta {
    /// An entry with nothing known but its place; size, mode, owner and time of a local file are
    /// taken from the file.
    pub fn new(kind: EntryKind, root: impl Into<String>, path: EntryPath) -> Self {
        Self {
            kind,
            root: root.into(),
            path,
            size_bytes: None,
            mode: None,
            uid: None,
            gid: None,
            modified_unix: None,
            pages: PageCheck::None,
            extra: Extra::new(),
        }
    }
}

/// Files that the host reads itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalEntries {
    /// In the order in which they go into the artefact.
    pub entries: Vec<LocalEntry>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(LocalEntries, "dbbackup.local-entries/1");

/// A file of this machine and the entry that it becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalEntry {
    /// The entry; size, mode, owner and time are taken from the file where absent.
    pub meta: EntryMeta,
    /// Where the bytes are.
    pub source: PathBuf,
}

/// What a sink takes at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkLimits {
    /// Stream entries that may be open at once.
    pub open_streams: u32,
    /// File entries that may be open at once.
    pub open_files: u32,
    /// Size of chunks that flow best.
    pub chunk_bytes: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(SinkLimits, "dbbackup.sink-limits/1");
