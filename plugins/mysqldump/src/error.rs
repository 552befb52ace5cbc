//! Failures of the engine, each with its class and what the operator can do.

use dbbackup_sdk::{
    Classify, ErrorCode, HostError,
    server::{MissingPrivilege, ReplicaError, SessionError},
    wire::WireError,
};

use crate::{dump::SEE_ALL, options::OptionsError, restore::split::SplitError};

/// Server errors in which DDL shows: the table's definition has changed; no such table, column,
/// schema, routine, trigger, event; not a table of that kind; its tablespace is gone.
const DDL: [u16; 12] = [1412, 1146, 1054, 1049, 1051, 1305, 1347, 1356, 1360, 1539, 1812, 1814];

/// Everything that ends a dump or a restore.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Options that cannot be.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A session failed.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// The server is a replica that is out of date.
    #[error(transparent)]
    Replica(Box<ReplicaError>),
    /// The host refused something: the run failed elsewhere, or was cancelled.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No thread for the cancellation.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
    /// The account may not do what the dump needs.
    #[error("{account} lacks {}", names(missing))]
    Privileges {
        /// The account.
        account: String,
        /// What it lacks.
        missing: Vec<MissingPrivilege>,
    },
    /// An option names a schema that is not there.
    #[error("no schema fits {pattern:?}")]
    NoSchema {
        /// The pattern.
        pattern: String,
    },
    /// An option names a schema that is there and is not dumped.
    #[error("no schema that is dumped fits {pattern:?}; {schema} is left out: {why}")]
    SchemaLeftOut {
        /// The pattern.
        pattern: String,
        /// A schema that fits it.
        schema: String,
        /// Why that one is not dumped.
        why: String,
    },
    /// Tables that no snapshot covers.
    #[error("{} in storage engines without transactions: {}", count(tables.len(), "table"), shortened(tables))]
    NonTransactional {
        /// `schema.table (engine)`.
        tables: Vec<String>,
    },
    /// Statements that the read lock would wait for, and commits behind it.
    #[error("{} for more than {seconds} s, longest: {longest}", count(*statements, "statement has been running") )]
    LongStatements {
        /// How many.
        statements: usize,
        /// Limit.
        seconds: u64,
        /// Session id, account and time of the longest.
        longest: String,
    },
    /// The server has no means to keep DDL waiting.
    #[error("{server} cannot keep DDL waiting without stalling more")]
    CannotBlockDdl {
        /// Flavour and version.
        server: String,
    },
    /// Definitions changed again and again while the snapshot was made.
    #[error("{what} was changed by DDL while the snapshot was made, {attempts} times in a row")]
    Unstable {
        /// The object of the last difference.
        what: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// DDL on a table between the snapshot and its reading.
    #[error("table {table} was changed by DDL after the snapshot was made")]
    TableChanged {
        /// `schema.table`.
        table: String,
        /// The server's refusal, where that was how it showed.
        source: Option<Box<SessionError>>,
    },
    /// Reading a table failed.
    #[error("read table {table}")]
    ReadTable {
        /// `schema.table`.
        table: String,
        /// Why.
        source: Box<SessionError>,
    },
    /// The rest is about restores.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// What ends a restore.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// No server to restore into.
    #[error("a logical backup is restored into a server, and none was named")]
    NoServer,
    /// Schemas that are there already.
    #[error("{} already there: {}", count(schemas.len(), "schema is"), shortened(schemas))]
    Exists {
        /// Their names.
        schemas: Vec<String>,
    },
    /// A statement is about a schema that was there already and that nobody expected.
    #[error("{entry} line {line}: schema {schema} is already there")]
    ExistsLate {
        /// The entry.
        entry: String,
        /// Line of the statement.
        line: u64,
        /// The schema.
        schema: String,
    },
    /// `max_allowed_packet` of the target is too small and cannot be raised by us.
    #[error("max_allowed_packet is {have}, and the longest statement has {needed} bytes")]
    PacketTooSmall {
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        have: u64,
    },
    /// An entry is no sequence of statements.
    #[error("{entry}")]
    Split {
        /// The entry.
        entry: String,
        /// Why.
        source: SplitError,
    },
    /// A statement failed.
    #[error("{entry} line {line} (byte {offset}): {excerpt}")]
    Statement {
        /// The entry.
        entry: String,
        /// Line of its beginning.
        line: u64,
        /// Byte offset of its beginning.
        offset: u64,
        /// Its beginning, values shortened.
        excerpt: String,
        /// The server's answer.
        source: Box<WireError>,
    },
    /// Rows were changed by the server while they were inserted.
    #[error("{entry} line {line} (byte {offset}): the server changed values: {warning}")]
    Changed {
        /// The entry.
        entry: String,
        /// Line of the statement.
        line: u64,
        /// Byte offset of the statement.
        offset: u64,
        /// The server's first warning.
        warning: String,
    },
    /// Nothing fitted the patterns.
    #[error("nothing in the backup fits {patterns}")]
    NothingSelected {
        /// The patterns.
        patterns: String,
    },
    /// The backup has no GTID set to hand over.
    #[error("the backup has no GTID set that {server} can take over")]
    NoGtid {
        /// Flavour of the target.
        server: String,
    },
}

impl EngineError {
    /// Whether DDL of another session shows in this error: something that was listed a moment ago is
    /// gone, or is something else.
    pub(crate) fn is_ddl(&self) -> bool {
        match self {
            Self::Session(error) => error.server_code().is_some_and(|code| DDL.contains(&code)),
            _ => false,
        }
    }

