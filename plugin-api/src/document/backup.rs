//! A backup run: what the host asks for and what the engine reports.
use super::{
    Extra,
    connection::ConnectionDocument,
    document,
    environment::Environment,
    manifest::{CoordinatesRecord, ExcludedRecord, LockRecord, ReplicaSourceRecord},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the host asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupRequest {
    /// Id of the backup, unique.
    pub backup_id: String,
    /// The server.
    pub connection: ConnectionDocument,
    /// Facts gathered before the run.
    pub environment: Environment,
    /// Limits of server locks.
    pub lock_budget: LockBudgetDocument,
    /// Weaker promises that the operator accepts by name (`non-transactional`, …).
    #[serde(default)]
    pub accept_degraded: Vec<String>,
    /// On a replica, how far the applier may be behind its source, milliseconds, beyond the delay
    /// that it was told to keep; any distance if there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replica_lag_ms: Option<u64>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(BackupRequest, "dbbackup.backup-request/1");

/// How long a server lock may be waited for and held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockBudgetDocument {
    /// Longest wait for the lock, milliseconds.
    pub wait_ms: u64,
    /// Longest time it is held, milliseconds.
    pub hold_ms: u64,
}

/// What the engine reports after all entries are finished.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// Position of the content in the server's history.
    pub coordinates: CoordinatesRecord,
    /// On a replica, the positions of its sources.
    #[serde(default)]
    pub replica_sources: Vec<ReplicaSourceRecord>,
    /// Instant at which the content was true, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistent_at: Option<String>,
    /// Server locks taken.
    #[serde(default)]
    pub locks: Vec<LockRecord>,
    /// Content left out, and why.
    #[serde(default)]
    pub excluded: Vec<ExcludedRecord>,
    /// Promises that this backup does not keep, a clause each; the run ends with exit code 10.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// What a restore needs, a clause each.
    #[serde(default)]
    pub restore_needs: Vec<String>,
    /// Original path of each root; where it is not empty, it stands for what the host found out.
    #[serde(default)]
    pub roots: BTreeMap<String, String>,
    /// Facts for the manifest's `source`, such as `innodb_page_size`.
    #[serde(default)]
    pub source: Extra,
    /// Fields of later versions and of the engine's own.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(BackupSummary, "dbbackup.backup-summary/1");
