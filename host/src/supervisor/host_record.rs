//! Undo records of the host itself: what a run leaves behind without any plugin.
use crate::{
    lock::RunLock,
    supervisor::journal::JournalError,
    target::{
        MANIFEST_ENDING, TargetError, durable, partial_path, recover, remove_uncommitted,
        with_ending,
    },
};
use dbbackup_plugin_api::document::undo::UndoRecord;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Beginning of the kinds of these records.
const KIND_PREFIX: &str = "host.";

/// Something of the host's that outlives a crash. Paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum HostRecord {
    /// A file output that is being written.
    FileOutput {
        /// Its final name.
        artefact: PathBuf,
    },
    /// A file output that is getting its final name.
    FileCommit {
        /// Its final name.
        artefact: PathBuf,
        /// Device of the written file.
        device: u64,
        /// Inode of the written file.
        inode: u64,
    },
    /// A directory output that is being written.
    DirectoryOutput {
        /// Its final name.
        directory: PathBuf,
    },
    /// A directory that files are being restored into, before it gets its name.
    RestoreDirectory {
        /// Its temporary name.
        path: PathBuf,
    },
    /// The scratch directory of a run.
    ScratchDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A scratch server.
    ScratchServer {
        /// Its process.
        pid: i32,
        /// When it started, as the kernel counts it: another process of the same number is not it.
        start_ticks: u64,
    },
    /// A manifest that a store may have taken, or may still take: it has not answered. What the engine
    /// that serves the store has written for it stays as long.
    CommitInDoubt {
        /// Where the manifest would be.
        manifest: String,
        /// The engine.
        engine: String,
        /// When the store had not answered, seconds since 1970.
        since_s: u64,
    },
}

/// How long a store may take with a request that it has not answered, seconds.
const LATEST_S: u64 = 60 * 60;

impl HostRecord {
    /// A commit that a store has not answered until now.
    pub(crate) fn commit_in_doubt(manifest: String, engine: String) -> Self {
        Self::CommitInDoubt { manifest, engine, since_s: now_s() }
    }

    /// The engine whose records cannot be undone yet because of this one, and why.
    pub(crate) fn doubt(&self) -> Option<(&str, String)> {
        match self {
            Self::CommitInDoubt { manifest, engine, since_s }
                if now_s().saturating_sub(*since_s) < LATEST_S =>
            {
                Some((engine, format!("{manifest} may still appear")))
            }
            _ => None,
        }
    }

    /// The record as the journal keeps it.
    ///
    /// # Errors
    /// [`JournalError::Unwritable`] for a path that is no UTF-8: without facts nothing could be
    /// undone, so what the record is about must not happen.
    pub(crate) fn to_undo_record(&self) -> Result<UndoRecord, JournalError> {
        let unwritable = |source| JournalError::Unwritable { what: self.summary(), source };
        let facts = serde_json::to_value(self).map_err(unwritable)?;
        let kind = facts.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default();
        Ok(UndoRecord {
            kind: format!("{KIND_PREFIX}{kind}"),
            summary: self.summary(),
            extra: serde_json::Map::new(),
            facts,
        })
    }

    /// The record that the journal kept.
    pub(crate) fn from_undo_record(record: &UndoRecord) -> Result<Self, serde_json::Error> {
        Self::deserialize(&record.facts)
    }

    /// True for the output of a backup, which stays once it is committed.
    pub(crate) fn is_output(&self) -> bool {
        matches!(
            self,
            Self::FileOutput { .. } | Self::FileCommit { .. } | Self::DirectoryOutput { .. }
        )
    }

