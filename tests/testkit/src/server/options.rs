//! What a test may choose about its server.
use crate::scratch::Scratch;
use anyhow::Result;
use std::path::PathBuf;

/// Options of a server; the default is what most tests want.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    pub(crate) tls: Tls,
    pub(crate) without_binlog: bool,
    pub(crate) durable: bool,
    pub(crate) arguments: Vec<String>,
    pub(crate) parent: Option<PathBuf>,
    pub(crate) keyring: bool,
    pub(crate) keyring_of: Option<PathBuf>,
    pub(crate) page_size_kib: Option<u32>,
}

/// Where the server's certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// From an authority made for this server, valid for `localhost` and 127.0.0.1.
    #[default]
    Issued,
    /// What the server makes itself: MySQL one without a host name, MariaDB 10.11 none.
    OwnCertificates,
    /// The server has no TLS.
    Off,
}

impl ServerOptions {
    /// Chooses the certificate.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Starts the server without a binary log.
    #[must_use]
    pub fn without_binlog(mut self) -> Self {
        self.without_binlog = true;
        self
    }

    /// Syncs at every commit as a production server does. Without it commits survive
    /// [`kill9`](super::Server::kill9) all the same, but would not survive a crash of the machine.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// Adds a server option, such as `--innodb-page-size=8k`; it wins over the kit's own.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Puts data directory, socket and logs below `parent`, such as a mounted volume.
    #[must_use]
    pub fn under(mut self, parent: impl Into<PathBuf>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    /// Gives the server a keyring, so that tables may be encrypted: `component_keyring_file` on
    /// MySQL, `file_key_management` with the keys 1 and 2 on MariaDB.
    #[must_use]
    pub fn keyring(mut self) -> Self {
        self.keyring = true;
        self
    }

    /// Gives the server a copy of another MySQL server's keyring, see
    /// [`keyring_path`](super::Server::keyring_path).
    #[must_use]
    pub fn keyring_of(mut self, file: impl Into<PathBuf>) -> Self {
        self.keyring_of = Some(file.into());
        self.keyring()
    }

    /// Chooses `innodb_page_size` in KiB. The data directory is then initialised for this test
    /// alone, which takes seconds, and knows no account but `root` on the socket.
    #[must_use]
    pub fn page_size_kib(mut self, kib: u32) -> Self {
        self.page_size_kib = Some(kib);
        self
    }

    pub(crate) fn scratch(&self) -> Result<Scratch> {
        match &self.parent {
            Some(parent) => Scratch::under(parent),
            None => Scratch::new(),
        }
    }
}
