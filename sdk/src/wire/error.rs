//! What can go wrong on the wire, and what is still true of the connection afterwards.

use std::{fmt, io, path::PathBuf};

use dbbackup_plugin_api::error::ErrorCode;

use crate::{
    failure::Classify,
    wire::{Cursor, tls},
};

/// Number of the server's error about a packet beyond its `max_allowed_packet`.
const PACKET_TOO_LARGE: u16 = 1153;

/// Failures of the raw client.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The server answered with an error packet. The connection stays usable, unless it was logging
    /// in or the server closes it by itself.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Nobody answered at this address within the connect time-out.
    #[error("connect to {address}")]
    Unreachable {
        /// Host and port, or the path of the socket.
        address: String,
        /// Why, from the operating system.
        source: io::Error,
    },
    /// The connection was cut, or silent for longer than the read or write time-out.
    #[error("connection lost while {during}")]
    Disconnected {
        /// What was being read or written.
        during: &'static str,
        /// End of file, reset, or `TimedOut`.
        source: io::Error,
    },
    /// A [`Canceller`](crate::wire::Canceller) ended the connection.
    #[error("connection cancelled")]
    Cancelled,
    /// An earlier error left the connection in an unknown state; open another one.
    #[error("connection is unusable after an earlier error")]
    Unusable,
    /// The rows of the previous statement were not read to their end.
    #[error("the previous result was not read to its end")]
    Unfinished,
    /// The bytes received are not the protocol.
    #[error("malformed {what} from the server")]
    Malformed {
        /// The packet or field that could not be read.
        what: &'static str,
    },
    /// A packet is longer than the limit of the reader.
    #[error("packet of {bytes} bytes is over the limit of {limit_bytes} bytes")]
    PacketTooLarge {
        /// Length that the peer announced, or that was to be sent.
        bytes: u64,
        /// Largest length accepted.
        limit_bytes: u64,
    },
    /// TLS is demanded by the ssl mode, and the server offers none.
    #[error("the server offers no TLS, and ssl mode {mode} demands it")]
    TlsNotOffered {
        /// The mode demanded.
        mode: &'static str,
    },
    /// The server does not compress in this way.
    #[error("the server offers no compression by {name}")]
    CompressionNotOffered {
        /// The algorithm.
        name: &'static str,
    },
    /// The algorithm cannot be set up.
    #[error("set up compression by {name}")]
    Compression {
        /// The algorithm.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The TLS handshake or the check of the certificate failed.
    #[error("establish TLS with {address}")]
    Tls {
        /// Host and port, or the path of the socket.
        address: String,
        /// The alert or the verifier's verdict.
        source: rustls::Error,
    },
    /// The TLS options contradict each other or lack something.
    #[error("TLS options: {reason}")]
    TlsOptions {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A certificate or key file cannot be read.
    #[error("read {}", path.display())]
    TlsFile {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate or key file holds nothing usable.
    #[error("{} holds no usable {what}", path.display())]
    TlsFileContent {
        /// The file or directory.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// The account logs in by a plugin that this client does not speak.
    #[error("login plugin {plugin} is not supported")]
    AuthPlugin {
        /// Name that the server gave.
        plugin: String,
    },
    /// The server asked for the password itself over a connection that others can read.
    #[error("login plugin {plugin} wants the password in clear, and the connection has no TLS")]
    ClearPassword {
        /// Name that the server gave.
        plugin: String,
    },
    /// The server's RSA key cannot encrypt the password.
    #[error("encrypt the password for the server's RSA key")]
    PasswordKey {
        /// Why.
        source: rsa::Error,
    },
    /// The server asked this client to send it a local file.
    #[error("the server asked for a local file, which is always refused")]
    LocalInfile,
}

impl WireError {
    /// The error packet, if this is one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the peer is gone: cut, silent, or never there.
    #[must_use]
    pub fn is_disconnect(&self) -> bool {
        match self {
            Self::Disconnected { .. } | Self::Unreachable { .. } | Self::Unusable => true,
            Self::Server(error) => error.ends_connection(),
            _ => false,
        }
    }

    /// Whether the server refused the user, the password or the way of logging in.
    #[must_use]
    pub fn is_authentication(&self) -> bool {
        match self {
            Self::Server(error) => matches!(error.code, 1045 | 1130 | 1524 | 1698 | 3118),
            Self::AuthPlugin { .. } | Self::ClearPassword { .. } | Self::PasswordKey { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }
}

impl Classify for WireError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Cancelled => ErrorCode::CANCELLED,
            Self::CompressionNotOffered { .. } => ErrorCode::PRECONDITION,
            Self::TlsOptions { .. } | Self::TlsFile { .. } | Self::TlsFileContent { .. } => {
                ErrorCode::CONFIG
            }
            Self::Unreachable { .. }
            | Self::Disconnected { .. }
            | Self::TlsNotOffered { .. }
            | Self::Tls { .. } => ErrorCode::CONNECT,
            Self::Server(error) if error.is_privilege() => ErrorCode::PRIVILEGE,
            Self::Server(error) if matches!(error.code, 1040 | 1129 | 1203) => ErrorCode::CONNECT,
            // The server hangs up on it, but the same statement would not fare better another time.
            Self::Server(error) if error.code == PACKET_TOO_LARGE => ErrorCode::SOURCE_IO,
            Self::Server(error) if error.ends_connection() => ErrorCode::CONNECT,
            _ if self.is_authentication() => ErrorCode::AUTH,
            Self::Unusable | Self::Unfinished | Self::Compression { .. } => ErrorCode::INTERNAL,
            _ => ErrorCode::SOURCE_IO,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Tls { source, .. } => tls::hint(source)?,
            Self::TlsNotOffered { .. } => {
                "give the server a certificate, or use ssl mode PREFERRED"
            }
            Self::CompressionNotOffered { name } => {
                return Some(format!(
                    "add {name} to the server's protocol_compression_algorithms, or do without"
                ));
            }
            Self::ClearPassword { .. } => "use ssl mode REQUIRED or stricter",
            Self::Server(error) if error.code == 1045 => "check user name and password",
            Self::Server(error) if error.code == PACKET_TOO_LARGE => {
                "raise max_allowed_packet of the server"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn is_retryable(&self) -> bool {
        self.is_disconnect() || matches!(self, Self::Server(error) if error.code == 1040)
    }
}

/// An error packet of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("server error {code} ({sqlstate}): {message}")]
pub struct ServerError {
    /// The server's error number, such as 1045.
    pub code: u16,
    /// The five characters of the SQL state; `HY000` where the server sent none.
    pub sqlstate: SqlState,
    /// The server's text.
    pub message: String,
}

impl ServerError {
    /// Reads an error packet, whose first byte is 0xFF.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when it is not one.
    pub fn parse(packet: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet, "error packet");
        if cursor.u8()? != 0xff {
            return Err(WireError::malformed("error packet"));
        }
        let code = cursor.u16()?;
        let rest = cursor.rest();
        let (sqlstate, message) = match rest.split_first() {
            Some((b'#', state)) if state.len() >= 5 => state.split_at(5),
            _ => (&b"HY000"[..], rest),
        };
        let mut state = *b"HY000";
        for (to, from) in state.iter_mut().zip(sqlstate) {
            *to = if from.is_ascii_graphic() { *from } else { b'?' };
        }
        let message = String::from_utf8_lossy(message).into_owned();
        Ok(Self { code, sqlstate: SqlState(state), message })
    }

    /// Whether the account lacks a privilege for the statement.
    #[must_use]
    pub fn is_privilege(&self) -> bool {
        matches!(self.code, 1044 | 1142 | 1143 | 1227 | 1370 | 3619)
    }

    /// Whether the server does not know the statement: a syntax error.
    #[must_use]
    pub fn is_unknown_statement(&self) -> bool {
        self.code == 1064
    }

    /// Whether the server ends the connection with this error: shutdown, killed, idle too long.
    #[must_use]
    pub fn ends_connection(&self) -> bool {
        matches!(
            self.code,
            1053 | 1152 | PACKET_TOO_LARGE | 1158..=1161 | 1927 | 3169 | 3170 | 4031
        )
    }
}

/// The five ASCII characters of an SQL state.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
