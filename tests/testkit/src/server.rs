//! Real servers: each test gets its own, started on a copy of a prepared data directory.
mod account;
mod command_line;
mod keyring;
mod options;
mod session;
mod template;
mod tls;

pub use account::{Account, AuthPlugin};
pub use options::{ServerOptions, Tls};
pub use session::Session;
pub use template::{ADMIN_PASSWORD, ADMIN_USER};

use crate::fetch::{Flavor, ServerTree};
use crate::port::Port;
use crate::process::OwnedProcess;
use crate::scratch::Scratch;
use crate::wait::wait_until;
use anyhow::{Context, Result, bail};
use mysql_async::prelude::FromRow;
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server may take to accept connections, crash recovery included.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// How long a server may take to shut down.
const STOP_DEADLINE: Duration = Duration::from_secs(120);
/// How many ports are tried if another program takes ours in the meantime.
const PORT_ATTEMPTS: u32 = 5;

/// A running server that listens on 127.0.0.1 and on a Unix socket. Dropping it kills it and
/// removes its files.
#[derive(Debug)]
pub struct Server {
    process: Option<OwnedProcess>,
    tree: ServerTree,
    options: ServerOptions,
    datadir: PathBuf,
    port: Port,
    scratch: Scratch,
}

impl Server {
    /// Fetches the server if need be and starts it with an empty, initialised data directory.
    ///
    /// `root` has no password on the socket; [`ADMIN_USER`] with [`ADMIN_PASSWORD`] may do
    /// everything, over TCP too. TLS, the binary log and GTIDs are on; on MySQL the clone plugin
    /// is installed.
    ///
    /// # Errors
    /// The server cannot be fetched, or does not start: the error holds the tail of its log.
    pub fn start(flavor: Flavor, options: ServerOptions) -> Result<Self> {
        let tree = ServerTree::fetch(flavor)?;
        let scratch = options.scratch()?;
        let datadir = scratch.join("data");
        template::copy_to(&tree, options.page_size_kib, &datadir)?;
        Self::launch(tree, options, datadir, scratch)
    }

