//! Engine `mysqldump`: a logical backup as SQL text, read over the server's own protocol from one
//! consistent snapshot, and restored statement by statement. No `mysqldump` program is needed.

mod assess;
mod dump;
mod error;
mod options;
mod pattern;
mod restore;

use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, EntryReader, Failure, Host, RestoreEngine, RestoreRun, Sink,
    document::{
        assessment::Assessment,
        backup::BackupSummary,
        environment::Environment,
        restore::{RestorePlan, RestoreSummary},
    },
    export_plugin,
};

use crate::{error::EngineError, options::Options};

export_plugin! {
    manifest: "plugin.json",
    engines: { "mysqldump" => MysqlDump: [backup, restore] },
}

/// The engine with its options.
#[derive(Debug)]
pub struct MysqlDump {
    options: Options,
}

/// Options as they come, before they are checked.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct RawOptions(Options);

impl Engine for MysqlDump {
    type Options = RawOptions;

    fn create(options: RawOptions, _host: &Host) -> Result<Self, Failure> {
        Ok(Self { options: options.0.check().map_err(EngineError::from)? })
    }

    fn assess(&self, environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(assess::assess(environment))
    }
}

impl BackupEngine for MysqlDump {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        Ok(dump::run(run, &self.options, sink)?)
    }
}

impl RestoreEngine for MysqlDump {
    fn check(&self, run: &RestoreRun) -> Result<RestorePlan, Failure> {
        Ok(restore::check(run, &self.options)?)
    }

    fn restore(
        &self,
        run: &RestoreRun,
        entries: &mut EntryReader,
    ) -> Result<RestoreSummary, Failure> {
        Ok(restore::run(run, &self.options, entries)?)
    }

    fn finish(&self, _run: &RestoreRun) -> Result<RestoreSummary, Failure> {
        // A dump has no files of its own.
        Ok(RestoreSummary::default())
    }
}