    /// An error while reading a table: DDL shows as one of a few server errors.
    pub(crate) fn reading(table: &str, source: SessionError) -> Self {
        let table = table.to_owned();
        let source = Box::new(source);
        match source.server_code() {
            Some(code) if DDL.contains(&code) => Self::TableChanged { table, source: Some(source) },
            _ => Self::ReadTable { table, source },
        }
    }
}

impl From<SessionError> for EngineError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl From<ReplicaError> for EngineError {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(Box::new(error))
    }
}

impl Classify for EngineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Replica(error) => error.code(),
            Self::Options(_) => ErrorCode::CONFIG,
            Self::Session(error) | Self::ReadTable { source: error, .. } => error.code(),
            Self::Host(error) => error.code(),
            Self::Thread(_) => ErrorCode::INTERNAL,
            Self::Privileges { .. } => ErrorCode::PRIVILEGE,
            Self::NoSchema { .. }
            | Self::SchemaLeftOut { .. }
            | Self::NonTransactional { .. }
            | Self::CannotBlockDdl { .. } => ErrorCode::PRECONDITION,
            Self::LongStatements { .. } => ErrorCode::LOCK_BUDGET,
            Self::Unstable { .. } | Self::TableChanged { .. } => ErrorCode::SOURCE_IO,
            Self::Restore(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Privileges { missing, .. } => {
                let grants: Vec<&str> = missing.iter().map(|one| one.statement.as_str()).collect();
                return Some(grants.join(" "));
            }
            Self::NonTransactional { .. } => {
                "convert them to InnoDB, exclude them, or accept `non-transactional`: they are then \
                 dumped as they are when their turn comes"
            }
            Self::LongStatements { .. } => {
                "the lock would make every commit wait behind them; try again, or allow a longer wait"
            }
            Self::CannotBlockDdl { .. } => "leave block_ddl at auto",
            Self::Unstable { .. } | Self::TableChanged { .. } => {
                "run it again when no DDL is running, or let DDL wait with block_ddl: on"
            }
            Self::Session(error) | Self::ReadTable { source: error, .. } => {
                return error.hint();
            }
            Self::Replica(error) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::Restore(error) => return error.hint(),
            Self::SchemaLeftOut { .. } => "choose another schema with databases, or exclude less",
            Self::Options(_) | Self::Thread(_) | Self::NoSchema { .. } => return None,
        };
        Some(hint.to_owned())
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::LongStatements { .. } | Self::Unstable { .. } | Self::TableChanged { .. } => true,
            Self::Session(error) | Self::ReadTable { source: error, .. } => {
                matches!(error.code(), ErrorCode::LOCK_BUDGET | ErrorCode::CONNECT)
                    || error.wire().is_some_and(WireError::is_disconnect)
            }
            Self::Replica(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            _ => false,
        }
    }
}

impl RestoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoServer | Self::NothingSelected { .. } => ErrorCode::CONFIG,
            Self::Exists { .. } | Self::ExistsLate { .. } => ErrorCode::SAFETY,
            Self::PacketTooSmall { .. } | Self::NoGtid { .. } => ErrorCode::PRECONDITION,
            Self::Split { .. } | Self::Changed { .. } => ErrorCode::INTEGRITY,
            Self::Statement { source, .. } => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoServer => "name the server, as in --into-server --host H",
            Self::Exists { .. } | Self::ExistsLate { .. } => {
                "restore under another name with --map OLD=NEW, or replace what is there with --force"
            }
            Self::PacketTooSmall { needed, .. } => {
                return Some(format!(
                    "SET GLOBAL max_allowed_packet = {};",
                    needed.next_multiple_of(1024)
                ));
            }
            Self::Statement { source, .. } if is_code(source, UNSAFE_FUNCTION) => {
                "SET GLOBAL log_bin_trust_function_creators = ON; or restore with the option binlog: false"
            }
            Self::Statement { source, .. } if is_code(source, NO_DATABASE) => {
                "the dump names no schema: choose one with --map =NAME"
            }
            Self::Statement { source, .. } => return source.hint(),
            Self::Changed { .. } => "the target has other limits or character sets than the source",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// A function without `DETERMINISTIC` and the like, on a server with a binlog.
const UNSAFE_FUNCTION: u16 = 1418;
/// No schema was chosen.
const NO_DATABASE: u16 = 1046;

fn is_code(error: &WireError, code: u16) -> bool {
    error.server().is_some_and(|server| server.code == code)
}

/// `3 tables`; a phrase such as `schema is` is taken as it is for one, and bent for more.
fn count(number: usize, what: &str) -> String {
    if number == 1 {
        return format!("1 {what}");
    }
    let plural = match what {
        "schema is" => "schemas are".to_owned(),
        "statement has been running" => "statements have been running".to_owned(),
        other => format!("{other}s"),
    };
    format!("{number} {plural}")
}

/// The first few of a list.
fn shortened(items: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn names(missing: &[MissingPrivilege]) -> String {
    let names: Vec<String> = missing
        .iter()
        .map(|one| match &one.requirement.schema {
            Some(schema) => format!("{} on {schema}", one.requirement.privilege),
            // The one that a narrower choice makes needless.
            None if one.requirement.privilege == SEE_ALL => {
                format!("{SEE_ALL} (needed unless `databases` names each schema)")
            }
            None => one.requirement.privilege.clone(),
        })
        .collect();
    names.join(", ")
}
