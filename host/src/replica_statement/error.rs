//! Why a backup cannot tell how to attach a server restored from it.
use crate::exit::{Classified, Exit};

/// No statement can be made.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaStatementError {
    /// The source had no binlog, or the engine did not read its position.
    #[error("backup {id} holds no position in the binlog of its source")]
    NoPosition {
        /// The backup.
        id: String,
    },
    /// A replica of the source would miss what that applies.
    #[error(
        "the source of backup {id} is a replica that does not write what it applies into its binlog"
    )]
    Unlogged {
        /// The backup.
        id: String,
    },
    /// Only an exact position of the binlog will do, and this is a range.
    #[error("backup {id} lies somewhere behind {binlog}, and its source does not use GTIDs")]
    Inexact {
        /// The backup.
        id: String,
        /// Lower end of the range.
        binlog: String,
    },
    /// The applier went on between the reading of its position and the instant of the content.
    #[error(
        "backup {id} lies somewhere behind {binlog} of {address}, and channel {channel:?} follows it \
         without GTIDs"
    )]
    InexactChannel {
        /// The backup.
        id: String,
        /// The channel; empty for the default one.
        channel: String,
        /// The source's address.
        address: String,
        /// What was read.
        binlog: String,
    },
    /// The source's address cannot be read.
    #[error("{address:?} is no host and port")]
    Address {
        /// What the manifest says.
        address: String,
    },
}

impl Classified for ReplicaStatementError {
    fn exit(&self) -> Exit {
        Exit::Precondition
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoPosition { .. } => {
                "a server without a binlog (log_bin) has no replicas; turn it on and back up again"
            }
            Self::Unlogged { .. } => {
                "set log_replica_updates (log_slave_updates) on it and back up again, or attach the \
                 restored server to the replica's own sources"
            }
            Self::Inexact { .. } => {
                "dbbackup verify --level boot tells the exact position, and keeps it beside the backup"
            }
            Self::InexactChannel { .. } => {
                "start the restored server with --skip-replica-start and, before RESET REPLICA ALL, \
                 read each channel's position from its mysql.slave_relay_log_info"
            }
            Self::Address { .. } => return None,
        };
        Some(text.to_owned())
    }

    fn code(&self) -> String {
        match self {
            Self::NoPosition { .. } => "E-REPLICA-NO-POSITION",
            Self::Unlogged { .. } => "E-REPLICA-UNLOGGED",
            Self::Inexact { .. } | Self::InexactChannel { .. } => "E-REPLICA-INEXACT",
            Self::Address { .. } => "E-REPLICA-ADDRESS",
        }
        .to_owned()
    }
}
