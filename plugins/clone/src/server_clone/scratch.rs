//! The directory that a server clones into: named in the journal before it is made, so that the next
//! run removes what a crash leaves.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    BackupRun, Failure, Host, JournalEntry,
    document::undo::{UndoOutcome, UndoRecord},
    serde_json, undo_record,
};
use rustix::{fs::statvfs, process::geteuid};
use serde::{Deserialize, Serialize};

use crate::{
    options::Options,
    server_clone::{MethodError, abandoned::CloningSession},
};

/// Beginning of the directory's name: nothing else is ever removed.
const PREFIX: &str = "dbbackup-clone-";
/// Kind of the journal's records.
const RECORD_KIND: &str = "clone-directory";
/// Name of the clone itself in the directory; the server wants to make it.
const CLONE: &str = "data";

/// A directory of ours that a server may write into.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    journal: JournalEntry,
}

/// What the journal knows; no secret, and nothing that a run could not have made itself.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    path: PathBuf,
    session: CloningSession,
}

impl Scratch {
    /// Makes the directory in `data_dir`, else beside the server's data directory.
    pub(super) fn make(
        run: &BackupRun,
        options: &Options,
        session: CloningSession,
        needed_bytes: u64,
    ) -> Result<Self, MethodError> {
        let data = session.data_directory.clone();
        let data = data.as_path();
        let parent = parent(options, data)?;
        let found = fs::metadata(data).map_err(|e| MethodError::io("look at", data, e))?;
        let (owner, user) = (found.uid(), geteuid().as_raw());
        if owner != user && !geteuid().is_root() {
            return Err(MethodError::OtherUser { owner, user });
        }
        check_space(&parent, needed_bytes)?;
        let path = parent.join(format!("{PREFIX}{}", run.request.backup_id));
        let summary = format!("clone directory {}", path.display());
        let facts = Facts { path: path.clone(), session };
        let journal = run.host.journal(&undo_record(RECORD_KIND, summary, &facts)?)?;
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| MethodError::io("create", &path, source))?;
        if owner != user {
            std::os::unix::fs::chown(&path, Some(owner), Some(found.gid()))
                .map_err(|source| MethodError::io("change the owner of", &path, source))?;
        }
        Ok(Self { path, journal })
    }

    /// Where the server puts the clone.
    pub(super) fn clone_directory(&self) -> PathBuf {
        self.path.join(CLONE)
    }

    /// Removes what the server has written, for another clone.
    pub(super) fn empty(&self) -> Result<(), MethodError> {
        let clone = self.clone_directory();
        remove_tree(&clone).map_err(|source| MethodError::io("remove", &clone, source))
    }

    /// Removes all of it and ticks it off.
    pub(super) fn remove(self) -> Result<(), MethodError> {
        remove_tree(&self.path).map_err(|source| MethodError::io("remove", &self.path, source))?;
        Ok(self.journal.done()?)
    }
}

/// `data_dir` if it is one of its own; the data directory of the server, as the handbook writes it,
/// means the place beside it.
fn parent(options: &Options, data: &Path) -> Result<PathBuf, MethodError> {
    let given = options.data_dir.as_ref().map(PathBuf::from).filter(|given| !same(given, data));
    let beside = || data.parent().unwrap_or(Path::new("/")).to_owned();
    let parent = given.unwrap_or_else(beside);
    let resolved = fs::canonicalize(&parent).map_err(|e| MethodError::io("find", &parent, e))?;
    let own = fs::canonicalize(data).map_err(|e| MethodError::io("find", data, e))?;
    if resolved.starts_with(&own) {
        return Err(MethodError::OwnData { path: parent });
    }
    Ok(resolved)
}

fn same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn check_space(parent: &Path, needed_bytes: u64) -> Result<(), MethodError> {
    let facts = statvfs(parent)
        .map_err(|errno| MethodError::io("look at the free space of", parent, errno.into()))?;
    let free_bytes = facts.f_bavail.saturating_mul(facts.f_frsize);
    if free_bytes < needed_bytes {
        return Err(MethodError::NoSpace { path: parent.to_owned(), needed_bytes, free_bytes });
    }
    Ok(())
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the directory that a run left, after the server was told to stop writing there.
///
/// # Errors
/// A [`Failure`] if the record is not one of ours, the server may still clone into the directory, or
/// something of it cannot be removed.
pub(crate) fn undo(
    record: &UndoRecord,
    dry_run: bool,
    host: &Host,
) -> Result<UndoOutcome, Failure> {
    let facts: Facts = Facts::deserialize(&record.facts).map_err(|error| foreign(&error))?;
    let name = facts.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if record.kind != RECORD_KIND || !name.starts_with(PREFIX) || !facts.path.is_absolute() {
        return Err(foreign(&format!("{} {}", record.kind, facts.path.display())));
    }
    let is_there = fs::symlink_metadata(&facts.path).is_ok();
    if dry_run {
        let summary = format!("would remove {}", facts.path.display());
        return Ok(outcome(!is_there, summary));
    }
    if is_there {
        facts.session.end(&facts.path, host)?;
    }
    remove_tree(&facts.path).map_err(|source| MethodError::io("remove", &facts.path, source))?;
    let word = if is_there { "removed" } else { "was gone already:" };
    Ok(outcome(true, format!("{word} {}", facts.path.display())))
}

fn outcome(undone: bool, summary: String) -> UndoOutcome {
    UndoOutcome { undone, summary, extra: serde_json::Map::new() }
}

/// A record that this engine has not written.
pub(crate) fn foreign(what: &dyn std::fmt::Display) -> Failure {
    Failure::new(dbbackup_sdk::ErrorCode::SAFETY, format!("not a record of this engine: {what}"))
}
