//! Steps that survive a power cut: what is reported done is on disk.
mod renaming;

pub(crate) use renaming::{Rename, rename};

use super::{error::TargetError, location::partial_path};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Mode of everything that a backup run writes, unless told otherwise: dumps hold secrets.
pub(crate) const PRIVATE_MODE: u32 = 0o600;

/// A file that is on disk under its temporary name, and not yet under its own.
#[derive(Debug)]
pub(crate) struct StagedFile {
    temporary: PathBuf,
    path: PathBuf,
}

impl StagedFile {
    /// Writes the bytes to `PATH.partial` and makes them durable.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self, TargetError> {
        let temporary = partial_path(path);
        remove_file(&temporary)?;
        let written = create_new(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let staged = Self { temporary, path: path.to_owned() };
        match written {
            Ok(()) => Ok(staged),
            Err(source) => {
                let error = TargetError::io("write", &staged.temporary, source);
                staged.discard()?;
                Err(error)
            }
        }
    }

    /// Gives the file its own name.
    pub(crate) fn commit(&self, how: Rename) -> Result<(), TargetError> {
        rename(&self.temporary, &self.path, how)
    }

    /// Removes the temporary file.
    pub(crate) fn discard(&self) -> Result<(), TargetError> {
        remove_file(&self.temporary)
    }
}

/// Writes a whole file durably under its own name.
pub(crate) fn write_file(path: &Path, bytes: &[u8], how: Rename) -> Result<(), TargetError> {
    let staged = StagedFile::write(path, bytes)?;
    if let Err(error) = staged.commit(how) {
        staged.discard()?;
        return Err(error);
    }
    Ok(())
}

/// Creates a file that must not exist, for this user alone.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(PRIVATE_MODE).open(path)
}

/// Removes a file durably. Gone already is success.
pub(crate) fn remove_file(path: &Path) -> Result<(), TargetError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(TargetError::io("remove", path, source)),
    }
}

/// How long a tree may be written to by processes that were killed and have not ended yet.
const DYING: Duration = Duration::from_secs(10);
/// Time between two attempts to remove it.
const DYING_LOOK: Duration = Duration::from_millis(50);

/// Removes a directory with all that is in it, durably. Gone already is success; files that a killed
/// process still makes are removed with the others.
pub(crate) fn remove_tree(path: &Path) -> Result<(), TargetError> {
    let started = Instant::now();
    loop {
        match fs::remove_dir_all(path) {
            Ok(()) => return sync_parent(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {
                return Ok(());
            }
            Err(error) if is_written_to(&error) && started.elapsed() < DYING => {
                // Nobody wakes us: processes of a run that is gone are not ours to wait for.
                thread::park_timeout(DYING_LOOK);
            }
            Err(source) => return Err(TargetError::io("remove", path, source)),
        }
    }
}

/// Something appeared, or went, in a directory while it was being removed.
fn is_written_to(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound)
}

/// Makes the names in the directory of `path` durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), TargetError> {
    let parent = parent_of(path);
    File::open(&parent)
        .and_then(|directory| directory.sync_all())
        .map_err(|source| TargetError::io("sync", &parent, source))
}

/// The directory that `path` is in: `.` for a bare name.
pub(crate) fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_goes_although_a_dying_process_still_writes_into_it() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir_all(tree.join("data")).unwrap();
        let data = tree.join("data");
        let writer = thread::spawn(move || {
            let mut made = 0_u32;
            while fs::write(data.join(made.to_string()), "x").is_ok() && made < 20_000 {
                made += 1;
            }
        });
        remove_tree(&tree).unwrap();
        writer.join().unwrap();
        assert!(!tree.exists());
    }
}
