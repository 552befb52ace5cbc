//! Engine `clone`: the files of a MySQL server, consistent at one instant, over the server's own clone
//! protocol and an ordinary connection. No agent on the database host, no temporary disk.

mod artefact;
mod assess;
mod beside;
mod encrypted;
mod error;
mod left_out;
mod local;
mod options;
mod page;
mod protocol;
mod recipient;
mod restore;
mod rpc;
mod server_clone;
mod source;
mod unseen;
mod unstartable;

use dbbackup_sdk::{
    BackupEngine, BackupRun, DoctorEngine, Engine, EntryReader, Failure, Host, RestoreEngine,
    RestoreRun, Sink, UndoEngine,
    doctor::doctor_findings,
    document::{
        assessment::Assessment,
        backup::BackupSummary,
        doctor::DoctorFindings,
        environment::Environment,
        restore::{RestorePlan, RestoreSummary},
        undo::{UndoOutcome, UndoRecord},
    },
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
    engines: { "clone" => Clone: [backup, restore, doctor, undo] },
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

    fn assess(&self, environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(assess::assess(environment, &self.options))
    }
}

impl BackupEngine for Clone {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        match self.options.method {
            Method::Protocol => Ok(protocol::run(run, &self.options, sink)?),
            Method::Local => Ok(local::backup(run, &self.options, sink)?),
            Method::Recipient => Ok(recipient::backup(run, &self.options, sink)?),
        }
    }
}

impl RestoreEngine for Clone {
    fn check(&self, run: &RestoreRun) -> Result<RestorePlan, Failure> {
        Ok(restore::check(run)?)
    }

    fn restore(
        &self,
        run: &RestoreRun,
        entries: &mut EntryReader,
    ) -> Result<RestoreSummary, Failure> {
        Ok(restore::run(run, entries)?)
    }

    fn finish(&self, run: &RestoreRun) -> Result<RestoreSummary, Failure> {
        Ok(restore::finish(run)?)
    }
}

impl DoctorEngine for Clone {
    fn doctor(&self, environment: &Environment, _host: &Host) -> Result<DoctorFindings, Failure> {
        Ok(doctor_findings(assess::assess(environment, &self.options), Vec::new()))
    }
}

impl UndoEngine for Clone {
    fn undo(
        &self,
        record: &UndoRecord,
        dry_run: bool,
        host: &Host,
    ) -> Result<UndoOutcome, Failure> {
        match record.kind.as_str() {
            protocol::left_behind::RECORD_KIND => {
                protocol::left_behind::undo(record, dry_run, host)
            }
            _ => server_clone::undo(record, dry_run, host),
        }
    }
}
