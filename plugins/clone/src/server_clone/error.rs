//! What ends a clone that a server makes.

use std::{
    io,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    Classify, ErrorCode, HostError,
    server::{ReplicaError, SessionError},
    wire::WireError,
};

use crate::{
    beside::BesideError,
    encrypted::{Content, InClear},
    options::Method,
    unstartable::{self, Unstartable},
};

/// What ends a clone that a server makes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MethodError {
    /// A session failed.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// The server is a replica that is out of date.
    #[error(transparent)]
    Replica(Box<ReplicaError>),
    /// The host refused something, or the run ended.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No server would start on the clone.
    #[error(transparent)]
    Unstartable(#[from] Unstartable),
    /// Tables could not be dumped beside the clone.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// The account may not do what the method needs.
    #[error("{account} lacks {}", privileges.join(", "))]
    Privileges {
        /// The account.
        account: String,
        /// What it lacks.
        privileges: Vec<String>,
        /// The statement that gives it.
        grant: String,
    },
    /// The clone would hold a key in clear.
    #[error(
        "{} is ON, and a server that clones itself writes the key of its redo log in clear",
        crate::encrypted::REDO_SETTING
    )]
    RedoKey,
    /// The clone holds something in clear.
    #[error("the server has left in clear in its clone: {0}")]
    InClear(InClear),
    /// Files of the clone are encrypted at rest.
    #[error("{} is encrypted at rest, and a copy does not start without the server's keyring", file.display())]
    Encrypted {
        /// The first such file.
        file: PathBuf,
    },
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The files would be on another machine, or be another server's.
    #[error("method {method} needs a server on this machine, and this one is not proven to be it")]
    NotLocal {
        /// The method.
        method: Method,
    },
    /// Tables come empty out of a clone.
    #[error(
        "{count} tables are not InnoDB's and would come back empty or not at all, {first} among them"
    )]
    LeftOut {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// The server writes such files to their own paths, where they are already.
    #[error("{count} tablespaces lie outside the data directory, {first} among them")]
    External {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// The recipient does not take this donor.
    #[error("clone_valid_donor_list of the recipient is {list:?}, without {donor}")]
    DonorNotListed {
        /// The donor, `host:port`.
        donor: String,
        /// What is listed.
        list: String,
    },
    /// There is no password for the donor.
    #[error("the donor account {user} has no password")]
    NoDonorPassword {
        /// The account.
        user: String,
    },
    /// The directory for the clone is that of the server itself, or in it.
    #[error("{} is in the server's own data directory", path.display())]
    OwnData {
        /// The directory.
        path: PathBuf,
    },
    /// The server runs as somebody else, and this user cannot make a directory for it.
    #[error("the server's files belong to user {owner}, and this is user {user}")]
    OtherUser {
        /// Owner of the data directory.
        owner: u32,
        /// This process's user.
        user: u32,
    },
    /// The clone would not fit.
    #[error("{} has {free_bytes} bytes free, the clone needs {needed_bytes}", path.display())]
    NoSpace {
        /// The directory.
        path: PathBuf,
        /// What is needed.
        needed_bytes: u64,
        /// What is there.
        free_bytes: u64,
    },
    /// A path that no statement can name.
    #[error("{} is no UTF-8", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// A file or directory of the clone.
    #[error("{what} {}", path.display())]
    Io {
        /// The step, a verb.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The server cannot be asked whether a clone of a run that is gone goes on. It would make a
    /// removed directory again.
    #[error(
        "the server with uuid {server_uuid} may still clone into {}: session {session} on it",
        path.display()
    )]
    MayGoOn {
        /// The server.
        server_uuid: String,
        /// Its number for the session that clones.
        session: u32,
        /// The directory.
        path: PathBuf,
        /// Why it cannot be asked.
        source: Box<UnaskedError>,
    },
    /// The server was told to end the clone, and has not.
    #[error("the server still clones into {}, {seconds} s after KILL", path.display())]
    NotEnded {
        /// The directory.
        path: PathBuf,
        /// How long it had.
        seconds: u64,
    },
    /// Method `recipient` without a donor, which the options refuse beforehand.
    #[error("the donor has no host")]
    NoDonorHost,
    /// The thread that runs the statement ended in a panic.
    #[error("the thread that runs the clone ended by itself")]
    Thread,
}

