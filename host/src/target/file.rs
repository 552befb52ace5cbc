//! A backup in one file: claimed, created as `NAME.partial`, committed or abandoned.
use super::{
    Existing,
    durable::{Rename, StagedFile, create_new, parent_of, remove_file},
    error::{TargetError, expect_directory},
    location::{MANIFEST_ENDING, partial_path, with_ending},
    replace::{CommitStep, Gate, Names, file_name, place, recover},
};
use crate::{lock::RunLock, manifest};
use dbbackup_plugin_api::document::manifest::Manifest;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A name that this run alone may write to; nothing is written yet.
#[derive(Debug)]
pub(crate) struct ClaimedFile {
    names: Names,
    partial: PathBuf,
    existing: Existing,
    lock: RunLock,
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct FileOutput {
    claimed: ClaimedFile,
    file: File,
}

impl ClaimedFile {
    /// Locks the name, brings an interrupted replacement to its end, and refuses what is there.
    ///
    /// # Errors
    /// [`TargetError`]: nothing was changed, except that a crashed run's replacement may be undone.
    pub(crate) fn claim(artefact: &Path, existing: Existing) -> Result<Self, TargetError> {
        if artefact.file_name().is_none() || artefact.is_dir() {
            return Err(TargetError::NoName { path: artefact.to_owned() });
        }
        expect_directory(&parent_of(artefact))?;
        let lock = RunLock::acquire(artefact)?;
        recover(artefact)?;
        let names = Names::of(artefact);
        if existing == Existing::Refuse {
            for path in [&names.artefact, &names.manifest] {
                if fs::symlink_metadata(path).is_ok() {
                    return Err(TargetError::Exists { path: path.clone() });
                }
            }
        }
        Ok(Self { partial: partial_path(artefact), names, existing, lock })
    }

    /// The file's name.
    pub(crate) fn path(&self) -> &Path {
        &self.names.artefact
    }

    /// Creates the partial file, after removing one that a crashed run left.
    pub(crate) fn create(self) -> Result<FileOutput, TargetError> {
        remove_file(&self.partial)?;
        remove_file(&partial_path(&with_ending(&self.names.artefact, MANIFEST_ENDING)))?;
        let file = create_new(&self.partial)
            .map_err(|source| TargetError::io("create", &self.partial, source))?;
        Ok(FileOutput { claimed: self, file })
    }
}

impl FileOutput {
    /// A second descriptor of the partial file, for the worker.
    pub(crate) fn stream(&self) -> Result<File, TargetError> {
        let partial = &self.claimed.partial;
        self.file.try_clone().map_err(|source| TargetError::io("open", partial, source))
    }

    /// The file's final name.
    pub(crate) fn path(&self) -> &Path {
        &self.claimed.names.artefact
    }

    /// Name of the object in the manifest.
    pub(crate) fn object_name(&self) -> String {
        file_name(&self.claimed.names.artefact)
    }

    /// Device and inode, by which a file of ours is known again after a crash.
    pub(crate) fn identity(&self) -> Result<(u64, u64), TargetError> {
        let partial = &self.claimed.partial;
        let facts = self.file.metadata().map_err(|e| TargetError::io("look at", partial, e))?;
        Ok((facts.dev(), facts.ino()))
    }

    /// Makes artefact and manifest a backup, and gives the lock back. On an error there is the old
    /// backup, or none, as before the run.
    pub(crate) fn commit(
        self,
        manifest: &Manifest,
        gate: &mut Gate<'_>,
    ) -> Result<(), TargetError> {
        match self.place(manifest, gate) {
            Ok(()) => {}
            Err(error) if self.is_committed(manifest) => {
                tracing::warn!(%error, "the backup is committed; the next run cleans up behind it");
            }
            Err(error) => {
                self.abandon()?;
                return Err(error);
            }
        }
        // Nothing that goes wrong from here on makes the backup less of one.
        if let Err(error) = self.claimed.lock.release() {
            tracing::warn!(%error, "remove the run lock");
        }
        Ok(())
    }

    /// True if the manifest is the one on disk.
    fn is_committed(&self, manifest: &Manifest) -> bool {
        manifest::read(&self.claimed.names.manifest).is_ok_and(|there| there.id == manifest.id)
    }

    /// Every step of the commit; leaves things as they are on an error.
    fn place(&self, manifest: &Manifest, gate: &mut Gate<'_>) -> Result<(), TargetError> {
        let ClaimedFile { names, partial, existing, .. } = &self.claimed;
        gate(CommitStep::SyncArtefact)?;
        self.file.sync_all().map_err(|e| TargetError::io("sync", partial, e))?;
        self.check_size(manifest)?;
        gate(CommitStep::StageManifest)?;
        let bytes = manifest::to_bytes(manifest)
            .map_err(|error| TargetError::io("write", &names.manifest, io::Error::other(error)))?;
        let staged = StagedFile::write(&names.manifest, &bytes)?;
        let how = match existing {
            Existing::Refuse => Rename::New,
            Existing::Replace => Rename::Replace,
        };
        place(names, partial, &staged, how, gate)
    }

    /// The manifest must speak of the bytes that are there.
    fn check_size(&self, manifest: &Manifest) -> Result<(), TargetError> {
        let partial = &self.claimed.partial;
        let facts = self.file.metadata().map_err(|e| TargetError::io("look at", partial, e))?;
        let promised: u64 = manifest.objects.iter().map(|object| object.size_bytes).sum();
        if facts.len() != promised {
            let what = format!("{} bytes instead of {promised}", facts.len());
            let source = io::Error::new(io::ErrorKind::InvalidData, what);
            return Err(TargetError::io("check", partial, source));
        }
        Ok(())
    }

    /// Removes everything that this run has written, and gives the lock back.
    pub(crate) fn abandon(self) -> Result<(), TargetError> {
        let names = &self.claimed.names;
        recover(&names.artefact)?;
        remove_uncommitted(&names.artefact, self.identity()?)?;
        remove_file(&self.claimed.partial)?;
        remove_file(&partial_path(&names.manifest))?;
        self.claimed.lock.release()
    }
}

/// Removes an artefact that got its name and no manifest, if it is the file that a run has made.
pub(crate) fn remove_uncommitted(artefact: &Path, identity: (u64, u64)) -> Result<(), TargetError> {
    if Names::of(artefact).manifest.exists() {
        return Ok(());
    }
    match fs::symlink_metadata(artefact) {
        Ok(facts) if (facts.dev(), facts.ino()) == identity => remove_file(artefact),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(TargetError::io("look at", artefact, source)),
    }
}

#[cfg(test)]
mod tests;
