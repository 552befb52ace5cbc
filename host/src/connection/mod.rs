//! Where the server is and how to log in: resolved from flags, option files, environment and
//! configuration, then opened.
//!
//! Each value comes from the first of these that has it: flags; an option file named by a flag;
//! the environment; the configuration file; the usual option files. Host and socket are one
//! decision: the first source that names either decides. With neither, the usual local socket is
//! taken, or 127.0.0.1 if there is none or a port is named.
mod error;
mod password;
mod session;

pub use error::{ServerError, ServerSaid};
pub use password::PasswordSource;
pub(crate) use password::from_file as password_from_file;
pub(crate) use session::LOCK_WAIT_TIMEOUT;
pub use session::Session;

use crate::{
    config::{ConfigError, ConnectionConfig},
    env,
    option_file::{OptionFileValues, OptionFiles},
    supervisor::CancelFlag,
};
use dbbackup_plugin_api::document::connection::{ConnectionDocument, SslDocument, SslMode};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// Time limit of one attempt to connect.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server waits for us when our target is slow.
pub const STALL_BUDGET: Duration = Duration::from_secs(3600);

/// Where servers put their socket, in the order in which they are tried.
const USUAL_SOCKETS: [&str; 4] = [
    "/var/run/mysqld/mysqld.sock",
    "/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

/// Port of a server where none is named.
const DEFAULT_PORT: u16 = 3306;

/// What the command line says about the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFlags {
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--user`.
    pub user: Option<String>,
    /// `--ssl-mode`.
    pub ssl_mode: Option<SslMode>,
    /// `--ssl-ca`.
    pub ssl_ca: Option<PathBuf>,
    /// `--ssl-capath`.
    pub ssl_capath: Option<PathBuf>,
    /// `--ssl-cert`.
    pub ssl_cert: Option<PathBuf>,
    /// `--ssl-key`.
    pub ssl_key: Option<PathBuf>,
    /// Where the password comes from, if a flag says so.
    pub password: PasswordSource,
}

/// A server and an account, with the password apart. `Debug` never prints the password.
#[derive(Clone, Default)]
pub struct Connection {
    /// Everything but the password.
    pub document: ConnectionDocument,
    password: Option<Zeroizing<Vec<u8>>>,
    cancel: CancelFlag,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.document).finish()
    }
}

impl Connection {
    /// Resolves every value, reads the password, and checks that the TLS files can be read.
    ///
    /// # Errors
    /// [`ConfigError`]: values that contradict each other, or files that cannot be read.
    pub fn resolve(
        flags: &ConnectionFlags,
        files: &OptionFiles,
        config: &ConnectionConfig,
    ) -> Result<Self, ConfigError> {
        let sources = [
            Source::of_flags(flags),
            Source::of_file(&files.named),
            Source::of_environment()?,
            Source::of_config(config),
            Source::of_file(&files.usual),
        ];
        let address = Address::choose(&sources);
        let user = first(&sources, |source| source.user.clone()).or_else(env::login_name);
        let ssl = ssl(&sources, &address)?;
        let (host, port, socket) = match address {
            Address::Tcp { host, port } => (Some(host), Some(port), None),
            Address::Socket(path) => (None, None, Some(path)),
        };
        let document = ConnectionDocument {
            host,
            port,
            socket,
            user: user.unwrap_or_default(),
            ssl,
            connect_timeout_ms: milliseconds(CONNECT_TIMEOUT),
            stall_budget_ms: milliseconds(STALL_BUDGET),
            extra: Default::default(),
        };
        let password = password::resolve(flags, files, config)?;
        Ok(Self { document, password, cancel: CancelFlag::new() })
    }

    /// A connection from its parts, for callers of the library.
    pub fn new(document: ConnectionDocument, password: Option<Vec<u8>>) -> Self {
        Self { document, password: password.map(Zeroizing::new), cancel: CancelFlag::new() }
    }

    /// The same connection, whose sessions of the host wait for no server any more once `cancel` is
    /// raised.
    #[must_use]
    pub fn cancelled_by(self, cancel: &CancelFlag) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// The password, if there is one.
    pub fn password(&self) -> Option<&[u8]> {
        self.password.as_ref().map(|password| password.as_slice())
    }

    /// The address for people: `host:port`, or the path of the socket.
    pub fn address(&self) -> String {
        match (&self.document.socket, &self.document.host) {
            (Some(socket), _) => socket.display().to_string(),
            (None, Some(host)) if host.contains(':') => format!("[{host}]:{}", self.port()),
            (None, host) => format!("{}:{}", host.as_deref().unwrap_or("127.0.0.1"), self.port()),
        }
    }

    /// Host name for the name of an artefact; `localhost` for a socket.
    pub fn host_label(&self) -> &str {
        match &self.document.socket {
            Some(_) => "localhost",
            None => self.document.host.as_deref().unwrap_or("localhost"),
        }
    }

    fn port(&self) -> u16 {
        self.document.port.unwrap_or(DEFAULT_PORT)
    }
}

/// What one source says.
#[derive(Default)]
struct Source {
    host: Option<String>,
    port: Option<u16>,
    socket: Option<PathBuf>,
    user: Option<String>,
    ssl: SslValues,
}

#[derive(Clone, Default)]
struct SslValues {
    mode: Option<SslMode>,
    ca: Option<PathBuf>,
    capath: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Source {
    fn of_flags(flags: &ConnectionFlags) -> Self {
        let flags = flags.clone();
        let ssl = SslValues {
            mode: flags.ssl_mode,
            ca: flags.ssl_ca,
            capath: flags.ssl_capath,
            cert: flags.ssl_cert,
            key: flags.ssl_key,
        };
        Self { host: flags.host, port: flags.port, socket: flags.socket, user: flags.user, ssl }
    }

    fn of_file(file: &OptionFileValues) -> Self {
        let file = file.clone();
        let ssl = SslValues {
            mode: file.ssl_mode,
            ca: file.ssl_ca,
            capath: file.ssl_capath,
            cert: file.ssl_cert,
            key: file.ssl_key,
        };
        Self { host: file.host, port: file.port, socket: file.socket, user: file.user, ssl }
    }

    fn of_environment() -> Result<Self, ConfigError> {
        let name = "MYSQL_TCP_PORT";
        let port = env::mysql_tcp_port().map(|text| {
            text.parse().map_err(|_| ConfigError::Environment {
                name,
                problem: format!("{text:?} is no port number"),
            })
        });
        let (host, socket) = (env::mysql_host(), env::mysql_unix_port());
        Ok(Self { host, port: port.transpose()?, socket, ..Self::default() })
    }

    fn of_config(config: &ConnectionConfig) -> Self {
        let config = config.clone();
        let ssl = SslValues {
            mode: config.ssl_mode,
            ca: config.ssl_ca,
            capath: config.ssl_capath,
            cert: config.ssl_cert,
            key: config.ssl_key,
        };
        Self { host: config.host, port: config.port, socket: config.socket, user: config.user, ssl }
    }
}

fn first<T>(sources: &[Source], value: impl Fn(&Source) -> Option<T>) -> Option<T> {
    sources.iter().find_map(value)
}

enum Address {
    Tcp { host: String, port: u16 },
    Socket(PathBuf),
}

impl Address {
    fn choose(sources: &[Source]) -> Self {
        let port = first(sources, |source| source.port);
        let tcp =
            |host: &str| Self::Tcp { host: host.to_owned(), port: port.unwrap_or(DEFAULT_PORT) };
        let deciding = sources.iter().find(|source| {
            source.host.is_some() || source.socket.is_some() || source.port.is_some()
        });
        let Some(source) = deciding else {
            return Self::usual_socket().unwrap_or_else(|| tcp("127.0.0.1"));
        };
        match (&source.host, &source.socket) {
            (Some(host), Some(socket)) if host == "localhost" => Self::Socket(socket.clone()),
            (Some(host), None) if host == "localhost" && source.port.is_none() => {
                let socket = first(sources, |source| source.socket.clone());
                let socket = socket.map(Self::Socket).or_else(Self::usual_socket);
                socket.unwrap_or_else(|| tcp("127.0.0.1"))
            }
            (Some(host), _) => tcp(host),
            (None, Some(socket)) => Self::Socket(socket.clone()),
            (None, None) => tcp(&first(sources, |source| source.host.clone())
                .unwrap_or_else(|| "127.0.0.1".to_owned())),
        }
    }

    fn usual_socket() -> Option<Self> {
        let sockets = USUAL_SOCKETS.into_iter().map(Path::new);
        sockets.into_iter().find(|path| path.exists()).map(|path| Self::Socket(path.to_owned()))
    }
}

fn ssl(sources: &[Source], address: &Address) -> Result<SslDocument, ConfigError> {
    let ca = first(sources, |source| source.ssl.ca.clone());
    let capath = first(sources, |source| source.ssl.capath.clone());
    let cert = first(sources, |source| source.ssl.cert.clone());
    let key = first(sources, |source| source.ssl.key.clone());
    let mode = first(sources, |source| source.ssl.mode);
    let anchored = ca.is_some() || capath.is_some();
    // The stock client verifies the authority as soon as one is named, unless told otherwise.
    let default = if anchored { SslMode::VerifyCa } else { SslMode::Preferred };
    let mode = mode.unwrap_or(default);
    if cert.is_some() != key.is_some() {
        let text = "the client's certificate and its key are only used together";
        return Err(ConfigError::Contradiction(format!("{text}: give ssl-cert and ssl-key")));
    }
    if matches!(mode, SslMode::VerifyCa | SslMode::VerifyIdentity) && !anchored {
        return Err(ConfigError::Contradiction(format!(
            "ssl-mode {} needs the authorities to trust: give ssl-ca or ssl-capath",
            name_of(mode)
        )));
    }
    let demands = !matches!(mode, SslMode::Disabled | SslMode::Preferred);
    if let (Address::Socket(path), true, true) = (address, demands, explicit_mode(sources)) {
        return Err(ConfigError::Contradiction(format!(
            "ssl-mode {} cannot be met on the socket {}: name a host for TCP",
            name_of(mode),
            path.display()
        )));
    }
    for file in [&ca, &cert, &key].into_iter().flatten() {
        std::fs::File::open(file)
            .map_err(|source| ConfigError::Read { file: file.clone(), source })?;
    }
    Ok(SslDocument { mode, ca, capath, cert, key })
}

fn explicit_mode(sources: &[Source]) -> bool {
    sources.iter().any(|source| source.ssl.mode.is_some())
}

/// The mode as the stock client writes it.
pub fn name_of(mode: SslMode) -> &'static str {
    match mode {
        SslMode::Disabled => "DISABLED",
        SslMode::Preferred => "PREFERRED",
        SslMode::Required => "REQUIRED",
        SslMode::VerifyCa => "VERIFY_CA",
        SslMode::VerifyIdentity => "VERIFY_IDENTITY",
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
