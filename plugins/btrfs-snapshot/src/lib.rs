//! Engine `btrfs-snapshot`: copies a server's files out of an atomic Btrfs snapshot. The server is
//! locked only between `lock_for_snapshot` and `release`; the copy runs afterwards, at its own pace.

mod assess;
mod btrfs;
mod error;
mod ioctl;
mod options;
mod snapshot;

use dbbackup_sdk::{
    BackupEngine, BackupRun, DoctorEngine, Engine, Failure, Host, Sink, UndoEngine,
    doctor::doctor_findings,
    document::{
        assessment::Assessment,
        backup::BackupSummary,
        doctor::DoctorFindings,
        environment::Environment,
        undo::{UndoOutcome, UndoRecord},
    },
    export_plugin,
    snapshot::{PageWrites, ServerPaths, SnapshotServer, finish},
};

use crate::{btrfs::Subvolume, error::BtrfsError, options::Options, snapshot::PlannedSnapshot};

export_plugin! {
    manifest: "plugin.json",
    engines: { "btrfs-snapshot" => BtrfsSnapshot: [backup, doctor, undo] },
}

/// A page is written in several blocks, and a snapshot may come between two of them.
const PAGE_WRITES: PageWrites = PageWrites::MayTear;

/// The engine with its options.
#[derive(Debug)]
pub struct BtrfsSnapshot {
    options: Options,
}

impl Engine for BtrfsSnapshot {
    type Options = Options;

    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self { options })
    }

    fn assess(&self, environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(assess::assess(environment, &self.options))
    }
}

impl BackupEngine for BtrfsSnapshot {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        Ok(self.copy(run, sink)?)
    }
}

impl BtrfsSnapshot {
    fn copy(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, BtrfsError> {
        let paths = ServerPaths::proven_local(&run.request.environment)?;
        let subvolume = Subvolume::holding(&paths.places()?, &self.options)?;
        let planned = PlannedSnapshot::of(&subvolume, &run.request.backup_id, &self.options)?;
        let mut server = SnapshotServer::connect(run, PAGE_WRITES)?;
        paths.sync()?;
        let undo = run.host.journal(&planned.undo_record()?)?;
        let locked = server.lock_for_snapshot()?;
        let snapshot = planned.create()?;
        let instant = locked.release()?;
        let files = paths.files_in(&snapshot.view(), &instant)?;
        snapshot.refuse_nested(&files)?;
        let mut summary = server.summary(instant, &files)?;
        files.copy_to(sink)?; // the host reads them, in parallel
        finish(snapshot.destroy(), undo, &mut summary)?;
        Ok(summary)
    }
}

impl DoctorEngine for BtrfsSnapshot {
    fn doctor(&self, environment: &Environment, _host: &Host) -> Result<DoctorFindings, Failure> {
        Ok(doctor_findings(assess::assess(environment, &self.options), Vec::new()))
    }
}

impl UndoEngine for BtrfsSnapshot {
    fn undo(
        &self,
        record: &UndoRecord,
        dry_run: bool,
        _host: &Host,
    ) -> Result<UndoOutcome, Failure> {
        Ok(snapshot::undo(record, dry_run)?)
    }
}
