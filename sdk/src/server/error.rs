//! What can go wrong in a session.

use std::time::Duration;

use dbbackup_plugin_api::{error::ErrorCode, position::PositionError};

use crate::{failure::Classify, wire::WireError};

/// Failures of a [`Session`](crate::server::Session).
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The connection failed, or the server refused a statement.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A statement of ours was refused or failed.
    #[error("run {statement}")]
    Statement {
        /// The statement, shortened.
        statement: String,
        /// Why.
        source: WireError,
    },
    /// A lock was not granted, or not given back, within its budget. It is not held any more.
    #[error(
        "{statement} was {phase} for {} ms, and may be for {} ms",
        took.as_micros().div_ceil(1000), budget.as_millis()
    )]
    LockBudgetExceeded {
        /// The statement that takes the lock.
        statement: &'static str,
        /// What took too long.
        phase: LockPhase,
        /// The limit.
        budget: Duration,
        /// How long it took, until it had ended.
        took: Duration,
    },
    /// The second session, which guards a lock, cannot be opened. Nothing was locked.
    #[error("open the session that guards a lock")]
    Watchdog {
        /// Why.
        source: Box<SessionError>,
    },
    /// The server's answer lacks something that it should have.
    #[error("answer to {statement} lacks {what}")]
    Answer {
        /// The statement, shortened.
        statement: String,
        /// Column or value that is missing or cannot be read.
        what: String,
    },
    /// A result that should be short is not.
    #[error("answer to {statement} has more than {limit} rows")]
    TooManyRows {
        /// The statement, shortened.
        statement: String,
        /// Most rows that are kept.
        limit: usize,
    },
    /// A position of the server cannot be read.
    #[error("read the server's position")]
    Position(#[from] PositionError),
}

/// The two times that a lock budget bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockPhase {
    /// Until the lock is granted.
    Waiting,
    /// Until it is given back.
    Holding,
}

impl std::fmt::Display for LockPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waited for",
            Self::Holding => "held",
        })
    }
}

impl SessionError {
    /// The failure of the wire beneath, if there is one.
    #[must_use]
    pub fn wire(&self) -> Option<&WireError> {
        match self {
            Self::Wire(error) | Self::Statement { source: error, .. } => Some(error),
            Self::Watchdog { source } => source.wire(),
            _ => None,
        }
    }

    /// Whether the account may not do that.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        /// A privilege of the server, on a table, on a schema.
        const ACCESS_DENIED: [u16; 3] = [1227, 1142, 1044];
        self.server_code().is_some_and(|code| ACCESS_DENIED.contains(&code))
    }

    /// Number of the server's error, if it is one.
    #[must_use]
    pub fn server_code(&self) -> Option<u16> {
        self.wire()?.server().map(|error| error.code)
    }
}

impl Classify for SessionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::LockBudgetExceeded { .. } => ErrorCode::LOCK_BUDGET,
            Self::Answer { .. } | Self::TooManyRows { .. } | Self::Position(_) => {
                ErrorCode::SOURCE_IO
            }
            Self::Wire(_) | Self::Statement { .. } | Self::Watchdog { .. } => {
                self.wire().map_or(ErrorCode::SOURCE_IO, Classify::code)
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::LockBudgetExceeded { phase: LockPhase::Waiting, .. } => Some(String::from(
                "a long statement was in the way; try again, or allow a longer wait with \
                 --max-lock-wait",
            )),
            Self::LockBudgetExceeded { phase: LockPhase::Holding, took, .. } => {
                // Twice of what was measured: a machine is not equally fast at all times.
                let enough = (took.as_millis() * 2).next_multiple_of(100);
                Some(format!(
                    "what happens under the lock takes so long on this machine: allow it with \
                     --max-lock {enough}ms, or use an engine that takes no such lock"
                ))
            }
            _ => self.wire().and_then(Classify::hint),
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::LockBudgetExceeded { .. } => true,
            _ => self.wire().is_some_and(Classify::is_retryable),
        }
    }
}
