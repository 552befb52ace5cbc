//! A backup on standard output: the bytes go to whoever reads them, the manifest into a file.
use super::{
    Existing,
    durable::{Rename, StagedFile, parent_of},
    error::{TargetError, expect_directory},
    location::MANIFEST_ENDING,
};
use crate::manifest;
use dbbackup_plugin_api::document::manifest::Manifest;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Standard output, and where its manifest goes.
#[derive(Debug)]
pub(crate) struct StdoutOutput {
    manifest: Option<PathBuf>,
    existing: Existing,
}

impl StdoutOutput {
    /// Refuses a manifest that is there already.
    pub(crate) fn claim(
        manifest: Option<PathBuf>,
        existing: Existing,
    ) -> Result<Self, TargetError> {
        if let Some(path) = &manifest {
            expect_directory(&parent_of(path))?;
            if existing == Existing::Refuse && fs::symlink_metadata(path).is_ok() {
                return Err(TargetError::Exists { path: path.clone() });
            }
        }
        Ok(Self { manifest, existing })
    }

    /// Name that the bytes should be saved under to fit the manifest, `-` if there is none.
    pub(crate) fn object_name(&self) -> String {
        let name = self.manifest.as_deref().and_then(Path::file_name);
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match name.strip_suffix(MANIFEST_ENDING) {
            Some(artefact) if !artefact.is_empty() => artefact.to_owned(),
            _ => "-".to_owned(),
        }
    }

    /// Where the manifest goes, if anywhere.
    pub(crate) fn manifest(&self) -> Option<&Path> {
        self.manifest.as_deref()
    }

    /// Writes the manifest.
    pub(crate) fn commit(self, document: &Manifest) -> Result<(), TargetError> {
        let Some(path) = self.manifest else { return Ok(()) };
        let bytes = manifest::to_bytes(document)
            .map_err(|error| TargetError::io("write", &path, io::Error::other(error)))?;
        let staged = StagedFile::write(&path, &bytes)?;
        let committed = staged.commit(match self.existing {
            Existing::Refuse => Rename::New,
            Existing::Replace => Rename::Replace,
        });
        if let Err(error) = committed {
            staged.discard()?;
            return Err(error);
        }
        Ok(())
    }
}