/// Why a server cannot be asked about a clone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnaskedError {
    /// This dbbackup was given no connection.
    #[error("there is no connection to ask it over")]
    NoConnection,
    /// The connection leads elsewhere.
    #[error("the connection is to the server with uuid {server_uuid}")]
    OtherServer {
        /// Who answers.
        server_uuid: String,
    },
    /// The account sees its own statements alone, and another one's is meant.
    #[error("{account} lacks PROCESS, and so does not see the statements of {cloner}")]
    Blind {
        /// Who asks.
        account: String,
        /// Whose session clones.
        cloner: String,
    },
    /// The host does not tell its connection or secret.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It cannot be reached, or refuses.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl UnaskedError {
    /// Whether the server that is meant has answered, or one that does not say which it is.
    pub(super) fn comes_from_a_server(&self) -> bool {
        match self {
            Self::NoConnection | Self::OtherServer { .. } | Self::Host(_) => false,
            Self::Blind { .. } => true,
            Self::Session(error) => !matches!(error.wire(), Some(WireError::Unreachable { .. })),
        }
    }
}

impl MethodError {
    /// Whether the server may go on with the statement: the connection ended, and a server that
    /// clones does not look whether anybody waits for its answer.
    pub(super) fn leaves_statement_running(&self) -> bool {
        matches!(self, Self::Session(error) if error.server_code().is_none())
    }

    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

impl From<SessionError> for MethodError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl From<ReplicaError> for MethodError {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(Box::new(error))
    }
}

impl Classify for MethodError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Session(error) => error.code(),
            Self::Replica(error) => error.code(),
            Self::Beside(error) => error.code(),
            Self::Unstartable(Unstartable::Table { .. }) => ErrorCode::PRECONDITION,
            Self::Unstartable(Unstartable::Session(error)) => error.code(),
            Self::Host(error) => error.code(),
            Self::Cancelled => ErrorCode::CANCELLED,
            Self::Privileges { .. } => ErrorCode::PRIVILEGE,
            Self::NotLocal { .. }
            | Self::LeftOut { .. }
            | Self::External { .. }
            | Self::Encrypted { .. }
            | Self::RedoKey
            | Self::InClear(_)
            | Self::DonorNotListed { .. }
            | Self::OtherUser { .. } => ErrorCode::PRECONDITION,
            Self::NoDonorPassword { .. } | Self::NoDonorHost | Self::Path { .. } => {
                ErrorCode::CONFIG
            }
            Self::OwnData { .. } | Self::MayGoOn { .. } => ErrorCode::SAFETY,
            Self::NotEnded { .. } => ErrorCode::TIMEOUT,
            Self::NoSpace { .. } => ErrorCode::NO_SPACE,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::NO_SPACE,
                _ => ErrorCode::SOURCE_IO,
            },
            Self::Thread => ErrorCode::INTERNAL,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Session(error) => return error.hint(),
            Self::Replica(error) => return error.hint(),
            Self::Beside(error) => return error.hint(),
            Self::Unstartable(Unstartable::Table { .. }) => unstartable::HINT,
            Self::Unstartable(Unstartable::Session(error)) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::NotLocal { .. } | Self::External { .. } | Self::OtherUser { .. } => {
                "method protocol needs none of this: --engine-option method=protocol"
            }
            Self::InClear(InClear { content: Content::RedoKey, .. }) => {
                "the clone was removed; switch the log's encryption off for the time of the clone, or \
                 use another engine, such as mysqldump"
            }
            Self::InClear(_) => {
                "so it was twice, and the clone was removed; run it again when no ALTER … ENCRYPTION \
                 goes on, or use --engine-option method=protocol"
            }
            Self::Privileges { grant, .. } => return Some(grant.clone()),
            Self::RedoKey => {
                "switch it off for the time of the clone, or use another engine, such as mysqldump"
            }
            Self::Encrypted { .. } => {
                "methods protocol and local keep them with --engine-option encrypted=keep: a restored \
                 server then needs a copy of the source's keyring"
            }
            Self::LeftOut { .. } => {
                "dump them beside the clone with --include-non-innodb, or take the backup without \
                 their rows with --accept-degraded non-transactional"
            }
            Self::DonorNotListed { donor, list } => {
                let comma = if list.is_empty() { "" } else { "," };
                return Some(format!(
                    "on the recipient: SET GLOBAL clone_valid_donor_list = '{list}{comma}{donor}'"
                ));
            }
            Self::NoDonorPassword { .. } => "set DBBACKUP_CLONE_DONOR_PASSWORD",
            Self::OwnData { .. } | Self::NoSpace { .. } => {
                "name another directory: --engine-option data_dir=DIRECTORY"
            }
            Self::Io { .. } => {
                "name a directory that this user may write: --engine-option data_dir=DIRECTORY"
            }
            Self::MayGoOn { session, .. } => {
                return Some(format!(
                    "give cleanup the connection of that server, or run KILL {session} on it and \
                     remove the directory"
                ));
            }
            Self::NotEnded { .. } => "run dbbackup cleanup again when the statement has ended",
            Self::NoDonorHost => "name it: --clone-donor-host HOST",
            Self::Cancelled | Self::Path { .. } | Self::Thread => return None,
        };
        Some(text.to_owned())
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Session(error) => error.is_retryable(),
            Self::Beside(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            _ => false,
        }
    }
}
