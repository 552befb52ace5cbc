//! The run lock: keeps two runs from writing the same artefact.
//!
//! It is a lock on `NAME.lock` beside the artefact, so that it also works between users and
//! machines that share the directory. The file is removed when the run ends; one that a crash left
//! behind is locked by nobody and taken over.
use crate::target::TargetError;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Ending of a lock file's name.
pub(crate) const LOCK_ENDING: &str = ".lock";
/// Attempts to lock a file that others remove at the same moment.
const MAX_ATTEMPTS: u32 = 64;

/// The lock of a run on its artefact. Dropped, it is released as well, without a report.
#[derive(Debug)]
pub(crate) struct RunLock {
    path: PathBuf,
    file: Option<File>,
}

impl RunLock {
    /// Takes the lock of an artefact; never waits.
    ///
    /// # Errors
    /// [`TargetError::Locked`] if a run holds it, [`TargetError::Io`] if the directory cannot be
    /// written.
    pub(crate) fn acquire(artefact: &Path) -> Result<Self, TargetError> {
        let path = lock_path(artefact);
        for _ in 0..MAX_ATTEMPTS {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .map_err(|source| TargetError::io("lock", &path, source))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => break,
                Err(errno) => return Err(TargetError::io("lock", &path, errno.into())),
            }
            // Its holder may have removed it between our open and our lock.
            if is_named(&file, &path) {
                return Ok(Self { path, file: Some(file) });
            }
        }
        Err(TargetError::Locked { path: artefact.to_owned() })
    }

    /// True if a run holds the lock of an artefact. Leaves everything as it is.
    ///
    /// # Errors
    /// [`TargetError::Io`] if that cannot be found out.
    pub(crate) fn is_held(artefact: &Path) -> Result<bool, TargetError> {
        let path = lock_path(artefact);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(TargetError::io("look at", &path, source)),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(TargetError::io("look at", &path, errno.into())),
        }
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// [`TargetError::Io`] if the lock file cannot be removed; nobody holds it any more all the
    /// same.
    pub(crate) fn release(mut self) -> Result<(), TargetError> {
        self.remove().map_err(|source| TargetError::io("remove", &self.path, source))
    }

    /// Removes the file while it is still locked: a new one is another run's. One that holds anything is
    /// somebody's who likes the name.
    fn remove(&mut self) -> io::Result<()> {
        match self.file.take() {
            Some(held) if held.metadata()?.len() == 0 => fs::remove_file(&self.path),
            Some(_) | None => Ok(()),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(path = %self.path.display(), %error, "remove the run lock");
        }
    }
}

/// Name of the lock file of an artefact.
pub(crate) fn lock_path(artefact: &Path) -> PathBuf {
    crate::target::with_ending(artefact, LOCK_ENDING)
}

fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
