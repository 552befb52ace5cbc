//! The state directory: undo journals and scratch space of this user's runs.
use crate::exit::{Classified, Exit};
use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Directory that outlives runs, such as `/var/lib/dbbackup`. Its subdirectories are made when first
/// needed, mode 0700.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// A directory of the state cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("create the state directory {}", path.display())]
pub struct StateError {
    /// The directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl StateDir {
    /// A state directory; nothing is created yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Directory of the undo journals, which need not exist yet.
    pub fn journals(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// Directory of scratch directories, which need not exist yet.
    pub fn scratch(&self) -> PathBuf {
        self.0.join("scratch")
    }

    /// Makes the directory for journals, if it is not there.
    ///
    /// # Errors
    /// [`StateError`] names the directory.
    pub fn create_journals(&self) -> Result<PathBuf, StateError> {
        create_private(self.journals())
    }

    /// Makes the directory for scratch directories, if it is not there.
    ///
    /// # Errors
    /// [`StateError`] names the directory.
    pub fn create_scratch(&self) -> Result<PathBuf, StateError> {
        create_private(self.scratch())
    }
}

fn create_private(path: PathBuf) -> Result<PathBuf, StateError> {
    match DirBuilder::new().mode(0o700).recursive(true).create(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(StateError { path, source }),
    }
}

impl Classified for StateError {
    fn exit(&self) -> Exit {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::NoSpace,
            _ => Exit::Configuration,
        }
    }

    fn hint(&self) -> Option<String> {
        Some("set DBBACKUP_STATE_DIR to a directory that this user can write".to_owned())
    }

    fn code(&self) -> String {
        "E-STATE-DIR".to_owned()
    }
}
