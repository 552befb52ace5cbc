//! One snapshot: planned, recorded, made, looked into, and gone again whatever happens.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    HostError,
    document::undo::{UndoOutcome, UndoRecord},
    shown,
    snapshot::{SnapshotFiles, SnapshotView, is_snapshot_name, snapshot_name},
    undo_record,
};
use serde::{Deserialize, Serialize};

use crate::{
    btrfs::{self, Subvolume},
    error::BtrfsError,
    ioctl,
    options::Options,
};

/// Kind of our undo records.
const RECORD_KIND: &str = "btrfs-snapshot";
/// `BTRFS_EMPTY_SUBVOL_DIR_OBJECTID`: the inode of a directory in a snapshot that was a subvolume.
const EMPTY_SUBVOLUME_INODE: u64 = 2;

/// A snapshot that is not made yet.
#[derive(Debug)]
pub(crate) struct PlannedSnapshot<'s> {
    subvolume: &'s Subvolume,
    record: Record,
    directory: File,
}

/// What finds a snapshot again after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Directory that the snapshot is in.
    directory: PathBuf,
    /// Its name there, with our prefix.
    name: String,
    /// Identity of the subvolume that it is a snapshot of, hexadecimal.
    parent_uuid: String,
}

impl Record {
    fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

impl<'s> PlannedSnapshot<'s> {
    /// Finds the place: the option's, else beside the subvolume, else inside of it.
    ///
    /// # Errors
    /// [`BtrfsError::BadPlace`], [`BtrfsError::NoPlace`].
    pub(crate) fn of(
        subvolume: &'s Subvolume,
        backup_id: &str,
        options: &Options,
    ) -> Result<Self, BtrfsError> {
        let (path, directory) = place(subvolume, options)?;
        let record = Record {
            directory: path,
            // Hidden, because servers take a directory among their own for a schema.
            name: format!(".{}", snapshot_name(backup_id)),
            parent_uuid: hex(&subvolume.identity.uuid),
        };
        Ok(Self { subvolume, record, directory })
    }

    /// The directory that the snapshot is put in.
    pub(crate) fn place(&self) -> &Path {
        &self.record.directory
    }

    /// The record that must be durable before the snapshot is made.
    ///
    /// # Errors
    /// [`HostError`]: a path in it is no UTF-8.
    pub(crate) fn undo_record(&self) -> Result<UndoRecord, HostError> {
        let summary = format!("Btrfs snapshot {}", self.record.path().display());
        undo_record(RECORD_KIND, summary, &self.record)
    }

    /// Makes it.
    ///
    /// # Errors
    /// [`BtrfsError::Create`]: there is none.
    pub(crate) fn create(self) -> Result<Snapshot, BtrfsError> {
        let path = self.record.path();
        ioctl::snapshot(&self.directory, &self.subvolume.file, &self.record.name).map_err(
            |source| BtrfsError::Create {
                subvolume: self.subvolume.root.clone(),
                snapshot: path,
                source,
            },
        )?;
        tracing::info!(snapshot = %self.record.path().display(), "snapshot made");
        Ok(Snapshot { live: self.subvolume.root.clone(), record: self.record, is_there: true })
    }
}

/// The first directory that takes the snapshot, open.
fn place(subvolume: &Subvolume, options: &Options) -> Result<(PathBuf, File), BtrfsError> {
    if let Some(given) = &options.snapshot_directory {
        return usable(given, subvolume)
            .map_err(|why| BtrfsError::BadPlace { path: given.clone(), why });
    }
    let beside = subvolume.root.parent();
    let mut tried = Vec::new();
    for path in beside.into_iter().chain([subvolume.root.as_path()]) {
        match usable(path, subvolume) {
            Ok(found) => return Ok(found),
            Err(why) => tried.push(format!("{} ({why})", path.display())),
        }
    }
    Err(BtrfsError::NoPlace { tried })
}

/// Opens a directory for a snapshot, or says what is wrong with it.
fn usable(path: &Path, subvolume: &Subvolume) -> Result<(PathBuf, File), String> {
    use rustix::fs::{Access, access};
    let said = |error: io::Error| error.to_string();
    let real = path.canonicalize().map_err(said)?;
    let directory = File::open(&real).map_err(said)?;
    if !btrfs::is_btrfs(&real).map_err(|error| shown(&error))? {
        return Err("is not on Btrfs".to_owned());
    }
    let here = ioctl::filesystem_of(&directory).map_err(said)?;
    if here != ioctl::filesystem_of(&subvolume.file).map_err(said)? {
        return Err("is on another file system".to_owned());
    }
    access(&real, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| said(errno.into()))?;
    Ok((real, directory))
}

/// A snapshot that is there. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Snapshot {
    live: PathBuf,
    record: Record,
    is_there: bool,
}

