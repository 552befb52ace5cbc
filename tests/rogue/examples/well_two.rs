//! Another plugin that behaves: two libraries in one process must not be mixed up.
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

export_plugin! {
    manifest: "plugins/well_two.json",
    engines: { "well-two" => Well: [backup, restore] },
}

struct Well(Options);

#[derive(Default, serde::Deserialize)]
struct Options {
    bytes: Option<u64>,
}

impl Engine for Well {
    type Options = Options;
    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self(options))
    }
    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(dbbackup_rogue::applicable("well-two"))
    }
}

impl BackupEngine for Well {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        dbbackup_rogue::emit(run, sink, self.0.bytes.unwrap_or(dbbackup_rogue::DEFAULT_BYTES))
    }
}

impl RestoreEngine for Well {
    fn check(&self, run: &RestoreRun) -> Result<RestorePlan, Failure> {
        Ok(dbbackup_rogue::plan(run))
    }
    fn restore(
        &self,
        _run: &RestoreRun,
        entries: &mut EntryReader,
    ) -> Result<RestoreSummary, Failure> {
        dbbackup_rogue::absorb(entries)
    }
    fn finish(&self, _run: &RestoreRun) -> Result<RestoreSummary, Failure> {
        Ok(RestoreSummary::default())
    }
}
