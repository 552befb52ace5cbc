//! Failures of the engine, each with its class and what the operator can do.

use dbbackup_sdk::{
    Classify, ErrorCode, HostError,
    plugin_api::document::path::EntryPath,
    server::{MissingPrivilege, ReplicaError, SessionError},
    wire::WireError,
};

use crate::{
    artefact::DocumentError,
    beside::BesideError,
    options::OptionsError,
    rpc::CodecError,
    unstartable::{self, Unstartable},
};

/// Errors of a donor that say that a connection of the clone broke.
const NETWORK: std::ops::RangeInclusive<i32> = 1156..=1161;

/// Everything that ends a backup or a restore.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloneError {
    /// Options that cannot be.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A session failed.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// The donor is a replica that is out of date.
    #[error(transparent)]
    Replica(Box<ReplicaError>),
    /// A connection that speaks the clone protocol failed.
    #[error(transparent)]
    Wire(Box<WireError>),
    /// The host refused something: the run failed elsewhere, or was cancelled.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// No thread for a connection.
    #[error("start a thread")]
    Thread(#[source] std::io::Error),
    /// `clone.json` cannot be read or written.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Servers that have no clone protocol.
    #[error("{server} has no clone plugin")]
    Version {
        /// Flavour and version.
        server: String,
    },
    /// The plugin is not there, or not active.
    #[error("the clone plugin is {}", status.as_deref().unwrap_or("not installed"))]
    NoPlugin {
        /// Its status, if it is installed.
        status: Option<String>,
    },
    /// The account may not do what a clone needs.
    #[error("{account} lacks {}", names(missing))]
    Privileges {
        /// The account.
        account: String,
        /// What it lacks.
        missing: Vec<MissingPrivilege>,
    },
    /// The donor's packets are too small.
    #[error("max_allowed_packet of the server is {bytes}, and a clone needs 2097152")]
    PacketSize {
        /// Its value.
        bytes: u64,
    },
    /// The donor writes no redo log.
    #[error("the redo log of the server is disabled")]
    NoRedo,
    /// No server would start on the clone.
    #[error(transparent)]
    Unstartable(#[from] Unstartable),
    /// Tables could not be dumped beside the clone.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// Something is encrypted at rest.
    #[error(
        "{what} is encrypted at rest, and a copy does not start without the keyring, which no clone holds"
    )]
    Encrypted {
        /// File or logs.
        what: String,
    },
    /// Redo or undo logs are encrypted at rest.
    #[error("{setting} is ON, and the clone protocol brings the keys of logs in clear")]
    EncryptedLogs {
        /// The server's setting.
        setting: &'static str,
    },
    /// An encrypted file was made, or got another key, while the clone ran.
    #[error(
        "{name} was made, encrypted or decrypted while the clone ran or just before: its key would be in clear"
    )]
    EncryptedMeanwhile {
        /// The file.
        name: EntryPath,
    },
    /// User tables that come out of a clone empty, or of no use.
    #[error(
        "a clone copies InnoDB alone, and would leave {} empty or unusable: {}",
        count(tables.len(), "table"),
        shortened(tables)
    )]
    NonInnodb {
        /// `schema.table (engine)`.
        tables: Vec<String>,
    },
    /// The donor says that it cannot go on.
    #[error("the donor failed with error {code}: {message}")]
    Donor {
        /// Number of the server's error.
        code: i32,
        /// The server's text.
        message: String,
    },
    /// The donor sends what we do not understand.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A block has another length than its descriptor says.
    #[error("a block of {announced} bytes came with {bytes}")]
    DataLength {
        /// What the descriptor says.
        announced: u32,
        /// What came.
        bytes: usize,
    },
    /// A name that leads out of the directory that it should be in.
    #[error("the donor names a file {name:?}, which is no safe path")]
    UnsafeName {
        /// The name.
        name: EntryPath,
    },
    /// Data for a file that was never named.
    #[error("the donor sends data for file {index}, which it has not named")]
    UnknownFile {
        /// Number of the file.
        index: u32,
    },
    /// Data behind the end of a file.
    #[error("the donor sends {name} up to byte {end}, and said that it has {size_bytes}")]
    BeyondEnd {
        /// The file.
        name: EntryPath,
        /// End of the block.
        end: u64,
        /// Size of the file.
        size_bytes: u64,
    },
    /// Data that leaves something out.
    #[error("the donor goes on with {name} at byte {offset}, and {expected} was expected")]
    Gap {
        /// The file.
        name: EntryPath,
        /// The byte that should have come.
        expected: u64,
        /// The byte that came.
        offset: u64,
    },
    /// A file that did not come whole.
    #[error("the donor sent {bytes} of the {size_bytes} bytes of {name}")]
    CutShort {
        /// The file.
        name: EntryPath,
        /// What came.
        bytes: u64,
        /// Its size.
        size_bytes: u64,
    },
    /// The donor lives and says nothing.
    #[error("the donor has sent nothing for {minutes} minutes")]
    Silent {
        /// How long.
        minutes: u64,
    },
    /// Cut once too often.
    #[error("the connection was cut, after {restarts} restarts and {seconds} s without data")]
    Cut {
        /// Restarts so far.
        restarts: u32,
        /// Since when nothing has come.
        seconds: u64,
        /// The last failure.
        source: Box<CloneError>,
    },
    /// Another connection of the clone has failed, and says itself why.
    #[error("the clone has ended")]
    Abandoned,
}

