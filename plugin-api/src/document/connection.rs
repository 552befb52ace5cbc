//! How a plugin reaches the server. Secrets are not in here: they are asked for by name
//! through [`HostServices::secret`](crate::host::HostServices).
use super::{Extra, document};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Name of the secret that holds the account's password.
pub const PASSWORD_SECRET: &str = "connection.password";
/// Name under which a role whose request names no server, such as undo, asks for the connection that
/// [`PASSWORD_SECRET`] belongs to: a [`ConnectionDocument`] as JSON. It is no secret itself.
pub const CONNECTION_SECRET: &str = "connection.document";

/// Where a server is and how to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionDocument {
    /// Host name or address; with neither host nor socket, the usual local socket is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// TCP port; 3306 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Path of the server's socket; used in place of TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// Account name.
    pub user: String,
    /// Transport security.
    #[serde(default)]
    pub ssl: SslDocument,
    /// Time limit of one attempt to connect, milliseconds.
    pub connect_timeout_ms: u64,
    /// How long the server is to wait for us when our target is slow, milliseconds.
    pub stall_budget_ms: u64,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(ConnectionDocument, "dbbackup.connection/1");

/// Transport security as the stock client names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SslDocument {
    /// What is demanded.
    #[serde(default)]
    pub mode: SslMode,
    /// File with the certificates of the authorities to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Directory with such files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capath: Option<PathBuf>,
    /// The client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// The client's private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// The stock client's `--ssl-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SslMode {
    /// Never encrypted.
    Disabled,
    /// Encrypted if the server can, else not.
    #[default]
    Preferred,
    /// Encrypted or refused; the certificate is not looked at.
    Required,
    /// As `Required`, and the certificate is signed by a trusted authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate names the host.
    VerifyIdentity,
}
