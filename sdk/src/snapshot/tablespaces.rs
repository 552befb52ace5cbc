//! The tablespaces as they lie on disk now, and the blocks that their file system keeps them in.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    error::SnapshotError,
    files::is_undo,
    paths::{ServerPaths, real_file},
    tree::{self, Kind, LeftOut},
};

/// A file of InnoDB's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tablespace {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// `st_blksize`: on ZFS the size of its records, which is that of the time it was made.
    pub block_bytes: u64,
}

impl ServerPaths {
    /// Every tablespace below the server's directories but the temporary ones; one that is dropped
    /// meanwhile may be missing.
    ///
    /// # Errors
    /// [`SnapshotError::Io`]: a directory cannot be listed, or a file not looked at.
    pub fn tablespaces(&self) -> Result<Vec<Tablespace>, SnapshotError> {
        let system = self.server.system_files();
        let system = system.iter().map(|file| real_file(&self.data().join(file)));
        let system: Vec<PathBuf> = system.collect::<Result<_, _>>()?;
        let roots: BTreeSet<&Path> = self.roots.iter().map(|root| root.real.as_path()).collect();
        let mut found = Vec::new();
        for root in outermost(&roots) {
            let here = |live: &Path| Some(live.to_owned());
            tree::walk(root, &here, &LeftOut::of(self), &mut |entry| {
                let is_known = system.contains(&entry.live) || is_tablespace(&entry.live);
                if entry.kind == Kind::File && is_known {
                    found.extend(look_at(entry.live)?);
                }
                Ok(())
            })?;
        }
        Ok(found)
    }
}

/// Those that lie in no other one.
fn outermost<'a>(roots: &BTreeSet<&'a Path>) -> Vec<&'a Path> {
    let mut outer: Vec<&Path> = Vec::new();
    for root in roots {
        if !outer.iter().any(|above| root.starts_with(above)) {
            outer.push(root);
        }
    }
    outer
}

fn is_tablespace(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    name.ends_with(".ibd") || (is_undo(&name) && !name.ends_with(".log"))
}

/// One that is dropped in this moment is none any more.
fn look_at(path: PathBuf) -> Result<Option<Tablespace>, SnapshotError> {
    match fs::symlink_metadata(&path) {
        Ok(found) => {
            let (bytes, block_bytes) = (found.len(), found.blksize());
            Ok(Some(Tablespace { path, bytes, block_bytes }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SnapshotError::io("look at", path)(error)),
    }
}

#[cfg(test)]
mod tests;
