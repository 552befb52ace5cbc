//! Options of the engine; the schema in `plugin.json` describes the same.

use crate::pattern::Pattern;
use serde::Deserialize;

/// Size after which an `INSERT` ends: what `mysqldump` calls `net_buffer_length`, with its value.
const DEFAULT_INSERT_BYTES: u64 = 1024 * 1024;
/// Bounds of that size: a statement fits into every server's default `max_allowed_packet`.
const INSERT_BYTES: std::ops::RangeInclusive<u64> = 4096..=16 * 1024 * 1024;
/// Bytes of rows after which a restore commits.
const DEFAULT_COMMIT_BYTES: u64 = 8 * 1024 * 1024;

/// Options for backup and restore.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Schemas to dump, as patterns; all if empty.
    pub(crate) databases: Vec<String>,
    /// Schemas (`logs`) and tables (`shop.tmp_*`) to leave out, as patterns.
    pub(crate) exclude: Vec<String>,
    /// What becomes of `DEFINER` clauses.
    pub(crate) definers: Definers,
    /// Size after which an `INSERT` ends.
    pub(crate) insert_bytes: u64,
    /// Whether other sessions' DDL waits for the dump.
    pub(crate) block_ddl: BlockDdl,
    /// Restore: whether the restored rows go into the target's binlog.
    pub(crate) binlog: bool,
    /// Restore: whether the target takes over the GTIDs of the backup.
    pub(crate) gtid: GtidChoice,
    /// Restore: bytes of rows after which it commits.
    pub(crate) commit_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            databases: Vec::new(),
            exclude: Vec::new(),
            definers: Definers::default(),
            insert_bytes: DEFAULT_INSERT_BYTES,
            block_ddl: BlockDdl::default(),
            binlog: true,
            gtid: GtidChoice::default(),
            commit_bytes: DEFAULT_COMMIT_BYTES,
        }
    }
}

impl Options {
    /// The patterns of `databases`.
    pub(crate) fn database_patterns(&self) -> Vec<Pattern> {
        self.databases.iter().map(|text| Pattern::parse(text)).collect()
    }

    /// The patterns of `exclude`.
    pub(crate) fn exclude_patterns(&self) -> Vec<Pattern> {
        self.exclude.iter().map(|text| Pattern::parse(text)).collect()
    }

    /// Refuses values that contradict each other or are out of bounds.
    pub(crate) fn check(self) -> Result<Self, OptionsError> {
        if !INSERT_BYTES.contains(&self.insert_bytes) {
            return Err(OptionsError::InsertBytes { bytes: self.insert_bytes });
        }
        for text in &self.databases {
            if !Pattern::parse(text).is_whole_schema() {
                return Err(OptionsError::DatabasePattern(text.clone()));
            }
        }
        Ok(self)
    }
}

/// Options that cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    /// Out of bounds.
    #[error("insert_bytes is {bytes}, outside {} to {}", INSERT_BYTES.start(), INSERT_BYTES.end())]
    InsertBytes {
        /// The value.
        bytes: u64,
    },
    /// A table where a schema is expected.
    #[error("databases takes schemas, and {0:?} names a table")]
    DatabasePattern(String),
}

/// What becomes of `DEFINER` clauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Definers {
    /// They stay: the accounts are needed where the dump is restored.
    #[default]
    Keep,
    /// They go: whoever restores becomes the definer.
    Strip,
}

/// Whether DDL of other sessions waits until the dump is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BlockDdl {
    /// `LOCK INSTANCE FOR BACKUP` where the server has it and the account may. DDL then waits
    /// without keeping anything else waiting, whereas an `ALTER` that waits for the table being
    /// read stalls all later statements on that table.
    #[default]
    Auto,
    /// Always, also MariaDB's `BACKUP STAGE BLOCK_DDL`; an error where that cannot be.
    On,
    /// Never: DDL on a table that is still to be read ends the dump.
    Off,
}

/// Whether a restore takes over the GTIDs of the backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GtidChoice {
    /// The target keeps its own.
    #[default]
    Keep,
    /// The target becomes a replica's start: `GTID_PURGED`, or `gtid_slave_pos` on MariaDB.
    Set,
}

#[cfg(test)]
mod tests;
