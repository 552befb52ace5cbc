//! Why a server cannot be used.
use crate::exit::{Classified, Exit};

/// A failure between us and the server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Nothing answers, or the answer is no server's.
    #[error("connect to {address}")]
    Unreachable {
        /// `host:port` or the socket.
        address: String,
        /// The operating system's reason, or what was odd.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("connect to {address}: no answer within {seconds} s")]
    ConnectTimeout {
        /// `host:port` or the socket.
        address: String,
        /// The limit.
        seconds: u64,
    },
    /// The account or its password is refused.
    #[error("log in to {address} as {user:?}")]
    AccessDenied {
        /// `host:port` or the socket.
        address: String,
        /// The account name that was given.
        user: String,
        /// The server's own words.
        source: ServerSaid,
    },
    /// Encryption was demanded and cannot be had.
    #[error("connect to {address} with ssl-mode {mode}")]
    Tls {
        /// `host:port`.
        address: String,
        /// The mode that was asked for.
        mode: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement failed.
    #[error("{step} on {address}")]
    Statement {
        /// What was being done.
        step: &'static str,
        /// `host:port` or the socket.
        address: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement had to wait for DDL of others, and gave up.
    #[error("{step} on {address}: DDL was in the way for {seconds} s{}", shown(ddl))]
    Busy {
        /// What was being done.
        step: &'static str,
        /// `host:port` or the socket.
        address: String,
        /// How long it waited.
        seconds: u64,
        /// Session and beginning of a statement that was running, if the account sees one.
        ddl: Option<(u64, String)>,
    },
    /// The asynchronous runtime of the session cannot be made.
    #[error("start the runtime of the server session")]
    Runtime {
        /// Why.
        source: std::io::Error,
    },
}

fn shown(ddl: &Option<(u64, String)>) -> String {
    match ddl {
        Some((session, statement)) => format!(", session {session}: {statement}"),
        None => String::new(),
    }
}

/// The server's own error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (error {code})")]
pub struct ServerSaid {
    /// Number of the error.
    pub code: u16,
    /// Its text.
    pub message: String,
}

impl Classified for ServerError {
    fn exit(&self) -> Exit {
        match self {
            Self::Runtime { .. } => Exit::Failed,
            Self::Busy { .. } => Exit::LockBudget,
            _ => Exit::Server,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { .. } | Self::ConnectTimeout { .. } => {
                Some("check --host, --port or --socket, and that the server is running".to_owned())
            }
            Self::AccessDenied { .. } => Some(
                "check --user, and the password in MYSQL_PWD, --password-file or the option file"
                    .to_owned(),
            ),
            Self::Tls { mode: "REQUIRED", .. } => {
                Some("give the server a certificate, or use --ssl-mode PREFERRED".to_owned())
            }
            Self::Tls { .. } => Some(
                "check --ssl-ca: it must hold the authority of the server's certificate".to_owned(),
            ),
            Self::Busy { ddl: Some((session, _)), .. } => Some(format!(
                "nothing was written; try again when it has ended, or end it with KILL {session}"
            )),
            Self::Busy { ddl: None, .. } => Some(
                "nothing was written; try again when it has ended. SHOW PROCESSLIST names it to an \
                 account with PROCESS"
                    .to_owned(),
            ),
            Self::Statement { .. } | Self::Runtime { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Unreachable { .. } => "E-SERVER-UNREACHABLE",
            Self::ConnectTimeout { .. } => "E-SERVER-TIMEOUT",
            Self::AccessDenied { .. } => "E-SERVER-ACCESS",
            Self::Tls { .. } => "E-SERVER-TLS",
            Self::Statement { .. } => "E-SERVER-STATEMENT",
            Self::Busy { .. } => "E-SERVER-BUSY",
            Self::Runtime { .. } => "E-RUNTIME",
        }
        .to_owned()
    }
}