    /// One line for the operator.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::FileOutput { artefact } => {
                format!("unfinished backup {}", partial_path(artefact).display())
            }
            Self::FileCommit { artefact, .. } => {
                format!("uncommitted backup {}", artefact.display())
            }
            Self::DirectoryOutput { directory } => {
                format!("unfinished backup {}", partial_path(directory).display())
            }
            Self::RestoreDirectory { path } => {
                format!("unfinished restore {}", path.display())
            }
            Self::ScratchDirectory { path } => format!("scratch directory {}", path.display()),
            Self::ScratchServer { pid, .. } => format!("scratch server with process id {pid}"),
            Self::CommitInDoubt { manifest, .. } => format!("unanswered commit of {manifest}"),
        }
    }

    /// Undoes it. What is gone already is success.
    ///
    /// # Errors
    /// [`TargetError`]; [`TargetError::Locked`] if a live run works on the same artefact.
    pub(crate) fn undo(&self) -> Result<(), TargetError> {
        match self {
            Self::FileOutput { artefact } => {
                let Some(lock) = lock(artefact)? else { return Ok(()) };
                recover(artefact)?;
                durable::remove_file(&partial_path(artefact))?;
                durable::remove_file(&partial_path(&with_ending(artefact, MANIFEST_ENDING)))?;
                lock.release()
            }
            Self::FileCommit { artefact, device, inode } => {
                let Some(lock) = lock(artefact)? else { return Ok(()) };
                recover(artefact)?;
                remove_uncommitted(artefact, (*device, *inode))?;
                lock.release()
            }
            Self::DirectoryOutput { directory } => {
                let Some(lock) = lock(directory)? else { return Ok(()) };
                durable::remove_tree(&partial_path(directory))?;
                lock.release()
            }
            Self::RestoreDirectory { path } | Self::ScratchDirectory { path } => {
                durable::remove_tree(path)
            }
            Self::ScratchServer { pid, start_ticks } => kill_server(*pid, *start_ticks),
            // What is known after it, the records of the engine find out.
            Self::CommitInDoubt { .. } => Ok(()),
        }
    }
}

fn now_s() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

/// The lock of an artefact; none if its directory is gone, and everything in it.
fn lock(artefact: &Path) -> Result<Option<RunLock>, TargetError> {
    match RunLock::acquire(artefact) {
        Ok(lock) => Ok(Some(lock)),
        Err(TargetError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn kill_server(pid: i32, start_ticks: u64) -> Result<(), TargetError> {
    if process_start_ticks(pid) != Some(start_ticks) {
        return Ok(());
    }
    let Some(process) = Pid::from_raw(pid) else { return Ok(()) };
    match kill_process(process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => {
            let path = PathBuf::from(format!("process {pid}"));
            Err(TargetError::io("end", &path, errno.into()))
        }
    }
}

/// When a process started, in clock ticks since boot; none if there is no such process.
pub(crate) fn process_start_ticks(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields behind it are numbers.
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{Classified as _, Exit};
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    #[test]
    fn what_cannot_be_named_in_the_journal_is_refused_and_everything_else_comes_back() {
        let nameable = HostRecord::ScratchDirectory { path: "/srv/scratch".into() };
        let kept = nameable.to_undo_record().unwrap();
        assert_eq!(kept.kind, "host.scratch-directory");
        assert_eq!(HostRecord::from_undo_record(&kept).unwrap(), nameable);
        let path = PathBuf::from(OsStr::from_bytes(b"/srv/db\xff.tar"));
        let refused = HostRecord::FileOutput { artefact: path }.to_undo_record().unwrap_err();
        assert_eq!(
            (refused.exit(), refused.code().as_str()),
            (Exit::Precondition, "E-JOURNAL-PATH")
        );
    }

    #[test]
    fn a_commit_is_in_doubt_for_an_hour() {
        let doubt = HostRecord::commit_in_doubt("s3://b/m".to_owned(), "s3-stream".to_owned());
        let why = "s3://b/m may still appear".to_owned();
        assert_eq!(doubt.doubt(), Some(("s3-stream", why)));
        let HostRecord::CommitInDoubt { manifest, engine, since_s } = doubt else { unreachable!() };
        let later = HostRecord::CommitInDoubt { manifest, engine, since_s: since_s - LATEST_S };
        assert_eq!(later.doubt(), None);
        later.undo().unwrap();
    }
}
