//! Positions in a server's history: binlog coordinates and GTID sets, with one canonical text each.
//!
//! MySQL's and MariaDB's GTIDs are two types: a MySQL set holds every executed transaction, a
//! MariaDB position holds the last one of each domain.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

mod mariadb;
mod mysql;

pub use mariadb::{MariadbGtid, MariadbGtidPosition};
pub use mysql::{GtidSource, MysqlGtidSet};

/// A text that is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {expected}")]
pub struct PositionError {
    /// The text.
    pub text: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl PositionError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

/// A binlog file and the byte offset of an event's start in it. Text form: `binlog.000002:157`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BinlogCoordinates {
    /// File name without a directory.
    pub file: String,
    /// Byte offset.
    pub position: u64,
}

impl BinlogCoordinates {
    /// Number at the end of the file name: files are ordered by it, never by name or time.
    pub fn sequence(&self) -> Option<u64> {
        self.file.rsplit_once('.')?.1.parse().ok()
    }
}

impl fmt::Display for BinlogCoordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.position)
    }
}

impl FromStr for BinlogCoordinates {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        text.rsplit_once(':')
            .filter(|(file, _)| !file.is_empty() && !file.contains('/'))
            .and_then(|(file, position)| {
                Some(Self { file: file.to_owned(), position: position.parse().ok()? })
            })
            .ok_or_else(|| PositionError::new(text, "pair of binlog file and position"))
    }
}

/// Executed transactions in the dialect of the server that reported them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GtidSet {
    /// MySQL's `gtid_executed`.
    Mysql(MysqlGtidSet),
    /// MariaDB's `gtid_binlog_pos`.
    Mariadb(MariadbGtidPosition),
}

impl GtidSet {
    /// True if no transaction is in it.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Mysql(set) => set.is_empty(),
            Self::Mariadb(position) => position.is_empty(),
        }
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql(set) => set.fmt(f),
            Self::Mariadb(position) => position.fmt(f),
        }
    }
}

impl FromStr for GtidSet {
    type Err = PositionError;

    /// The dialect is told by the text: MySQL's has colons, MariaDB's has none. Empty is MySQL's.
    fn from_str(text: &str) -> Result<Self, PositionError> {
        if text.trim().is_empty() || text.contains(':') {
            text.parse().map(Self::Mysql)
        } else {
            text.parse().map(Self::Mariadb)
        }
    }
}

/// Serialises types by their canonical text.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}
as_text!(BinlogCoordinates, GtidSet, MysqlGtidSet, MariadbGtidPosition);