impl Snapshot {
    /// Where the files of the subvolume are in it.
    pub(crate) fn view(&self) -> SnapshotView {
        SnapshotView::new(vec![(self.live.clone(), self.record.path())])
    }

    /// Refuses subvolumes that came into the server's directories after we looked for them: a
    /// snapshot holds an empty directory in the place of each.
    ///
    /// # Errors
    /// [`BtrfsError::Nested`].
    pub(crate) fn refuse_nested(&self, files: &SnapshotFiles) -> Result<(), BtrfsError> {
        use dbbackup_sdk::document::entry::EntryKind;
        for entry in files.entries().iter().filter(|e| e.meta.kind == EntryKind::Directory) {
            let found = fs::symlink_metadata(&entry.source)
                .map_err(BtrfsError::io("look at", &entry.source))?;
            if found.ino() == EMPTY_SUBVOLUME_INODE {
                return Err(BtrfsError::Nested { path: entry.source.clone() });
            }
        }
        Ok(())
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`BtrfsError::Destroy`]: it is still there.
    pub(crate) fn destroy(mut self) -> Result<(), BtrfsError> {
        self.is_there = false;
        remove(&self.record)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.is_there
            && let Err(error) = remove(&self.record)
        {
            tracing::warn!(error = %shown(&error), "the snapshot stays until the next cleanup");
        }
    }
}

/// Removes a snapshot that a record names; one that is gone already is gone.
///
/// # Errors
/// [`BtrfsError::Foreign`]: what is there is not what was recorded, and is left alone.
pub(crate) fn undo(record: &UndoRecord, dry_run: bool) -> Result<UndoOutcome, BtrfsError> {
    let facts: Record = serde_json::from_value(record.facts.clone()).map_err(BtrfsError::Record)?;
    let path = facts.path().display().to_string();
    let outcome = |undone, summary| UndoOutcome { undone, summary, extra: Default::default() };
    if record.kind != RECORD_KIND || !facts.name.strip_prefix('.').is_some_and(is_snapshot_name) {
        return Err(BtrfsError::Foreign { path: facts.path(), why: "its name is not ours" });
    }
    if !is_there(&facts)? {
        return Ok(outcome(true, format!("snapshot {path} is gone already")));
    }
    check(&facts)?;
    if dry_run {
        return Ok(outcome(false, format!("snapshot {path} would be deleted")));
    }
    remove(&facts)?;
    Ok(outcome(true, format!("snapshot {path} deleted")))
}

fn is_there(record: &Record) -> Result<bool, BtrfsError> {
    match fs::symlink_metadata(record.path()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(BtrfsError::io("look at", record.path())(error)),
    }
}

/// Only a subvolume that was made from the recorded one is ours.
fn check(record: &Record) -> Result<(), BtrfsError> {
    let path = record.path();
    if !btrfs::is_root(&path)? {
        return Err(BtrfsError::Foreign { path, why: "it is no subvolume" });
    }
    let file = File::open(&path).map_err(BtrfsError::io("open", &path))?;
    let identity = ioctl::subvolume_of(&file).map_err(BtrfsError::io("identify", &path))?;
    if hex(&identity.parent_uuid) != record.parent_uuid {
        return Err(BtrfsError::Foreign { path, why: "it is of another subvolume" });
    }
    Ok(())
}

/// Removes a snapshot by the kernel's call, which needs root; its owner empties it by hand.
fn remove(record: &Record) -> Result<(), BtrfsError> {
    let path = record.path();
    let directory =
        File::open(&record.directory).map_err(BtrfsError::io("open", &record.directory))?;
    let removed = match ioctl::destroy(&directory, &record.name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => empty(&path),
        other => other,
    };
    match removed {
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| BtrfsError::Destroy { snapshot: path, source }),
    }
}

fn empty(path: &Path) -> io::Result<()> {
    ioctl::set_flags(File::open(path)?, 0)?;
    fs::remove_dir_all(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
