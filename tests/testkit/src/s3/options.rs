//! What a test may choose about its store.
use crate::scratch::Scratch;
use anyhow::Result;
use std::path::PathBuf;

/// The software that is the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum S3Store {
    /// SeaweedFS, fetched in seconds: in every run of the tests. It does not look at
    /// `x-amz-content-sha256`.
    #[default]
    SeaweedFs,
    /// Garage, built in minutes while the cache is cold: for acceptance and benchmarks. It ignores
    /// encryption, `If-None-Match` and object lock in silence, and has no TLS.
    Garage,
}

/// Options of a store; the default is what most tests want.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    pub(super) store: S3Store,
    pub(super) has_tls: bool,
    pub(super) arguments: Vec<String>,
    pub(super) parent: Option<PathBuf>,
    pub(super) further_nodes: usize,
}

impl S3Options {
    /// Chooses the software.
    #[must_use]
    pub fn store(mut self, store: S3Store) -> Self {
        self.store = store;
        self
    }

    /// Serves `https` too, with a certificate for 127.0.0.1 from an authority made for this store.
    /// SeaweedFS alone can.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.has_tls = true;
        self
    }

    /// Adds an argument to the store's own command line, such as `-s3.port.iceberg=0`.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds so many volume servers, each in a process of its own that can be killed, and keeps
    /// everything on two of them all. SeaweedFS alone can.
    #[must_use]
    pub fn further_nodes(mut self, count: usize) -> Self {
        self.further_nodes = count;
        self
    }

    /// Puts what is stored below `parent`, such as a small disk that is to become full.
    #[must_use]
    pub fn under(mut self, parent: impl Into<PathBuf>) -> Self {
        self.parent = Some(parent.into());
        self
    }

    pub(super) fn scratch(&self) -> Result<Scratch> {
        match &self.parent {
            Some(parent) => Scratch::under(parent),
            None => Scratch::new(),
        }
    }
}
