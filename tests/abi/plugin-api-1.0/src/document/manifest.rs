//! The backup manifest: the commit record of one backup. Bytes without it are not a backup.
use super::{
    Extra, document,
    entry::{EntryKind, PageCheck},
    path::EntryPath,
};
use crate::position::{BinlogCoordinates, GtidSet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is known about one backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`Manifest::SCHEMA`](super::Document::SCHEMA).
    pub schema: String,
    /// Id of the backup.
    pub id: String,
    /// `complete` or `degraded`.
    pub state: BackupState,
    /// Promises that do not hold, a clause each.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// The program that wrote it.
    pub tool: ToolRecord,
    /// The engine that made it, and why.
    pub engine: EngineRecord,
    /// The server that it came from.
    pub source: SourceRecord,
    /// Original path of each root (`data` -> `/var/lib/mysql`).
    #[serde(default)]
    pub roots: BTreeMap<String, String>,
    /// When things happened.
    pub times: TimesRecord,
    /// Position in the server's history.
    pub coordinates: CoordinatesRecord,
    /// On a replica, the positions of its sources.
    #[serde(default)]
    pub replica_sources: Vec<ReplicaSourceRecord>,
    /// Server locks taken.
    #[serde(default)]
    pub locks: Vec<LockRecord>,
    /// Content left out, and why.
    #[serde(default)]
    pub excluded: Vec<ExcludedRecord>,
    /// What a restore needs, a clause each.
    #[serde(default)]
    pub restore_needs: Vec<String>,
    /// How the bytes are written: container, compression, encryption.
    pub encoding: EncodingRecord,
    /// The objects that make up the artefact, in their order.
    pub objects: Vec<ObjectRecord>,
    /// Every member of the artefact, in its order.
    pub files: Vec<FileRecord>,
    /// Sums of the page check.
    #[serde(default)]
    pub pages: PagesRecord,
    /// Fields of later versions and of engines.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(Manifest, "dbbackup.manifest/1");

/// What a manifest promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// Every promise holds.
    Complete,
    /// Restorable, with the named promises weaker.
    Degraded,
}

/// The program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRecord {
    /// `dbbackup`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Version of the plugin contract.
    pub api: String,
}

/// The engine and its choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// Engine id.
    pub id: String,
    /// Engine family.
    pub family: String,
    /// Plugin id.
    pub plugin: String,
    /// Plugin version.
    pub plugin_version: String,
    /// sha256 of the plugin's file.
    pub plugin_sha256: String,
    /// Why it was chosen.
    pub reason: String,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// `MySQL`, `MariaDB`, `Percona`.
    pub flavor: String,
    /// `VERSION()`.
    pub version: String,
    /// `@@server_uuid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// `@@hostname`.
    pub hostname: String,
    /// Address used, `host:port` or the socket.
    pub address: String,
    /// Operating system and architecture of the server.
    #[serde(default)]
    pub platform: String,
    /// Facts that a restore checks: `innodb_page_size`, `lower_case_table_names`, …
    #[serde(flatten)]
    pub facts: Extra,
}

/// When things happened, UTC, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimesRecord {
    /// Start of the run.
    pub started: String,
    /// Instant at which the content was true, if the engine knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent: Option<String>,
    /// End of the run.
    pub ended: String,
}

/// How exact the coordinates are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// The content is exactly that of this position.
    Exact,
    /// The content lies between the two positions.
    Bracket,
    /// Unknown: no binlog, or not asked.
    #[default]
    None,
}

/// Position of the content in the server's history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CoordinatesRecord {
    /// How exact it is.
    #[serde(default)]
    pub precision: Precision,
    /// Position in the binlog; the lower one of a bracket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog: Option<BinlogCoordinates>,
    /// Executed transactions at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<GtidSet>,
    /// Upper position of a bracket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog_upper: Option<BinlogCoordinates>,
    /// Executed transactions at the upper position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid_upper: Option<GtidSet>,
    /// Redo position, if the engine knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<u64>,
}

