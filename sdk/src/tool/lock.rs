//! A lock that lives as long as the tools that run under it, whatever becomes of us.
//!
//! A worker that is killed leaves a tool that it has just started: `lvcreate` goes on, and makes its
//! snapshot after the undo has looked for one and found none. It must not be killed either, for it may
//! have the server's volume suspended. So each tool inherits an open file that is locked, and the
//! kernel gives the lock back when the last process that has the file has ended; an undo waits for
//! that before it looks.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::failure::Classify;

/// Name of the file.
const FILE_NAME: &str = "tools.lock";
/// How often a lock is tried.
const POLL: Duration = Duration::from_millis(50);

/// The lock, held by us and by every tool that was started [under it](super::Tool::under).
#[derive(Debug, Clone)]
pub struct ToolLock {
    path: PathBuf,
    pub(super) file: Arc<File>,
}

/// Why there is no lock, or no end of it.
#[derive(Debug, thiserror::Error)]
pub enum ToolLockError {
    /// The file cannot be made, opened or locked.
    #[error("lock {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A tool of a run that is gone runs on.
    #[error("a tool that an ended run has started still runs after {limit:?} ({} is locked)", path.display())]
    StillRuns {
        /// The file.
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
}

impl ToolLock {
    /// Makes and locks a file in a directory of this run, which must outlive the run's undo records.
    ///
    /// # Errors
    /// [`ToolLockError::Io`].
    pub fn take(directory: &Path) -> Result<Self, ToolLockError> {
        let path = directory.join(FILE_NAME);
        let failed = |source| ToolLockError::Io { path: path.clone(), source };
        // Empty, because it is what the tools have as their standard input.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Self { path, file: Arc::new(file) })
    }

    /// Where the file is, for the undo record.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no tool runs under the lock any more. A file that is gone has no tools.
    ///
    /// # Errors
    /// [`ToolLockError::StillRuns`] after `limit`, and [`ToolLockError::Io`].
    pub fn wait(path: &Path, limit: Duration) -> Result<(), ToolLockError> {
        let failed = |source| ToolLockError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if started.elapsed() < limit => {
                    std::thread::park_timeout(POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ToolLockError::StillRuns { path: path.to_owned(), limit });
                }
            }
        }
    }
}

impl Classify for ToolLockError {
    fn code(&self) -> crate::ErrorCode {
        match self {
            Self::Io { .. } => crate::ErrorCode::SOURCE_IO,
            Self::StillRuns { .. } => crate::ErrorCode::TIMEOUT,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::StillRuns { .. } => {
                Some("dbbackup cleanup tries it again once the tool has ended".to_owned())
            }
        }
    }

    fn is_retryable(&self) -> bool {
        matches!(self, Self::StillRuns { .. })
    }
}
