//! One snapshot: planned, recorded, made, mounted, and gone again whatever happens.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use dbbackup_sdk::{
    Host, HostError, Tool, ToolError, ToolLock,
    document::undo::{UndoOutcome, UndoRecord},
    shown,
    snapshot::{SnapshotView, is_snapshot_name, snapshot_name},
    undo_record,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::LvmError,
    lvm::{self, Row},
    mount::{self, Mounted},
    options::Options,
    volume::Volume,
};

/// Kind of our undo records of snapshots.
const RECORD_KIND: &str = "lvm-snapshot";
/// Share of the volume that a thick snapshot gets for what changes meanwhile, if no size is given.
const DEFAULT_SHARE: u64 = 5;
/// How often a removal is tried: whoever looks at new devices (udev) may hold one open for a moment.
const REMOVALS: u32 = 6;
/// How long a tool may take that its run has left: what a run waits for, and more.
const ORPHAN_LIMIT: Duration = Duration::from_secs(90);
/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(250);

/// What finds a snapshot again after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Its volume group.
    group: String,
    /// Its name, with our prefix.
    name: String,
    /// The volume that it is a snapshot of.
    origin: String,
    /// The lock of the tool that makes it, which may go on when the run is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<PathBuf>,
}

impl Record {
    fn full_name(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }
}

/// A snapshot that is not made yet.
#[derive(Debug)]
pub(crate) struct PlannedSnapshot {
    volume: Volume,
    record: Record,
    /// Size of a thick snapshot; a thin one has none.
    bytes: Option<u64>,
    lock: Option<ToolLock>,
}

impl PlannedSnapshot {
    /// Checks that the volume group has room.
    ///
    /// # Errors
    /// [`LvmError::NoSpace`].
    pub(crate) fn of(volume: Volume, backup_id: &str, options: &Options) -> Result<Self, LvmError> {
        let row = &volume.row;
        let bytes = (!row.is_thin()).then(|| thick_bytes(row, options));
        if let Some(needed_bytes) = bytes.filter(|bytes| *bytes > row.group_free_bytes) {
            return Err(LvmError::NoSpace {
                volume: volume.to_string(),
                group: row.group.clone(),
                needed_bytes,
                free_bytes: row.group_free_bytes,
            });
        }
        let record = Record {
            group: row.group.clone(),
            name: snapshot_name(backup_id),
            origin: row.name.clone(),
            lock: None,
        };
        Ok(Self { volume, record, bytes, lock: None })
    }

    /// Has it made under a lock, so that an undo knows when nobody makes it any more.
    pub(crate) fn under(mut self, lock: ToolLock) -> Self {
        self.record.lock = Some(lock.path().to_owned());
        self.lock = Some(lock);
        self
    }

    /// The volume that it will be a snapshot of.
    pub(crate) fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Room that it takes in the volume group, none for a thin one.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// The record that must be durable before the snapshot is made.
    ///
    /// # Errors
    /// [`HostError`]: a path in it is no UTF-8.
    pub(crate) fn undo_record(&self) -> Result<UndoRecord, HostError> {
        let summary = format!("LVM snapshot {}", self.record.full_name());
        undo_record(RECORD_KIND, summary, &self.record)
    }

    /// Makes it. LVM freezes the file system meanwhile.
    ///
    /// # Errors
    /// [`LvmError::Tool`]: there is none, or the record finds it.
    pub(crate) fn create(self, host: &Host) -> Result<Snapshot, LvmError> {
        let Record { group, name, origin, .. } = &self.record;
        let command = match self.bytes {
            Some(bytes) => lvm::create_thick(group, origin, name, bytes),
            None => lvm::create_thin(group, origin, name),
        };
        let command = self.lock.iter().fold(command, Tool::under);
        let made = command.run(host);
        // From here on it is removed, even if only a part of it was made. What makes it still is
        // waited for by the undo: before its end there is nothing to remove.
        let is_there = !made.as_ref().is_err_and(ToolError::runs_on);
        let snapshot = Snapshot {
            volume: self.volume,
            record: self.record,
            host: host.clone(),
            lock: self.lock,
            is_there,
        };
        made.map_err(LvmError::tool("create the snapshot"))?;
        tracing::info!(snapshot = %snapshot.record.full_name(), "snapshot made");
        Ok(snapshot)
    }
}

/// Room for a thick snapshot: what is asked for, but no more than can ever be used.
fn thick_bytes(row: &Row, options: &Options) -> u64 {
    let wanted = options.snapshot_bytes.unwrap_or(row.size_bytes / DEFAULT_SHARE);
    // One that holds every block of its origin, and where each of them is, cannot overflow.
    let most = row.size_bytes.saturating_add(row.size_bytes / 64).saturating_add(row.extent_bytes);
    wanted.min(most).max(1).next_multiple_of(row.extent_bytes.max(1))
}

/// A snapshot that is there. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Snapshot {
    volume: Volume,
    record: Record,
    host: Host,
    lock: Option<ToolLock>,
    is_there: bool,
}

impl Snapshot {
    /// Activates it and mounts it inside of a directory of this run. The server is not locked any
    /// more, so this may take its time: the kernel replays the journal.
    ///
    /// # Errors
    /// [`LvmError::Gone`] and those of the tools.
    pub(crate) fn mount(self, scratch: &Path) -> Result<MountedSnapshot, LvmError> {
        if self.volume.row.is_thin() {
            lvm::activate(&self.record.group, &self.record.name)
                .run(&self.host)
                .map_err(LvmError::tool("activate the snapshot"))?;
        }
        let row = self.look()?;
        let point = scratch.join(&self.record.name);
        let (filesystem, lock) = (&self.volume.filesystem, self.lock.as_ref());
        let mounted = Mounted::mount(&row.device, filesystem, point, lock, &self.host)?;
        Ok(MountedSnapshot { mounted, snapshot: self })
    }

