//! Engine `lvm-snapshot`: copies a server's files out of a snapshot of their logical volume. The
//! server is locked only between `lock_for_snapshot` and `release`; mounting and copying happen
//! afterwards, at their own pace.

mod assess;
mod error;
mod lvm;
mod mount;
mod options;
mod snapshot;
mod volume;

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
    snapshot::{PageWrites, ServerPaths, SnapshotServer, finish},
};

use crate::{error::LvmError, options::Options, snapshot::PlannedSnapshot, volume::Volume};

export_plugin! {
    manifest: "plugin.json",
    engines: { "lvm-snapshot" => LvmSnapshot: [backup, doctor, undo] },
}

/// A page is written in several blocks, and a snapshot may come between two of them.
const PAGE_WRITES: PageWrites = PageWrites::MayTear;

/// The engine with its options.
#[derive(Debug)]
pub struct LvmSnapshot {
    options: Options,
}

impl Engine for LvmSnapshot {
    type Options = Options;

    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self { options })
    }

    fn assess(&self, environment: &Environment, host: &Host) -> Result<Assessment, Failure> {
        Ok(assess::assess(environment, &self.options, host))
    }
}

impl BackupEngine for LvmSnapshot {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        Ok(self.copy(run, sink)?)
    }
}

impl LvmSnapshot {
    fn copy(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, LvmError> {
        let host = &run.host;
        let paths = ServerPaths::proven_local(&run.request.environment)?;
        let volume = Volume::holding(&paths.places()?, &self.options, host)?;
        let scratch = host.scratch_directory()?;
        let planned = PlannedSnapshot::of(volume, &run.request.backup_id, &self.options)?
            .under(ToolLock::take(&scratch)?);
        let mut server = SnapshotServer::connect(run, PAGE_WRITES)?;
        paths.sync()?;
        let undo = host.journal(&planned.undo_record()?)?;
        let locked = server.lock_for_snapshot()?;
        let snapshot = planned.create(host)?;
        let instant = locked.release()?;
        let mounted = snapshot.mount(&scratch)?;
        let files = paths.files_in(&mounted.view(), &instant)?;
        let mut summary = server.summary(instant, &files)?;
        let copied = files.copy_to(sink); // the host reads them, in parallel
        mounted.refuse_overflow()?; // it is the reason behind a failed read, and a silent one
        copied?;
        finish(mounted.destroy(), undo, &mut summary)?;
        Ok(summary)
    }
}

impl DoctorEngine for LvmSnapshot {
    fn doctor(&self, environment: &Environment, host: &Host) -> Result<DoctorFindings, Failure> {
        Ok(assess::doctor(environment, &self.options, host))
    }
}

impl UndoEngine for LvmSnapshot {
    fn undo(
        &self,
        record: &UndoRecord,
        dry_run: bool,
        host: &Host,
    ) -> Result<UndoOutcome, Failure> {
        Ok(snapshot::undo(record, dry_run, host)?)
    }
}
