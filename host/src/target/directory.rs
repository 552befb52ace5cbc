//! A backup in a directory: written as `DIR.partial/`, committed by one rename of the whole tree.
//! The manifest lies inside, so that tree and commit record can never be apart.
use super::{
    Existing,
    durable::{Rename, parent_of, remove_tree, rename, write_file},
    error::{TargetError, expect_directory},
    location::{directory_manifest_path, partial_path},
    replace::{CommitStep, Gate},
};
use crate::{lock::RunLock, manifest};
use dbbackup_plugin_api::document::manifest::Manifest;
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What lies under the final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    EmptyDirectory,
    Backup,
}

/// A directory that is being written, and that this run alone may write to.
#[derive(Debug)]
pub(crate) struct DirectoryOutput {
    path: PathBuf,
    partial: PathBuf,
    found: Found,
    lock: RunLock,
}

impl DirectoryOutput {
    /// Locks the name and refuses what is there; nothing is written yet.
    ///
    /// # Errors
    /// [`TargetError`]: nothing was changed. A directory that holds no backup of ours is never
    /// replaced.
    pub(crate) fn claim(path: &Path, existing: Existing) -> Result<Self, TargetError> {
        // Slashes at the end would make renames mean something else.
        let path = path.components().as_path().to_owned();
        if path.file_name().is_none() {
            return Err(TargetError::NoName { path });
        }
        expect_directory(&parent_of(&path))?;
        let lock = RunLock::acquire(&path)?;
        let found = look_at(&path)?;
        if found == Found::Backup && existing == Existing::Refuse {
            return Err(TargetError::Exists { path });
        }
        let partial = partial_path(&path);
        // What a crashed run of ours left is gone by now, by its journal; this is somebody else's.
        if fs::symlink_metadata(&partial).is_ok() {
            return Err(TargetError::Exists { path: partial });
        }
        Ok(Self { partial, path, found, lock })
    }

    /// Creates the partial directory.
    pub(crate) fn create(&self) -> Result<(), TargetError> {
        DirBuilder::new()
            .mode(0o700)
            .create(&self.partial)
            .map_err(|source| TargetError::io("create", &self.partial, source))
    }

    /// The directory that the worker writes into.
    pub(crate) fn partial(&self) -> &Path {
        &self.partial
    }

    /// The directory's final name.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the manifest, makes the tree the backup, and gives the lock back. On an error there is
    /// the old backup, or none, as before the run.
    pub(crate) fn commit(
        self,
        manifest: &Manifest,
        gate: &mut Gate<'_>,
    ) -> Result<(), TargetError> {
        match self.place(manifest, gate) {
            // After the exchange, the old backup lies under the temporary name.
            Ok(()) if self.found == Found::Backup => {
                gate(CommitStep::DropKept)?;
                if let Err(error) = remove_tree(&self.partial) {
                    tracing::warn!(%error, "remove the backup that was replaced");
                }
            }
            Ok(()) => {}
            // As long as a power cut may take the new backup back, the old one stays.
            Err(error) if self.is_committed(manifest) && self.found == Found::Backup => {
                let old = self.partial.display();
                tracing::warn!(%error, %old, "the backup is committed; remove the old one yourself");
            }
            Err(error) if self.is_committed(manifest) => {
                tracing::warn!(%error, "the backup is committed");
            }
            Err(error) => {
                self.abandon()?;
                return Err(error);
            }
        }
        // Nothing that goes wrong from here on makes the backup less of one.
        if let Err(error) = self.lock.release() {
            tracing::warn!(%error, "remove the run lock");
        }
        Ok(())
    }

    /// True if the manifest is the one under the final name.
    fn is_committed(&self, manifest: &Manifest) -> bool {
        let there = manifest::read(&directory_manifest_path(&self.path));
        there.is_ok_and(|there| there.id == manifest.id)
    }

    fn place(&self, manifest: &Manifest, gate: &mut Gate<'_>) -> Result<(), TargetError> {
        gate(CommitStep::StageManifest)?;
        let path = directory_manifest_path(&self.partial);
        let inner = parent_of(&path);
        fs::create_dir_all(&inner).map_err(|e| TargetError::io("create", &inner, e))?;
        let bytes = manifest::to_bytes(manifest)
            .map_err(|error| TargetError::io("write", &path, io::Error::other(error)))?;
        write_file(&path, &bytes, Rename::Replace)?;
        gate(CommitStep::SyncArtefact)?;
        File::open(&self.partial)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| TargetError::io("sync", &self.partial, source))?;
        gate(CommitStep::PlaceArtefact)?;
        rename(
            &self.partial,
            &self.path,
            match self.found {
                Found::Nothing => Rename::New,
                // An empty directory makes way by itself; one that is no longer empty does not.
                Found::EmptyDirectory => Rename::Replace,
                Found::Backup => Rename::Exchange,
            },
        )
    }

    /// Removes everything that this run has written, and gives the lock back. Not for a committed
    /// backup: the old one may have the temporary name.
    pub(crate) fn abandon(self) -> Result<(), TargetError> {
        remove_tree(&self.partial)?;
        self.lock.release()
    }
}

fn look_at(path: &Path) -> Result<Found, TargetError> {
    let looked = |source| TargetError::io("look at", path, source);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => return Err(looked(source)),
        Ok(facts) if !facts.is_dir() => {
            return Err(TargetError::Exists { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match fs::read_dir(path).map_err(looked)?.next() {
        None => Ok(Found::EmptyDirectory),
        Some(_) if directory_manifest_path(path).is_file() => Ok(Found::Backup),
        Some(_) => Err(TargetError::NotABackup { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
