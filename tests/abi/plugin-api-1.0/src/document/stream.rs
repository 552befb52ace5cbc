//! Binlog streaming and replay.
use super::{Extra, connection::ConnectionDocument, document};
use crate::position::{BinlogCoordinates, GtidSet};
use serde::{Deserialize, Serialize};

/// What a stream run is to follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRequest {
    /// The server.
    pub connection: ConnectionDocument,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(StreamRequest, "dbbackup.stream-request/1");

/// A place in a server's binlogs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// Identity of the server's history.
    pub timeline: String,
    /// File and offset; none before the first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog: Option<BinlogCoordinates>,
    /// Transactions up to there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtid: Option<GtidSet>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(StreamPosition, "dbbackup.stream-position/1");

/// How a stream run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamSummary {
    /// Last durable place.
    pub position: StreamPosition,
    /// Bytes archived.
    pub bytes: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(StreamSummary, "dbbackup.stream-summary/1");

/// What is to be replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// The server that the events go into.
    pub connection: ConnectionDocument,
    /// Where the restored server stands.
    pub from: StreamPosition,
    /// Where to stop.
    pub target: RecoveryTarget,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ReplayRequest, "dbbackup.replay-request/1");

/// Where a replay stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RecoveryTarget {
    /// At the end of the archive.
    End,
    /// Before the first transaction committed after this time, RFC 3339.
    Time {
        /// The time.
        at: String,
    },
    /// Before this transaction, or after it.
    Gtid {
        /// The transaction.
        gtid: String,
        /// Apply it too.
        inclusive: bool,
    },
    /// At this place.
    Coordinates {
        /// The place.
        at: BinlogCoordinates,
    },
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReplaySummary {
    /// Where the server stands now.
    pub position: StreamPosition,
    /// Transactions applied.
    pub transactions: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ReplaySummary, "dbbackup.replay-summary/1");
