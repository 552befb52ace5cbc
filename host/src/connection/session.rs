//! A session with the server for the few statements that the host itself runs.
//!
//! It blocks: a runtime of one thread lives inside, so that nothing asynchronous leaves this file.
use super::{Connection, ServerError, error::ServerSaid, name_of};
use crate::supervisor::{CancelCause, CancelFlag};
use dbbackup_plugin_api::document::connection::{SslDocument, SslMode};
use mysql_async::{
    ClientIdentity, Conn, DriverError, OptsBuilder, Row, ServerError as WireError, SslOpts,
    prelude::Queryable,
};
use std::{path::PathBuf, time::Duration};
use tokio::runtime::Runtime;

/// Longest time that one of our statements may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(120);

/// Longest wait of a statement for a table that others make or change at the moment. Servers answer
/// without what they could not look at then.
const DDL_WAIT: Duration = Duration::from_secs(2);
/// How often a session that waits for the server looks whether the run is cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);
/// `ER_LOCK_WAIT_TIMEOUT`.
pub(crate) const LOCK_WAIT_TIMEOUT: u16 = 1205;

/// Server errors that mean "this account or password is refused".
const ACCESS_DENIED: [u16; 6] = [1044, 1045, 1130, 1698, 1862, 3118];

/// An open session. Dropping it closes the connection without a farewell.
pub struct Session {
    runtime: Runtime,
    connection: Option<Conn>,
    address: String,
    cancel: CancelFlag,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Session {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`ServerError`]: unreachable, refused, without the encryption that was demanded, or cancelled.
    pub fn open(to: &Connection) -> Result<Self, ServerError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| ServerError::Runtime { source })?;
        let address = to.address();
        let opened = match runtime.block_on(connect(to, tls(to)?)) {
            // PREFERRED means: encrypted if the server can, else not.
            Err(Refusal::Driver(mysql_async::Error::Driver(
                DriverError::NoClientSslFlagFromServer,
            ))) if to.document.ssl.mode == SslMode::Preferred => {
                runtime.block_on(connect(to, None))
            }
            outcome => outcome,
        };
        let connection = match opened {
            Ok(connection) => connection,
            Err(refusal) => {
                // A name server that says nothing would be waited for.
                runtime.shutdown_background();
                return Err(refusal.classify(to));
            }
        };
        let cancel = to.cancel.clone();
        Ok(Self { runtime, connection: Some(connection), address, cancel })
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// [`ServerError::Statement`] with `step` as what was being done, and [`ServerError::Cancelled`].
    pub fn rows(&mut self, step: &'static str, query: &str) -> Result<Vec<Row>, ServerError> {
        match self.try_rows(query) {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.classify(step, error)),
        }
    }

    /// Rows of a query that this kind of server may not know or this account may not run: then
    /// none. A lost connection and a wait in vain are errors all the same.
    ///
    /// # Errors
    /// [`ServerError::Statement`] if the connection is gone, or others' DDL was in the way, and
    /// [`ServerError::Cancelled`].
    pub fn rows_if_known(
        &mut self,
        step: &'static str,
        query: &str,
    ) -> Result<Option<Vec<Row>>, ServerError> {
        match self.try_rows(query) {
            Ok(rows) => Ok(Some(rows)),
            Err(Failed::Driver(mysql_async::Error::Server(error)))
                if error.code != LOCK_WAIT_TIMEOUT =>
            {
                tracing::debug!(step, code = error.code, "the server does not answer this");
                Ok(None)
            }
            Err(error) => Err(self.classify(step, error)),
        }
    }

    /// Says farewell.
    ///
    /// # Errors
    /// [`ServerError::Statement`] if the connection broke before.
    pub fn close(mut self) -> Result<(), ServerError> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        self.runtime.block_on(connection.disconnect()).map_err(|error| ServerError::Statement {
            step: "close the session",
            address: self.address.clone(),
            source: cause(error),
        })
    }

    fn try_rows(&mut self, query: &str) -> Result<Vec<Row>, Failed> {
        let Some(connection) = &mut self.connection else { return Err(Failed::Closed) };
        // The timer is made inside, because it looks for its runtime when it is made.
        let work = async { tokio::time::timeout(STATEMENT_TIMEOUT, connection.query(query)).await };
        match self.runtime.block_on(unless_cancelled(&self.cancel, work)) {
            Ok(Ok(rows)) => rows.map_err(Failed::Driver),
            Ok(Err(_)) => Err(Failed::Slow),
            Err(cause) => Err(Failed::Cancelled(cause)),
        }
    }

    fn classify(&self, step: &'static str, failed: Failed) -> ServerError {
        let source = match failed {
            Failed::Driver(error) => cause(error),
            Failed::Cancelled(cause) => {
                return ServerError::Cancelled { address: self.address.clone(), cause };
            }
            Failed::Slow => format!("no answer within {} s", STATEMENT_TIMEOUT.as_secs()).into(),
            Failed::Closed => "it is closed".into(),
        };
        ServerError::Statement { step, address: self.address.clone(), source }
    }
}

enum Failed {
    Driver(mysql_async::Error),
    Slow,
    Cancelled(CancelCause),
    Closed,
}

