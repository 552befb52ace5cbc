//! `clone.json`: everything that a restore must know beyond the bytes.

use std::collections::BTreeMap;

use dbbackup_sdk::plugin_api::document::path::EntryPath;
use serde::{Deserialize, Serialize};

/// The clone's flag of files whose pages are encrypted.
const ENCRYPTED: u16 = 4;
/// Schema of the document.
const SCHEMA: &str = "dbbackup.clone/1";

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CloneDocument {
    /// Always `dbbackup.clone/1`.
    pub(crate) schema: String,
    /// Version of the clone protocol that was agreed on, such as 0x0103.
    pub(crate) protocol_version: u32,
    /// Version of InnoDB's descriptors, such as 100.
    pub(crate) descriptor_version: u32,
    /// `innodb_page_size`.
    pub(crate) page_size_bytes: u32,
    /// Pages of some file are encrypted; the keys are wrapped with a master key of the source.
    pub(crate) encrypted: bool,
    /// DDL waited during the clone; without it, `changes` may hold something.
    pub(crate) ddl_blocked: bool,
    /// Where the bytes of the files are.
    pub(crate) layout: Layout,
    /// What the donor says of itself.
    pub(crate) donor: Donor,
    /// Every data file, by its index.
    pub(crate) files: Vec<ClonedFile>,
    /// What DDL changed during the clone, in the donor's order.
    pub(crate) changes: Vec<Change>,
    /// The files of the redo log.
    pub(crate) redo: Vec<RedoFile>,
    /// Every stream of records, in the order in which they are applied.
    pub(crate) streams: Vec<StreamCount>,
}

impl CloneDocument {
    /// Reads the document.
    ///
    /// # Errors
    /// [`DocumentError`]: of another schema, or not readable.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        /// The part that says what the rest is.
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(DocumentError::Unreadable)?;
        if head.schema != SCHEMA {
            return Err(DocumentError::Schema { schema: head.schema });
        }
        serde_json::from_slice(bytes).map_err(DocumentError::Unreadable)
    }

    /// The bytes of the document.
    ///
    /// # Errors
    /// [`DocumentError::Unreadable`] if a value cannot be written, which none of ours can cause.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, DocumentError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(DocumentError::Unreadable)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The schema that documents of this version carry.
    pub(crate) fn schema() -> String {
        SCHEMA.to_owned()
    }
}

/// Why `clone.json` is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// Another version.
    #[error("clone.json has schema {schema:?}, and this version reads {SCHEMA}")]
    Schema {
        /// The schema that it has.
        schema: String,
    },
    /// No such document.
    #[error("clone.json")]
    Unreadable(#[source] serde_json::Error),
}

/// Where the bytes of the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Layout {
    /// In members of their own, whole.
    Files,
    /// In streams of chunks; the members of the files are empty.
    Chunks,
}

/// What the donor says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Donor {
    /// Settings that a recipient compares: `version`, `version_compile_os`, `innodb_page_size` …
    pub(crate) configs: BTreeMap<String, String>,
    /// Active plugins.
    pub(crate) plugins: Vec<DonorPlugin>,
    /// Collations that the donor knows.
    pub(crate) collations: Vec<String>,
}

/// A plugin of the donor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DonorPlugin {
    /// Its name.
    pub(crate) name: String,
    /// Its library; empty if it is built into the server.
    pub(crate) library: String,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClonedFile {
    /// The donor's number, which records use.
    pub(crate) index: u32,
    /// Tablespace id; 4294967295 for the list of the buffer pool's pages.
    pub(crate) space_id: u32,
    /// The donor's name when it was copied: `./shop/orders.ibd`, `ibdata1`, or absolute.
    pub(crate) name: EntryPath,
    /// Name in the artefact (root, `/`, path) and in the restored tree before `changes`; absent for a
    /// file that was dropped before its first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<EntryPath>,
    /// Size when it was copied.
    pub(crate) size_bytes: u64,
    /// Size at the end of the clone, where it grew; the file is extended with zeros to it.
    pub(crate) final_size_bytes: u64,
    /// The tablespace's flags.
    pub(crate) fsp_flags: u32,
    /// The clone's flags: 1 zlib, 2 lz4, 4 encrypted.
    pub(crate) flags: u16,
    /// Block size of the donor's file system, for punched holes.
    pub(crate) fs_block_bytes: u32,
    /// It was dropped while it was copied: what is missing is zeros, and the restore removes it.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// It came into being during the clone: no member, size 0; a change of kind `create` says where.
    #[serde(default)]
    pub(crate) created: bool,
}

impl ClonedFile {
    /// Its pages are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }
}

/// Something that DDL changed after the file copy had begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// What happened.
    pub(crate) kind: ChangeKind,
    /// The file.
    pub(crate) index: u32,
    /// The stage that begins after it: all changes of one stage are applied before its records.
    pub(crate) stage: Stage,
    /// Tablespace id.
    pub(crate) space_id: u32,
    /// The donor's name before, where the file was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<EntryPath>,
    /// The donor's name after; absent for a drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<EntryPath>,
    /// Place after, as root, `/`, path; absent for a drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<EntryPath>,
    /// Size that the donor states.
    pub(crate) size_bytes: u64,
    /// The tablespace's flags.
    pub(crate) fsp_flags: u32,
    /// The clone's flags: 1 zlib, 2 lz4, 4 encrypted.
    pub(crate) flags: u16,
}

/// What DDL did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChangeKind {
    /// It has another name. Names are exchanged in two steps, since the order may conflict.
    Rename,
    /// It is gone.
    Delete,
    /// It is new: its pages come as records, and the restore makes its first page.
    Create,
    /// Compression or encryption is another one.
    Attributes,
}

/// A stage of the clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "the donor's names of its stages")]
pub(crate) enum Stage {
    /// Files are copied.
    FileCopy,
    /// Pages that changed meanwhile are copied.
    PageCopy,
    /// The redo log of the meantime is copied.
    RedoCopy,
}

/// A file of the redo log: `#innodb_redo/#ib_redo<index>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RedoFile {
    /// The donor's number.
    pub(crate) index: u32,
    /// Size; what no record covers is a hole.
    pub(crate) size_bytes: u64,
}

/// A stream of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamCount {
    /// Its path below `.dbbackup`.
    pub(crate) path: String,
    /// What it holds: chunks of files, pages, or redo.
    pub(crate) stage: Stage,
    /// Number of its records.
    pub(crate) records: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
}
