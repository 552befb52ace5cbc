//! An engine of another generation of the contract.
use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, Failure, Host, Sink,
    document::{assessment::Assessment, backup::BackupSummary, environment::Environment},
    export_plugin, serde_json,
};

export_plugin! {
    manifest: "plugin.json",
    engines: { "ENGINE" => Generation: [backup] },
}

struct Generation;

impl Engine for Generation {
    type Options = serde_json::Map<String, serde_json::Value>;
    fn create(_options: Self::Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self)
    }
    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        let reason = "ENGINE needs nothing".to_owned();
        Ok(Assessment { applicable: true, reason, ..Assessment::default() })
    }
}

impl BackupEngine for Generation {
    fn backup(&self, _run: &BackupRun, _sink: &Sink) -> Result<BackupSummary, Failure> {
        Ok(BackupSummary::default())
    }
}
