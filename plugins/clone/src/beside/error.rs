//! Why tables could not be dumped beside a clone.

use std::{io, time::Duration};

use dbbackup_sdk::{
    Classify, ErrorCode, HostError,
    dump::CopyError,
    server::{LockPhase, SessionError},
    wire::WireError,
};

/// Why tables could not be dumped beside a clone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BesideError {
    /// A session failed, or its lock took too long.
    #[error("dump the tables that are not InnoDB's")]
    Session(#[from] Box<SessionError>),
    /// The host refused something, or the run ended.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No thread for the cancellation.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// The account does not see every table, or may not lock it.
    #[error("{account} lacks {}, which --include-non-innodb needs", privileges.join(", "))]
    Privileges {
        /// The account.
        account: String,
        /// What it lacks.
        privileges: Vec<String>,
        /// The statement that gives it.
        grant: String,
    },
    /// The tables are too large for the lock that they are read under.
    #[error(
        "{count} tables that are not InnoDB's hold {} MB, which cannot be read within a lock of {} ms",
        bytes.div_ceil(1_000_000), hold.as_millis()
    )]
    TooLarge {
        /// How many.
        count: usize,
        /// Bytes of their rows.
        bytes: u64,
        /// How long they may be locked.
        hold: Duration,
        /// How long it takes on an ordinary machine.
        usual: Duration,
    },
    /// A table could not be read.
    #[error("read table {table}")]
    Table {
        /// `schema.table (engine)`.
        table: String,
        /// Why.
        source: Box<SessionError>,
    },
}

impl BesideError {
    /// A failure while a table was read.
    pub(super) fn reading(table: &super::Table, source: SessionError) -> Self {
        Self::Table { table: table.to_string(), source: Box::new(source) }
    }

    /// A failure while its rows were copied.
    pub(super) fn copying(table: &super::Table, error: CopyError) -> Self {
        match error {
            CopyError::Read(source) => Self::reading(table, source),
            CopyError::Write(error) => Self::Host(error),
        }
    }

    fn session(&self) -> Option<&SessionError> {
        match self {
            Self::Session(error) | Self::Table { source: error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<SessionError> for BesideError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl Classify for BesideError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Session(error) | Self::Table { source: error, .. } => error.code(),
            Self::Host(error) => error.code(),
            Self::Thread(_) => ErrorCode::INTERNAL,
            Self::Privileges { .. } => ErrorCode::PRIVILEGE,
            Self::TooLarge { .. } => ErrorCode::LOCK_BUDGET,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Privileges { grant, .. } => Some(grant.clone()),
            Self::TooLarge { usual, .. } => {
                // Twice of what is usual: a machine is not equally fast at all times.
                let seconds = usual.as_secs().saturating_mul(2).max(1);
                Some(format!(
                    "nothing was written; allow it with --max-lock {seconds}s, or convert the tables \
                     to InnoDB"
                ))
            }
            Self::Host(error) => error.hint(),
            _ => match self.session()? {
                SessionError::LockBudgetExceeded { phase: LockPhase::Holding, .. } => Some(
                    "the tables are locked for as long as they are read: allow more with \
                     --max-lock, or convert them to InnoDB"
                        .to_owned(),
                ),
                error => error.hint(),
            },
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Host(error) => error.is_retryable(),
            _ => self.session().is_some_and(|error| {
                error.code() == ErrorCode::LOCK_BUDGET
                    || error.wire().is_some_and(WireError::is_disconnect)
            }),
        }
    }
}
