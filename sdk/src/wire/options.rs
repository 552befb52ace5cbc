//! Where and how to connect: one plain struct for every session of a run.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use dbbackup_plugin_api::document::connection::ConnectionDocument;
pub use dbbackup_plugin_api::document::connection::{SslDocument as Ssl, SslMode};
use serde::{Deserialize, Serialize};

use crate::wire::{Compression, Secret};

/// The port of a server that nobody moved.
pub const DEFAULT_PORT: u16 = 3306;
/// Where servers put their socket unless told otherwise: Debian and its kin, then MySQL's own
/// packages.
const USUAL_SOCKETS: [&str; 3] =
    ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];
/// How long a connection may take to be made and logged in.
const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 10_000;
/// How long either side of a session may stall before it counts as dead: one hour.
const DEFAULT_STALL_BUDGET_MS: u64 = 3_600_000;

/// Everything that opening a session needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectOptions {
    /// Name or address. With neither host, port nor socket the usual local socket is tried, then
    /// `127.0.0.1`. With `socket`, it only names the server for `VERIFY_IDENTITY`.
    pub host: Option<String>,
    /// TCP port; 3306 without one.
    pub port: Option<u16>,
    /// Path of a Unix socket, which wins over host and port.
    pub socket: Option<PathBuf>,
    /// Account name.
    pub user: String,
    /// Password. Never serialised: it travels by its own way.
    #[serde(skip)]
    pub password: Option<Secret>,
    /// Encryption.
    pub ssl: Ssl,
    /// Compression of the packets; without one they go as they are.
    pub compression: Option<Compression>,
    /// Milliseconds for connecting and logging in together.
    pub connect_timeout_ms: u64,
    /// Milliseconds that either side may keep the other waiting: the read and write time-outs of
    /// the socket, and the server's session time-outs for bulk sessions.
    pub stall_budget_ms: u64,
    /// Statements to run right after the login, in this order.
    pub init_statements: Vec<String>,
    /// Names and values that the server tells of the session in
    /// `performance_schema.session_connect_attrs`, beside those that every session has.
    pub attributes: Vec<(String, String)>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            socket: None,
            user: String::from("root"),
            password: None,
            ssl: Ssl::default(),
            compression: None,
            connect_timeout_ms: DEFAULT_CONNECT_TIMEOUT_MS,
            stall_budget_ms: DEFAULT_STALL_BUDGET_MS,
            init_statements: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

impl ConnectOptions {
    /// What the host's document says, with the password that goes with it.
    #[must_use]
    pub fn from_document(document: &ConnectionDocument, password: Option<Secret>) -> Self {
        Self {
            host: document.host.clone(),
            port: document.port,
            socket: document.socket.clone(),
            user: document.user.clone(),
            password,
            ssl: document.ssl.clone(),
            compression: None,
            connect_timeout_ms: document.connect_timeout_ms,
            stall_budget_ms: document.stall_budget_ms,
            init_statements: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// Where these options lead.
    #[must_use]
    pub fn address(&self) -> Address {
        if let Some(path) = &self.socket {
            return Address::Unix(path.clone());
        }
        let port = self.port.unwrap_or(DEFAULT_PORT);
        if let Some(host) = &self.host {
            return Address::Tcp { host: host.clone(), port };
        }
        let usual = USUAL_SOCKETS.iter().map(Path::new).find(|path| path.exists());
        match usual {
            Some(path) if self.port.is_none() => Address::Unix(path.to_owned()),
            _ => Address::Tcp { host: String::from("127.0.0.1"), port },
        }
    }

    /// Time for connecting and logging in together.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms.max(1))
    }

    /// Time that either side may keep the other waiting.
    #[must_use]
    pub fn stall_budget(&self) -> Duration {
        Duration::from_millis(self.stall_budget_ms.max(1))
    }
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp {
        /// Name or IP address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