    /// What LVM says of it now.
    fn look(&self) -> Result<Row, LvmError> {
        find(&self.record, &self.host)?
            .ok_or_else(|| LvmError::Gone { snapshot: self.record.full_name() })
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`LvmError::Destroy`]: it is still there.
    fn destroy(mut self) -> Result<(), LvmError> {
        self.is_there = false;
        remove(&self.record, &self.host)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.is_there
            && let Err(error) = remove(&self.record, &self.host)
        {
            tracing::warn!(error = %shown(&error), "the snapshot stays until the next cleanup");
        }
    }
}

/// A snapshot whose files are visible. Dropped, it is unmounted, then removed: in the order of the
/// fields.
#[derive(Debug)]
pub(crate) struct MountedSnapshot {
    mounted: Mounted,
    snapshot: Snapshot,
}

impl MountedSnapshot {
    /// Where the files of the volume are.
    pub(crate) fn view(&self) -> SnapshotView {
        let pair = |(point, root): &(PathBuf, PathBuf)| {
            // Joining an empty path would add a slash.
            let inside = if root.as_os_str().is_empty() {
                self.mounted.point().to_owned()
            } else {
                self.mounted.point().join(root)
            };
            (point.clone(), inside)
        };
        SnapshotView::new(self.snapshot.volume.mounts.iter().map(pair).collect())
    }

    /// Refuses a snapshot whose room has run out: what was read of it may be of any time.
    ///
    /// # Errors
    /// [`LvmError::Overflowed`], [`LvmError::PoolFailed`], and those of `lvs`.
    pub(crate) fn refuse_overflow(&self) -> Result<(), LvmError> {
        let row = self.snapshot.look()?;
        let snapshot = self.snapshot.record.full_name();
        if row.has_overflowed() {
            return Err(LvmError::Overflowed { snapshot, bytes: row.size_bytes });
        }
        if row.has_failed_pool() {
            return Err(LvmError::PoolFailed {
                snapshot,
                pool: format!("{}/{}", row.group, row.pool),
            });
        }
        Ok(())
    }

    /// Unmounts and removes it.
    ///
    /// # Errors
    /// [`LvmError::Tool`] and [`LvmError::Destroy`]: it is still there.
    pub(crate) fn destroy(self) -> Result<(), LvmError> {
        self.mounted.unmount()?;
        self.snapshot.destroy()
    }
}

/// Undoes what a record names; what is gone already is gone.
///
/// # Errors
/// [`LvmError::Foreign`]: what is there is not what was recorded, and is left alone.
pub(crate) fn undo(
    record: &UndoRecord,
    dry_run: bool,
    host: &Host,
) -> Result<UndoOutcome, LvmError> {
    match record.kind.as_str() {
        RECORD_KIND => undo_snapshot(record, dry_run, host),
        mount::RECORD_KIND => mount::undo(record, dry_run, host),
        other => Err(LvmError::UnknownRecord { kind: other.to_owned() }),
    }
}

fn undo_snapshot(record: &UndoRecord, dry_run: bool, host: &Host) -> Result<UndoOutcome, LvmError> {
    let facts: Record = serde_json::from_value(record.facts.clone()).map_err(LvmError::Record)?;
    let name = facts.full_name();
    let outcome = |undone, summary| UndoOutcome { undone, summary, extra: Default::default() };
    let foreign = |why| LvmError::Foreign { what: name.clone(), why };
    if !is_snapshot_name(&facts.name) {
        return Err(foreign("its name is not ours"));
    }
    if let Some(lock) = facts.lock.as_ref().filter(|_| !dry_run) {
        ToolLock::wait(lock, ORPHAN_LIMIT)?;
    }
    let Some(row) = find(&facts, host)? else {
        return Ok(outcome(true, format!("snapshot {name} is gone already")));
    };
    if row.origin != facts.origin || !row.tags.iter().any(|tag| tag == lvm::TAG) {
        return Err(foreign("it is of another volume, or lacks our tag"));
    }
    if dry_run {
        return Ok(outcome(false, format!("snapshot {name} would be removed")));
    }
    remove(&facts, host)?;
    Ok(outcome(true, format!("snapshot {name} removed")))
}

fn find(record: &Record, host: &Host) -> Result<Option<Row>, LvmError> {
    let command = lvm::list_one(&record.group, &record.name);
    let report = command.run(host).map_err(LvmError::tool("look at the snapshot"))?;
    Ok(lvm::parse(&report)?.into_iter().next())
}

/// Removes a snapshot, one that is gone already too. No question is asked before, because a
/// cancelled run gets no answer.
fn remove(record: &Record, host: &Host) -> Result<(), LvmError> {
    let mut tries = 1;
    loop {
        match lvm::remove(&record.group, &record.name).run(host) {
            Ok(_) => return Ok(()),
            // It was never made, or somebody else has removed it.
            Err(_) if matches!(find(record, host), Ok(None)) => return Ok(()),
            // Another one would wait for the one that runs on.
            Err(error) if tries < REMOVALS && !error.runs_on() => {
                std::thread::park_timeout(PAUSE);
            }
            Err(source) => {
                return Err(LvmError::Destroy {
                    snapshot: record.full_name(),
                    source: Box::new(source),
                });
            }
        }
        tries += 1;
    }
}

#[cfg(test)]
mod tests;
