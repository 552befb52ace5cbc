//! Engine `clone`: the files of a MySQL server, consistent at one instant, over the server's own clone
//! protocol and an ordinary connection. No agent on the database host, no temporary disk.

mod artefact;
mod error;
mod options;
mod protocol;
mod rpc;

use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, Failure, Host, Sink,
    document::{assessment::Assessment, backup::BackupSummary, environment::Environment},
    export_plugin,
};

#[doc(hidden)]
pub use crate::rpc::inspect as inspect_frame;
use crate::{
    error::CloneError,
    options::{Method, Options},
};

export_plugin! {
    manifest: "plugin.json",
    engines: { "clone" => Clone: [backup] },
}

/// The engine with its options.
#[derive(Debug)]
pub struct Clone {
    options: Options,
}

/// Options as they come, before they are checked.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct RawOptions(Options);

impl Engine for Clone {
    type Options = RawOptions;

    fn create(options: RawOptions, _host: &Host) -> Result<Self, Failure> {
        Ok(Self { options: options.0.check().map_err(CloneError::from)? })
    }

    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(Assessment::default())
    }
}

impl BackupEngine for Clone {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        match self.options.method {
            Method::Protocol => Ok(protocol::run(run, &self.options, sink)?),
            method => Err(CloneError::Method { method }.into()),
        }
    }
}
