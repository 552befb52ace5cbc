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
    BackupEngine, BackupRun, Classify, Engine, Failure, Host, Sink, UndoEngine,
    document::{
        assessment::Assessment,
        backup::BackupSummary,
        environment::Environment,
        undo::{UndoOutcome, UndoRecord},
    },
    export_plugin,
    snapshot::{ServerPaths, SnapshotServer},
};

use crate::{datasets::Datasets, error::ZfsError, options::Options, snapshot::PlannedSnapshot};

export_plugin! {
    manifest: "plugin.json",
    engines: { "zfs-snapshot" => ZfsSnapshot: [backup, undo] },
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
        let writes = datasets.page_writes(environment, host)?;
        let planned = PlannedSnapshot::of(datasets, &run.request.backup_id);
        let mut server = SnapshotServer::connect(run, writes)?;
        paths.sync()?;
        let undo = host.journal(&planned.undo_record())?;
        let locked = server.lock_for_snapshot()?;
        let snapshot = planned.create(host)?;
        let instant = locked.release()?;
        let files = paths.files_in(&snapshot.view()?, &instant)?;
        let mut summary = server.summary(instant, &files)?;
        files.copy_to(sink)?; // the host reads them, in parallel
        match snapshot.destroy() {
            Ok(()) => undo.done()?,
            // The copy is whole. The record stays, and with it the host tries again at once.
            Err(error) => summary.degraded.push(stays(&error)),
        }
        Ok(summary)
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

/// What a backup that has left something behind says of it.
fn stays(error: &ZfsError) -> String {
    let text = format!("the snapshot stays for now: {}", shown(error));
    tracing::warn!("{text}");
    error.hint().map_or(text.clone(), |hint| format!("{text} ({hint})"))
}

/// An error with its causes.
fn shown(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
