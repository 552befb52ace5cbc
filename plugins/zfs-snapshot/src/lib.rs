//! Engine `zfs-snapshot`: copies a server's files out of one atomic ZFS snapshot of every dataset
//! that holds some. The server is locked only between `lock_for_snapshot` and `release`; the copy
//! runs afterwards, at its own pace.

mod assess;
mod datasets;
mod error;
mod options;
mod snapshot;
mod zfs;

use dbbackup_sdk::{
    BackupEngine, BackupRun, DoctorEngine, Engine, Failure, Host, Sink, ToolLock, UndoEngine,
    document::{
        assessment::Assessment,
        backup::BackupSummary,
        doctor::DoctorFindings,
        environment::Environment,
        undo::{UndoOutcome, UndoRecord},
    },
    export_plugin,
    snapshot::{ServerPaths, SnapshotServer, finish},
};

use crate::{datasets::Datasets, error::ZfsError, options::Options, snapshot::PlannedSnapshot};

export_plugin! {
    manifest: "plugin.json",
    engines: { "zfs-snapshot" => ZfsSnapshot: [backup, doctor, undo] },
}

/// The engine with its options.
#[derive(Debug)]
pub struct ZfsSnapshot {
    options: Options,
}

impl Engine for ZfsSnapshot {
    type Options = Options;

    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self { options })
    }

    fn assess(&self, environment: &Environment, host: &Host) -> Result<Assessment, Failure> {
        Ok(assess::assess(environment, &self.options, host))
    }
}

impl BackupEngine for ZfsSnapshot {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        Ok(self.copy(run, sink)?)
    }
}

impl ZfsSnapshot {
    fn copy(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, ZfsError> {
        let host = &run.host;
        let environment = &run.request.environment;
        let paths = ServerPaths::proven_local(environment)?;
        let datasets = Datasets::holding(&paths.places()?, &self.options)?;
        let writes = datasets.page_writes(&paths, environment, host)?;
        let lock = ToolLock::take(&host.scratch_directory()?)?;
        let planned = PlannedSnapshot::of(datasets, &run.request.backup_id, lock);
        let mut server = SnapshotServer::connect(run, writes)?;
        paths.sync()?;
        let undo = host.journal(&planned.undo_record()?)?;
        let locked = server.lock_for_snapshot()?;
        let snapshot = planned.create(host)?;
        let instant = locked.release()?;
        let files = paths.files_in(&snapshot.view()?, &instant)?;
        let mut summary = server.summary(instant, &files)?;
        files.copy_to(sink)?; // the host reads them, in parallel
        finish(snapshot.destroy(), undo, &mut summary)?;
        Ok(summary)
    }
}

impl DoctorEngine for ZfsSnapshot {
    fn doctor(&self, environment: &Environment, host: &Host) -> Result<DoctorFindings, Failure> {
        Ok(assess::doctor(environment, &self.options, host))
    }
}

impl UndoEngine for ZfsSnapshot {
    fn undo(
        &self,
        record: &UndoRecord,
        dry_run: bool,
        host: &Host,
    ) -> Result<UndoOutcome, Failure> {
        Ok(snapshot::undo(record, dry_run, host)?)
    }
}