/// One channel of a replica, in the coordinates of its source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplicaSourceRecord {
    /// Channel name; empty for the default one.
    pub channel: String,
    /// Address of the source, `host:port`.
    pub source: String,
    /// Position in the source's binlog up to which the replica has applied. With several applier
    /// threads and without GTIDs it is the lowest position that all of them have reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog: Option<BinlogCoordinates>,
    /// GTID position of the applier; MySQL has one set for all channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<GtidSet>,
    /// Position in the source's binlog up to which the replica has received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<BinlogCoordinates>,
    /// Position of the applier in the replica's own relay log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<BinlogCoordinates>,
    /// The source is followed by GTIDs, not by file and position.
    #[serde(default)]
    pub by_gtid: bool,
    /// The connection to the source is encrypted.
    #[serde(default)]
    pub tls: bool,
    /// What the thread does that receives.
    #[serde(default)]
    pub receiver: ReplicaThread,
    /// What the threads do that apply.
    #[serde(default)]
    pub applier: ReplicaThread,
    /// Seconds that the applier is behind, as the replica says; unknown while a thread is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_behind: Option<u64>,
    /// Seconds that the applier is told to stay behind.
    #[serde(default)]
    pub delay_seconds: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a thread of a replica does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaThread {
    /// It runs.
    Running,
    /// It runs, and has no connection to the source.
    Connecting,
    /// It does not run.
    Stopped,
    /// The server did not say.
    #[default]
    Unknown,
}

/// One server lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRecord {
    /// Statement that took it.
    pub statement: String,
    /// Time waited for it, milliseconds.
    pub waited_ms: u64,
    /// Time held, milliseconds.
    pub held_ms: u64,
    /// True if commits had to wait while it was held.
    pub blocks_commits: bool,
}

/// Content that is not in the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcludedRecord {
    /// Schema, table or kind of object.
    pub what: String,
    /// Why it is left out.
    pub why: String,
}

/// How the bytes are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodingRecord {
    /// `tar`, `sql` or `directory`.
    pub container: String,
    /// `gzip`, `zstd` or `none`.
    pub compression: String,
    /// `age` or `none`.
    pub encryption: String,
    /// Public keys that can read it.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// One object of the artefact; several are joined in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Name beside the manifest.
    pub name: String,
    /// Size.
    pub size_bytes: u64,
    /// sha256 of all its bytes, hexadecimal.
    pub sha256: String,
    /// Checksum of all its bytes that a store has confirmed: algorithm, `:`, value in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// One member of the artefact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// What it is.
    pub kind: EntryKind,
    /// Name in the artefact: root, `/`, path. Absent for the pieces of a `.sql`.
    pub path: EntryPath,
    /// Bytes of content.
    pub size_bytes: u64,
    /// sha256 of the content, hexadecimal; empty for a directory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Numeric owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Numeric group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// The stream entry that this member is a piece of, and its number from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub piece: Option<PieceRecord>,
    /// Where it starts, for reading it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seek: Option<SeekRecord>,
    /// How its pages may be checked.
    #[serde(default, skip_serializing_if = "PageCheck::is_none")]
    pub page_check: PageCheck,
    /// Result of its page check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PagesRecord>,
}

/// A member that holds a part of a stream entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceRecord {
    /// Name of the stream entry: root, `/`, path.
    pub of: EntryPath,
    /// Number of the piece, from 1.
    pub number: u32,
}

/// Where a member's header starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeekRecord {
    /// Offset of the compressed block in the artefact (before encryption).
    pub block_offset: u64,
    /// Offset of the member inside the decompressed block.
    pub offset_in_block: u64,
}

/// Sums of a page check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagesRecord {
    /// Pages looked at.
    pub checked: u64,
    /// Pages that cannot be checked: no checksum, or encrypted.
    pub unchecked: u64,
    /// Pages found bad.
    pub bad: u64,
}