impl CloneError {
    /// Something came where something else was expected.
    pub(crate) fn order(what: &str, expected: &'static str) -> Self {
        Self::Codec(CodecError::Order { what: what.to_owned(), expected })
    }

    /// Whether a connection was cut, so that the clone may go on over another one.
    pub(crate) fn is_cut(&self) -> bool {
        match self {
            Self::Wire(error) => error.is_disconnect(),
            Self::Session(error) => error.wire().is_some_and(WireError::is_disconnect),
            Self::Donor { code, .. } => NETWORK.contains(code),
            Self::Abandoned => true,
            _ => false,
        }
    }
}

impl From<SessionError> for CloneError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl From<ReplicaError> for CloneError {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(Box::new(error))
    }
}

impl From<WireError> for CloneError {
    fn from(error: WireError) -> Self {
        Self::Wire(Box::new(error))
    }
}

impl Classify for CloneError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Options(_) => ErrorCode::CONFIG,
            Self::Session(error) => error.code(),
            Self::Replica(error) => error.code(),
            Self::Beside(error) => error.code(),
            Self::Unstartable(Unstartable::Table { .. }) => ErrorCode::PRECONDITION,
            Self::Unstartable(Unstartable::Session(error)) => error.code(),
            Self::Wire(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::Cancelled => ErrorCode::CANCELLED,
            Self::Thread(_) => ErrorCode::INTERNAL,
            Self::Document(_) => ErrorCode::INTEGRITY,
            Self::Privileges { .. } => ErrorCode::PRIVILEGE,
            Self::Version { .. }
            | Self::NoPlugin { .. }
            | Self::PacketSize { .. }
            | Self::NoRedo
            | Self::Encrypted { .. }
            | Self::EncryptedLogs { .. }
            | Self::NonInnodb { .. } => ErrorCode::PRECONDITION,
            Self::Codec(
                CodecError::ProtocolVersion { .. }
                | CodecError::DescriptorVersion { .. }
                | CodecError::Engine { .. },
            ) => ErrorCode::PRECONDITION,
            Self::EncryptedMeanwhile { .. } => ErrorCode::SOURCE_IO,
            Self::Silent { .. } => ErrorCode::TIMEOUT,
            Self::Cut { .. } => ErrorCode::CONNECT,
            Self::Donor { .. }
            | Self::Codec(_)
            | Self::DataLength { .. }
            | Self::UnsafeName { .. }
            | Self::UnknownFile { .. }
            | Self::BeyondEnd { .. }
            | Self::Gap { .. }
            | Self::CutShort { .. }
            | Self::Abandoned => ErrorCode::SOURCE_IO,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Session(error) => return error.hint(),
            Self::Replica(error) => return error.hint(),
            Self::Beside(error) => return error.hint(),
            Self::Unstartable(Unstartable::Table { .. }) => unstartable::HINT,
            Self::Unstartable(Unstartable::Session(error)) => return error.hint(),
            Self::Wire(error) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::Cut { source, .. } => return source.hint(),
            Self::Privileges { missing, .. } => {
                let grants: Vec<&str> = missing.iter().map(|one| one.statement.as_str()).collect();
                return Some(grants.join(" "));
            }
            Self::NoPlugin { status: None } => "INSTALL PLUGIN clone SONAME 'mysql_clone.so';",
            Self::NoPlugin { .. } => "see the server's error log for why the plugin is not active",
            Self::PacketSize { .. } => "SET GLOBAL max_allowed_packet = 67108864;",
            Self::NoRedo => "ALTER INSTANCE ENABLE INNODB REDO_LOG;",
            Self::Version { .. } => {
                "the clone protocol exists from MySQL 8.0.17 on; use another engine"
            }
            Self::Encrypted { .. } => {
                "keep a copy of the server's keyring and give --engine-option encrypted=keep, or use \
                 another engine, such as mysqldump"
            }
            Self::EncryptedLogs { .. } => {
                "switch it off for the time of the clone, or use another engine, such as mysqldump"
            }
            Self::EncryptedMeanwhile { .. } => {
                "run it again, and let DDL wait meanwhile: --clone-ddl block"
            }
            Self::NonInnodb { .. } => {
                "dump them beside the clone with --include-non-innodb, convert them to InnoDB, use \
                 another engine, or leave them empty with --accept-degraded non-transactional"
            }
            Self::Donor { code: 3634, .. } => {
                "another clone of this server is running; try again when it is done"
            }
            Self::Codec(
                CodecError::ProtocolVersion { .. } | CodecError::DescriptorVersion { .. },
            ) => {
                "the server is newer than this program; use another engine until an update is there"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Session(error) => error.is_retryable(),
            Self::Beside(error) => error.is_retryable(),
            Self::Wire(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            Self::Donor { code, .. } => *code == 3634 || NETWORK.contains(code),
            Self::Cut { .. } | Self::Silent { .. } | Self::EncryptedMeanwhile { .. } => true,
            _ => false,
        }
    }
}

fn names(missing: &[MissingPrivilege]) -> String {
    let names: Vec<&str> = missing.iter().map(|one| one.requirement.privilege.as_str()).collect();
    names.join(", ")
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
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