    /// As [`Server::start`], with its data directory at a place where nothing is yet, and where it
    /// stays when the server is dropped.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub fn start_at(flavor: Flavor, datadir: &Path, options: ServerOptions) -> Result<Self> {
        let tree = ServerTree::fetch(flavor)?;
        template::copy_to(&tree, options.page_size_kib, datadir)?;
        Self::start_on(flavor, datadir, options)
    }

    /// Starts a server on a data directory that exists, such as a restored one. The directory
    /// stays when the server is dropped.
    ///
    /// # Errors
    /// As for [`Server::start`].
    pub fn start_on(flavor: Flavor, datadir: &Path, options: ServerOptions) -> Result<Self> {
        let tree = ServerTree::fetch(flavor)?;
        let scratch = options.scratch()?;
        Self::launch(tree, options, datadir.to_owned(), scratch)
    }

    fn launch(
        tree: ServerTree,
        options: ServerOptions,
        datadir: PathBuf,
        scratch: Scratch,
    ) -> Result<Self> {
        let port = Port::lease()?;
        let mut server = Self { process: None, tree, options, datadir, port, scratch };
        tls::provide(&server.options, server.scratch.path())?;
        keyring::provide(&server)?;
        for _ in 1..PORT_ATTEMPTS {
            match server.begin() {
                Err(error) if format!("{error:#}").contains("already in use") => {
                    server.port = Port::lease()?;
                }
                outcome => return outcome.map(|()| server),
            }
        }
        server.begin()?;
        Ok(server)
    }

    /// Starts the process and waits until it accepts connections.
    fn begin(&mut self) -> Result<()> {
        let arguments = command_line::arguments(self)?;
        let output = File::options().create(true).append(true).open(self.output_path())?;
        let errors = output.try_clone()?;
        let log_before = self.error_log()?.len();
        let process = OwnedProcess::spawn(self.tree.mysqld_path(), |command| {
            command.args(arguments).stdin(std::process::Stdio::null());
            command.stdout(output).stderr(errors);
        })?;
        self.process = Some(process);
        let name = self.tree.flavor().name();
        let ready = wait_until(&format!("{name} accepts connections"), START_DEADLINE, || {
            if let Some(status) = self.process()?.exited()? {
                bail!("{name} ended with {status} while it was starting");
            }
            Ok(self.socket().exists() && Session::connect(&self.socket_options()).is_ok())
        });
        ready.with_context(|| {
            let log = self.error_log().unwrap_or_default();
            let output = fs::read_to_string(self.output_path()).unwrap_or_default();
            format!("{}{output}", tail(log.get(log_before..).unwrap_or(&log)))
        })
    }

    /// Kills the server as a power cut of its process would, and waits until it is gone.
    ///
    /// # Errors
    /// The server is not running.
    pub fn kill9(&mut self) -> Result<()> {
        self.process()?.signal(Signal::KILL)?;
        self.process()?.wait(STOP_DEADLINE)?;
        self.process = None;
        Ok(())
    }

    /// Shuts the server down cleanly and waits until it is gone.
    ///
    /// # Errors
    /// The server is not running, or its shutdown goes wrong.
    pub fn stop(&mut self) -> Result<()> {
        self.process()?.signal(Signal::TERM)?;
        let status = self.process()?.wait(STOP_DEADLINE)?;
        self.process = None;
        if !status.success() {
            bail!("the server ended with {status}: {}", tail(&self.error_log()?));
        }
        Ok(())
    }

    /// Starts the server again on the same port and data directory, shutting it down first if it
    /// is running.
    ///
    /// # Errors
    /// As for [`Server::stop`] and [`Server::start`].
    pub fn restart(&mut self) -> Result<()> {
        if self.process.is_some() {
            self.stop()?;
        }
        self.begin()
    }

    /// Changes the options that the next [`Server::restart`] uses.
    pub fn options_mut(&mut self) -> &mut ServerOptions {
        &mut self.options
    }

    /// Whether the server's process is alive.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.exited(), Ok(None)))
    }

    /// Runs one or more statements, separated by semicolons, as root.
    ///
    /// # Errors
    /// The server is gone or refuses a statement.
    pub fn sql(&self, statements: &str) -> Result<()> {
        self.session()?.run(statements)
    }

    /// Runs a query as root and returns its rows.
    ///
    /// # Errors
    /// The server is gone or refuses the query.
    pub fn rows<T: FromRow + Send + 'static>(&self, query: &str) -> Result<Vec<T>> {
        self.session()?.rows(query)
    }

    /// Runs a query as root that gives exactly one row.
    ///
    /// # Errors
    /// The server is gone, refuses the query, or gives another number of rows.
    pub fn row<T: FromRow + Send + 'static>(&self, query: &str) -> Result<T> {
        self.session()?.row(query)
    }

    /// Opens a session as root over the socket.
    ///
    /// # Errors
    /// The server is gone or out of connections.
    pub fn session(&self) -> Result<Session> {
        Session::connect(&self.socket_options())
    }

    /// Opens a session over TCP, without TLS.
    ///
    /// # Errors
    /// The server is gone or refuses the account.
    pub fn session_as(&self, user: &str, password: &str) -> Result<Session> {
        let options = mysql_async::OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port())
            .prefer_socket(false)
            .user(Some(user))
            .pass(Some(password));
        Session::connect(&options)
    }

    /// Waits until a client can write, as after a backup that should have let go of the source.
    ///
    /// # Errors
    /// A write does not succeed within `deadline`.
    pub fn expect_writable_within(&self, deadline: Duration) -> Result<()> {
        let mut session = self.session()?;
        let seconds = deadline.as_secs().max(1);
        session.run(&format!("SET lock_wait_timeout = {seconds}"))?;
        session.run("CREATE DATABASE IF NOT EXISTS testkit_probe")?;
        session.run("CREATE OR REPLACE VIEW testkit_probe.is_writable AS SELECT 1")?;
        session.run("DROP DATABASE testkit_probe").context("the server is not writable")
    }

    /// The flavour of this server.
    pub fn flavor(&self) -> Flavor {
        self.tree.flavor()
    }

    /// The programs and plugins of this server.
    pub fn tree(&self) -> &ServerTree {
        &self.tree
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.scratch.join("s.sock")
    }

    /// The data directory.
    pub fn datadir(&self) -> &Path {
        &self.datadir
    }

    /// The file with a MySQL server's keys, for a server with a
    /// [`keyring`](ServerOptions::keyring).
    pub fn keyring_path(&self) -> PathBuf {
        self.scratch.join("keyring")
    }

    /// The process id of the server.
    ///
    /// # Errors
    /// The server is not running.
    pub fn pid(&mut self) -> Result<u32> {
        Ok(self.process()?.id())
    }

    /// The certificate of the authority that signed the server's certificate, if TLS is on.
    pub fn ca_path(&self) -> Option<PathBuf> {
        if !self.flavor().has_tls() {
            return None;
        }
        match (self.options.tls, self.flavor().is_mariadb()) {
            (Tls::Off, _) | (Tls::OwnCertificates, true) => None,
            (Tls::OwnCertificates, false) => Some(self.datadir.join("ca.pem")),
            (Tls::Issued, _) => Some(tls::ca_path(self.scratch.path())),
        }
    }

    /// What the server has logged so far.
    ///
    /// # Errors
    /// The log is not readable.
    pub fn error_log(&self) -> Result<String> {
        match fs::read(self.error_log_path()) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).context("read the server's error log"),
        }
    }

    /// The arguments that make `dbbackup` connect as [`ADMIN_USER`] over TCP; the password goes
    /// into `MYSQL_PWD`.
    pub fn connection_args(&self) -> Vec<String> {
        let port = self.port().to_string();
        ["--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER].map(str::to_owned).to_vec()
    }

    /// The same as an option file for stock clients, to be given as `--defaults-file`.
    ///
    /// # Errors
    /// The scratch directory is full.
    pub fn defaults_file(&self) -> Result<PathBuf> {
        let path = self.scratch.join("client.cnf");
        let text = format!(
            "[client]\nhost=127.0.0.1\nport={}\nuser={ADMIN_USER}\npassword={ADMIN_PASSWORD}\n",
            self.port()
        );
        fs::write(&path, text).context("write the option file")?;
        Ok(path)
    }

    pub(crate) fn socket_options(&self) -> mysql_async::OptsBuilder {
        mysql_async::OptsBuilder::default()
            .user(Some("root"))
            .socket(self.socket().to_str())
            .prefer_socket(true)
    }

    fn process(&mut self) -> Result<&mut OwnedProcess> {
        self.process.as_mut().context("the server is not running")
    }

    fn error_log_path(&self) -> PathBuf {
        self.scratch.join("error.log")
    }

    fn output_path(&self) -> PathBuf {
        self.scratch.join("output.log")
    }
}

fn tail(log: &str) -> String {
    const LINES: usize = 15;
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}
