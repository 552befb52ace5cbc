//! Scratch directories: removed on drop, and by a later run if this process is killed.
use crate::fetch::run;
use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;
use tempfile::TempDir;

const PREFIX: &str = "dbbackup-test-";
const MARKER: &str = ".in-use";

/// A directory that lives as long as this value.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
    /// Locked for as long as the directory is in use, which tells it from a leftover.
    _marker: File,
}

impl Scratch {
    /// Makes an empty directory under the system's temporary directory.
    ///
    /// # Errors
    /// The temporary directory is not writable.
    pub fn new() -> Result<Self> {
        Self::under(&parent())
    }

    /// Makes an empty directory under `parent`, for tests that need a certain filesystem.
    ///
    /// # Errors
    /// `parent` is not writable.
    pub fn under(parent: &Path) -> Result<Self> {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| sweep(parent));
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .with_context(|| format!("make a scratch directory in {}", parent.display()))?;
        let marker = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.path().join(MARKER))?;
        marker.lock()?;
        Ok(Self { directory, _marker: marker })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path inside the directory.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A socket path holds 107 bytes at most, so a long `TMPDIR` is not used.
fn parent() -> PathBuf {
    let system = std::env::temp_dir();
    if system.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { system }
}

/// Removes the directories of killed test processes. Failing to is no reason to fail a test.
pub(crate) fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_leftover(&path) {
            unmount_below(&path);
            drop(fs::remove_dir_all(&path));
        }
    }
}

/// A directory whose marker nobody holds; young ones may still be about to get their marker.
fn is_leftover(path: &Path) -> bool {
    const YOUNG: Duration = Duration::from_secs(60);
    let old = fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > YOUNG));
    let marker = OpenOptions::new().write(true).open(path.join(MARKER));
    old && match marker {
        Ok(marker) => !matches!(marker.try_lock(), Err(TryLockError::WouldBlock)),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Unmounts the small disks of a killed test, which would keep its directory in place.
fn unmount_below(path: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for mounted in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(mounted).starts_with(path) {
            drop(run(Command::new("umount").arg("--lazy").arg(mounted)));
        }
    }
}
