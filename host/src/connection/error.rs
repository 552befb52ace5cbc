//! Why a server cannot be used.
use crate::{
    exit::{Classified, Exit},
    supervisor::CancelCause,
};

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
    /// The run was cancelled before the server had answered.
    #[error("{cause} before {address} had answered")]
    Cancelled {
        /// `host:port` or the socket.
        address: String,
        /// By what.
        cause: CancelCause,
    },
    /// The asynchronous runtime of the session cannot be made.
    #[error("start the runtime of the server session")]
    Runtime {
        /// Why.
        source: std::io::Error,
    },
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
            Self::Cancelled { cause, .. } => cause.exit(),
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
            Self::Statement { .. } | Self::Cancelled { .. } | Self::Runtime { .. } => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Unreachable { .. } => "E-SERVER-UNREACHABLE",
            Self::ConnectTimeout { .. } => "E-SERVER-TIMEOUT",
            Self::AccessDenied { .. } => "E-SERVER-ACCESS",
            Self::Tls { .. } => "E-SERVER-TLS",
            Self::Statement { .. } => "E-SERVER-STATEMENT",
            Self::Cancelled { cause: CancelCause::Interrupted, .. } => "E-INTERRUPTED",
            Self::Cancelled { cause: CancelCause::Terminated, .. } => "E-TERMINATED",
            Self::Runtime { .. } => "E-RUNTIME",
        }
        .to_owned()
    }
}