/// What comes of `work`, unless the run is cancelled before it is done.
async fn unless_cancelled<T>(
    cancel: &CancelFlag,
    work: impl Future<Output = T>,
) -> Result<T, CancelCause> {
    let cancelled = async {
        loop {
            if let Some(cause) = cancel.cause() {
                return cause;
            }
            tokio::time::sleep(CANCEL_POLL).await;
        }
    };
    tokio::select! {
        done = work => Ok(done),
        cause = cancelled => Err(cause),
    }
}

enum Refusal {
    Driver(mysql_async::Error),
    Timeout(Duration),
    Cancelled(CancelCause),
}

async fn connect(to: &Connection, tls: Option<SslOpts>) -> Result<Conn, Refusal> {
    let document = &to.document;
    let limit = Duration::from_millis(document.connect_timeout_ms.max(1));
    // What is no UTF-8 was refused where the password was read, or comes from a caller of the library.
    let password = to.password().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut options = OptsBuilder::default()
        .user(Some(document.user.clone()))
        .pass(password)
        .prefer_socket(document.socket.is_some())
        .ssl_opts(tls)
        .init(vec![format!("SET SESSION lock_wait_timeout = {}", DDL_WAIT.as_secs())])
        .stmt_cache_size(0);
    options = match &document.socket {
        Some(socket) => options.socket(Some(socket.to_string_lossy().into_owned())),
        None => options
            .ip_or_hostname(document.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()))
            .tcp_port(document.port.unwrap_or(super::DEFAULT_PORT)),
    };
    let opening = tokio::time::timeout(limit, Conn::new(options));
    match unless_cancelled(&to.cancel, opening).await {
        Ok(Ok(opened)) => opened.map_err(Refusal::Driver),
        Ok(Err(_)) => Err(Refusal::Timeout(limit)),
        Err(cause) => Err(Refusal::Cancelled(cause)),
    }
}

/// mysql_async recognises a mismatched host name by this word in the error's text, but rustls has
/// not written it for long. With the word as the expected name it is there again, and only a chain
/// that was verified before gets that far: exactly what VERIFY_CA means.
const NAME_THAT_MATCHES_NOTHING: &str = "NotValidForName.invalid";

fn tls(to: &Connection) -> Result<Option<SslOpts>, ServerError> {
    let ssl = &to.document.ssl;
    if ssl.mode == SslMode::Disabled || to.document.socket.is_some() {
        return Ok(None);
    }
    let identity = ssl.cert.clone().zip(ssl.key.clone());
    let identity = identity.map(|(cert, key)| ClientIdentity::new(cert.into(), key.into()));
    let options = SslOpts::default().with_client_identity(identity);
    let options = match ssl.mode {
        SslMode::Disabled | SslMode::Preferred | SslMode::Required => {
            options.with_danger_accept_invalid_certs(true)
        }
        SslMode::VerifyCa => authorities(to, ssl, options)?
            .with_danger_skip_domain_validation(true)
            .with_danger_tls_hostname_override(Some(NAME_THAT_MATCHES_NOTHING)),
        SslMode::VerifyIdentity => authorities(to, ssl, options)?,
    };
    Ok(Some(options))
}

fn authorities(
    to: &Connection,
    ssl: &SslDocument,
    options: SslOpts,
) -> Result<SslOpts, ServerError> {
    let mut files: Vec<PathBuf> = ssl.ca.iter().cloned().collect();
    if let Some(directory) = &ssl.capath {
        let failed = |source: std::io::Error| ServerError::Tls {
            address: to.address(),
            mode: name_of(ssl.mode),
            source: format!("read {}: {source}", directory.display()).into(),
        };
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_file() {
                files.push(path);
            }
        }
    }
    let roots = files.into_iter().map(Into::into).collect();
    Ok(options.with_root_certs(roots).with_disable_built_in_roots(true))
}

impl Refusal {
    fn classify(self, to: &Connection) -> ServerError {
        let address = to.address();
        let mode = name_of(to.document.ssl.mode);
        let error = match self {
            Self::Timeout(limit) => {
                return ServerError::ConnectTimeout { address, seconds: limit.as_secs() };
            }
            Self::Cancelled(cause) => return ServerError::Cancelled { address, cause },
            Self::Driver(error) => error,
        };
        match error {
            mysql_async::Error::Server(error) if ACCESS_DENIED.contains(&error.code) => {
                let user = to.document.user.clone();
                ServerError::AccessDenied { address, user, source: said(&error) }
            }
            mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                let source = "the server offers no encryption".into();
                ServerError::Tls { address, mode, source }
            }
            mysql_async::Error::Io(mysql_async::IoError::Tls(error)) => {
                ServerError::Tls { address, mode, source: error.to_string().into() }
            }
            mysql_async::Error::Io(mysql_async::IoError::Io(error)) if is_tls(&error) => {
                ServerError::Tls { address, mode, source: Box::new(error) }
            }
            error => ServerError::Unreachable { address, source: cause(error) },
        }
    }
}

/// The handshake's failures come wrapped in an I/O error of the TLS library.
fn is_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some() && error.kind() == std::io::ErrorKind::InvalidData
}

fn said(error: &WireError) -> ServerSaid {
    ServerSaid { code: error.code, message: error.message.clone() }
}

/// The innermost error: the driver's own types repeat their causes in their text.
fn cause(error: mysql_async::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        mysql_async::Error::Io(mysql_async::IoError::Io(error)) => Box::new(error),
        mysql_async::Error::Server(error) => Box::new(said(&error)),
        mysql_async::Error::Driver(error) => Box::new(error),
        error => Box::new(error),
    }
}
