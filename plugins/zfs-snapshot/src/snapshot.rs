//! One snapshot of all datasets: planned, recorded, made, looked into, and gone again whatever
//! happens.

use std::{fs, path::PathBuf, time::Duration};

use dbbackup_sdk::{
    Host, HostError, Tool, ToolError, ToolLock,
    document::undo::{UndoOutcome, UndoRecord},
    shown,
    snapshot::{SnapshotView, is_snapshot_name, snapshot_name},
    undo_record,
};
use serde::{Deserialize, Serialize};

use crate::{datasets::Datasets, error::ZfsError, zfs};

/// Kind of our undo records.
const RECORD_KIND: &str = "zfs-snapshot";

/// How long a tool may take that its run has left: what a run waits for, and more.
const ORPHAN_LIMIT: Duration = Duration::from_secs(90);

/// The pause between two tries to destroy a snapshot.
const PAUSE: Duration = Duration::from_millis(250);

/// What finds a snapshot again after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// The datasets that have one.
    datasets: Vec<String>,
    /// Its name, with our prefix.
    name: String,
    /// The lock of the tool that makes it, which may go on when the run is gone.
    lock: PathBuf,
}

impl Record {
    /// `dataset@name` of each.
    fn full_names(&self) -> Vec<String> {
        self.datasets.iter().map(|dataset| format!("{dataset}@{}", self.name)).collect()
    }
}

/// A snapshot that is not made yet.
#[derive(Debug)]
pub(crate) struct PlannedSnapshot {
    datasets: Datasets,
    record: Record,
    lock: ToolLock,
}

impl PlannedSnapshot {
    /// A snapshot that is made under a lock, so that an undo knows when nobody makes it any more.
    pub(crate) fn of(datasets: Datasets, backup_id: &str, lock: ToolLock) -> Self {
        let record = Record {
            datasets: datasets.names(),
            name: snapshot_name(backup_id),
            lock: lock.path().to_owned(),
        };
        Self { datasets, record, lock }
    }

    /// The record that must be durable before the snapshot is made.
    ///
    /// # Errors
    /// [`HostError`]: a path in it is no UTF-8.
    pub(crate) fn undo_record(&self) -> Result<UndoRecord, HostError> {
        let summary = format!("ZFS snapshot {}", self.record.full_names().join(" "));
        undo_record(RECORD_KIND, summary, &self.record)
    }

    /// Makes it, of all datasets at one instant.
    ///
    /// # Errors
    /// [`ZfsError::Create`]: there is none, or the record finds it.
    pub(crate) fn create(self, host: &Host) -> Result<Snapshot, ZfsError> {
        let names = self.record.full_names();
        zfs::snapshot(&names).under(&self.lock).run(host).map_err(|source| ZfsError::Create {
            datasets: self.record.datasets.clone(),
            source: Box::new(source),
        })?;
        tracing::info!(snapshot = %names.join(" "), "snapshot made");
        Ok(Snapshot {
            datasets: self.datasets,
            record: self.record,
            host: host.clone(),
            is_there: true,
        })
    }
}

/// A snapshot that is there. Dropped, it is destroyed.
#[derive(Debug)]
pub(crate) struct Snapshot {
    datasets: Datasets,
    record: Record,
    host: Host,
    is_there: bool,
}

impl Snapshot {
    /// Where the files of the datasets are in it.
    ///
    /// # Errors
    /// [`ZfsError::Invisible`]: the snapshot is there, but not to be seen, as in a container.
    pub(crate) fn view(&self) -> Result<SnapshotView, ZfsError> {
        let mut pairs = Vec::new();
        for dataset in &self.datasets.0 {
            let top = dataset.top(&self.record.name);
            // The kernel mounts a snapshot when somebody looks into it.
            fs::read_dir(&top).map_err(|source| ZfsError::Invisible { path: top, source })?;
            pairs.extend(dataset.view(&self.record.name));
        }
        Ok(SnapshotView::new(pairs))
    }

    /// Destroys it.
    ///
    /// # Errors
    /// [`ZfsError::DestroyRefused`]: it is still there, of one dataset at least.
    pub(crate) fn destroy(mut self) -> Result<(), ZfsError> {
        self.is_there = false;
        destroy(&self.record.full_names(), &self.host)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.is_there
            && let Err(error) = destroy(&self.record.full_names(), &self.host)
        {
            tracing::warn!(error = %shown(&error), "the snapshot stays until the next cleanup");
        }
    }
}

/// Destroys a snapshot of each dataset; one that is refused does not keep the others.
fn destroy(names: &[String], host: &Host) -> Result<(), ZfsError> {
    let mut refused = None;
    for name in names {
        if let Err(source) = destroy_one(&zfs::destroy(name)?, host) {
            let snapshot = name.clone();
            refused = Some(ZfsError::DestroyRefused { snapshot, source: Box::new(source) });
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Destroys one. Readers of a copy that has failed may not have come to their end yet, and whoever
/// looks into every new mount may be in there: ZFS says that it is busy, and soon it is not.
fn destroy_one(command: &Tool, host: &Host) -> Result<(), ToolError> {
    let mut tries = 1;
    loop {
        match command.run(host) {
            Ok(_) => return Ok(()),
            Err(error) if zfs::is_tried_again(tries, error.stderr().unwrap_or_default()) => {
                // A cancelled host returns from its own wait at once.
                std::thread::park_timeout(PAUSE);
            }
            Err(error) => return Err(error),
        }
        tries += 1;
    }
}

/// Destroys the snapshots that a record names; those that are gone already are gone.
///
/// # Errors
/// [`ZfsError::Foreign`]: a name that is not ours is left alone.
pub(crate) fn undo(
    record: &UndoRecord,
    dry_run: bool,
    host: &Host,
) -> Result<UndoOutcome, ZfsError> {
    let facts: Record = serde_json::from_value(record.facts.clone()).map_err(ZfsError::Record)?;
    let outcome = |undone, summary| UndoOutcome { undone, summary, extra: Default::default() };
    if record.kind != RECORD_KIND || !is_snapshot_name(&facts.name) {
        return Err(ZfsError::Foreign { name: facts.full_names().join(" ") });
    }
    if !dry_run {
        ToolLock::wait(&facts.lock, ORPHAN_LIMIT)?;
    }
    let there = still_there(&facts, host)?;
    let names = there.join(" ");
    if there.is_empty() {
        let names = facts.full_names().join(" ");
        return Ok(outcome(true, format!("snapshot {names} is gone already")));
    }
    if dry_run {
        return Ok(outcome(false, format!("snapshot {names} would be destroyed")));
    }
    destroy(&there, host)?;
    Ok(outcome(true, format!("snapshot {names} destroyed")))
}

/// Those of a record's snapshots that exist. A dataset that is gone took its snapshot along.
fn still_there(record: &Record, host: &Host) -> Result<Vec<String>, ZfsError> {
    let answer = zfs::filesystems().run(host).map_err(ZfsError::tool("list the datasets"))?;
    let known = zfs::lines(&answer);
    let mut there = Vec::new();
    for dataset in record.datasets.iter().filter(|dataset| known.contains(dataset)) {
        let answer =
            zfs::snapshots_of(dataset).run(host).map_err(ZfsError::tool("list the snapshots"))?;
        let name = format!("{dataset}@{}", record.name);
        there.extend(zfs::lines(&answer).into_iter().filter(|found| *found == name));
    }
    Ok(there)
}
