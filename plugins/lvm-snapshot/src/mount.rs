//! A file system mounted for the time of a run: read-only in the end, its journal replayed before.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use dbbackup_sdk::{
    Host, JournalEntry, Tool, ToolLock,
    document::undo::{UndoOutcome, UndoRecord},
    shown,
    snapshot::{Mounts, is_snapshot_name},
    undo_record,
};
use serde::{Deserialize, Serialize};

use crate::error::LvmError;

/// Kind of our undo records of mounts.
pub(crate) const RECORD_KIND: &str = "mount";
/// Time for a mount, which replays a journal of up to some gigabytes.
const MOUNT_LIMIT: Duration = Duration::from_secs(300);
const UNMOUNT_LIMIT: Duration = Duration::from_secs(60);
/// How long a mount may take that its run has left: what a run waits for, and more.
const ORPHAN_LIMIT: Duration = Duration::from_secs(330);
/// How often an unmount is tried, and the pause between two tries.
const UNMOUNTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);

/// What finds a mount again after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Where it is mounted: its last part is the name of the snapshot.
    point: PathBuf,
    /// The device, as the table of mounts shows it.
    device: String,
    /// The lock of the tool that mounts it, which may go on when the run is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<PathBuf>,
}

/// A mounted file system. Dropped, it is unmounted.
#[derive(Debug)]
pub(crate) struct Mounted {
    record: Record,
    host: Host,
    /// Taken when it is unmounted.
    undo: Option<JournalEntry>,
}

impl Mounted {
    /// Makes the directory and mounts the device there, read-only. The device itself is writable, so
    /// the kernel replays the journal first.
    ///
    /// # Errors
    /// [`LvmError::Tool`], [`LvmError::Directory`]: nothing is mounted, or the record finds it.
    pub(crate) fn mount(
        device: &str,
        filesystem: &str,
        point: PathBuf,
        lock: Option<&ToolLock>,
        host: &Host,
    ) -> Result<Self, LvmError> {
        fs::create_dir(&point)
            .map_err(|source| LvmError::Directory { path: point.clone(), source })?;
        let lock_path = lock.map(|lock| lock.path().to_owned());
        let record = Record { point, device: device.to_owned(), lock: lock_path };
        let summary = format!("mount of {} at {}", record.device, record.point.display());
        let undo = host.journal(&undo_record(RECORD_KIND, summary, &record)?)?;
        let command = lock.into_iter().fold(mount(device, filesystem, &record.point), Tool::under);
        if let Err(error) = command.run(host) {
            // One that runs on may mount it yet, and the undo waits for that.
            if !error.runs_on() {
                undo.done()?;
            }
            return Err(LvmError::tool("mount the snapshot")(error));
        }
        Ok(Self { record, host: host.clone(), undo: Some(undo) })
    }

    /// Where it is mounted.
    pub(crate) fn point(&self) -> &Path {
        &self.record.point
    }

    /// Unmounts it.
    ///
    /// # Errors
    /// [`LvmError::Tool`]: it is still mounted.
    pub(crate) fn unmount(mut self) -> Result<(), LvmError> {
        match self.undo.take() {
            Some(undo) => finish(&self.record, &self.host, undo),
            None => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(undo) = self.undo.take()
            && let Err(error) = finish(&self.record, &self.host, undo)
        {
            tracing::warn!(error = %shown(&error), "the snapshot stays mounted until the cleanup");
        }
    }
}

fn finish(record: &Record, host: &Host, undo: JournalEntry) -> Result<(), LvmError> {
    let mut tries = 1;
    loop {
        match unmount(&record.point).run(host) {
            Ok(_) => return Ok(undo.done()?),
            // Readers of a copy that has failed may not have come to their end yet.
            Err(error) if tries < UNMOUNTS && !error.runs_on() => {
                std::thread::park_timeout(PAUSE);
            }
            Err(error) => return Err(LvmError::tool("unmount the snapshot")(error)),
        }
        tries += 1;
    }
}

/// `mount`: nothing in there is run, and no device file in there is one.
fn mount(device: &str, filesystem: &str, point: &Path) -> Tool {
    let options = match filesystem {
        // XFS refuses a second file system of one identity unless it is told to look away.
        "xfs" => "ro,nosuid,nodev,noexec,nouuid",
        _ => "ro,nosuid,nodev,noexec",
    };
    Tool::change("mount", MOUNT_LIMIT).args(["-t", filesystem, "-o", options, device]).args([point])
}

fn unmount(point: &Path) -> Tool {
    Tool::change("umount", UNMOUNT_LIMIT).args([point])
}

/// Unmounts what a record names, if it is still mounted.
pub(crate) fn undo(
    record: &UndoRecord,
    dry_run: bool,
    host: &Host,
) -> Result<UndoOutcome, LvmError> {
    let facts: Record = serde_json::from_value(record.facts.clone()).map_err(LvmError::Record)?;
    let point = facts.point.display();
    let outcome = |undone, summary| UndoOutcome { undone, summary, extra: Default::default() };
    if let Some(lock) = facts.lock.as_ref().filter(|_| !dry_run) {
        ToolLock::wait(lock, ORPHAN_LIMIT)?;
    }
    let mounts = Mounts::read().map_err(LvmError::Mounts)?;
    let Some(there) = mounts.at(&facts.point) else {
        return Ok(outcome(true, format!("{point} is not mounted any more")));
    };
    let name = facts.point.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if there.source != facts.device || !is_snapshot_name(&name) {
        return Err(LvmError::Foreign {
            what: format!("{} at {point}", there.source),
            why: "it is not the mount that was recorded",
        });
    }
    if dry_run {
        return Ok(outcome(false, format!("{point} would be unmounted")));
    }
    unmount(&facts.point).run(host).map_err(LvmError::tool("unmount the snapshot"))?;
    Ok(outcome(true, format!("{point} unmounted")))
}

#[cfg(test)]
mod tests;
