//! Promises the undo role in its manifest and does not play it.
use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, Failure, Host, Sink,
    document::{assessment::Assessment, backup::BackupSummary, environment::Environment},
    export_plugin,
};

export_plugin! {
    manifest: "plugins/missing_role.json",
    engines: { "missing-role" => MissingRole: [backup] },
}

struct MissingRole;

impl Engine for MissingRole {
    type Options = dbbackup_sdk::serde_json::Map<String, dbbackup_sdk::serde_json::Value>;
    fn create(_options: Self::Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self)
    }
    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(dbbackup_rogue::applicable("missing-role"))
    }
}

impl BackupEngine for MissingRole {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        dbbackup_rogue::emit(run, sink, 0)
    }
}
