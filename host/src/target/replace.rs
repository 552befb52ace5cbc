//! Replacing a backup without ever being without one.
//!
//! `NAME` is the artefact, `NAME.manifest.json` its commit record. While a new backup takes their
//! place, the old one is kept as `NAME.replaced` with a manifest of its own, so that after a crash
//! at any step there is one complete pair on disk, and never a manifest without its bytes:
//!
//! | step | complete pair afterwards |
//! |---|---|
//! | stage the new manifest | `NAME` (old) |
//! | link `NAME` as `NAME.replaced` | `NAME` (old) |
//! | write `NAME.replaced.manifest.json` | `NAME` (old), `NAME.replaced` |
//! | remove `NAME.manifest.json` | `NAME.replaced` |
//! | rename `NAME.partial` to `NAME` | `NAME.replaced` |
//! | rename the staged manifest to `NAME.manifest.json` | `NAME` (new), `NAME.replaced` |
//! | remove the kept manifest, then the kept artefact | `NAME` (new) |
//!
//! [`recover`] brings what a crash left back to one pair.
use super::{
    durable::{Rename, StagedFile, remove_file, rename, sync_parent, write_file},
    error::TargetError,
    location::{MANIFEST_ENDING, partial_path, with_ending},
};
use crate::manifest::{self, ManifestError};
use dbbackup_plugin_api::document::manifest::Manifest;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Ending of the name under which an old artefact is kept.
pub(crate) const KEPT_ENDING: &str = ".replaced";

/// A step of a commit, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitStep {
    SyncArtefact,
    StageManifest,
    LinkOld,
    KeepOldManifest,
    RetireOldManifest,
    PlaceArtefact,
    PlaceManifest,
    DropKeptManifest,
    DropKept,
}

/// Asked before each step of a commit; its error ends the commit there and then, as a crash would.
pub(crate) type Gate<'a> = dyn FnMut(CommitStep) -> Result<(), TargetError> + 'a;

/// The names that take part in a commit.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) artefact: PathBuf,
    pub(super) manifest: PathBuf,
    kept: PathBuf,
    kept_manifest: PathBuf,
}

impl Names {
    pub(super) fn of(artefact: &Path) -> Self {
        let kept = with_ending(artefact, KEPT_ENDING);
        Self {
            artefact: artefact.to_owned(),
            manifest: with_ending(artefact, MANIFEST_ENDING),
            kept_manifest: with_ending(&kept, MANIFEST_ENDING),
            kept,
        }
    }
}

/// Puts a written artefact and its staged manifest in their places.
pub(super) fn place(
    names: &Names,
    partial: &Path,
    staged: &StagedFile,
    how: Rename,
    gate: &mut Gate<'_>,
) -> Result<(), TargetError> {
    let kept = match how {
        Rename::New => false,
        Rename::Replace | Rename::Exchange => keep_old(names, gate)?,
    };
    gate(CommitStep::PlaceArtefact)?;
    rename(partial, &names.artefact, how)?;
    gate(CommitStep::PlaceManifest)?;
    staged.commit(Rename::New)?;
    if kept {
        gate(CommitStep::DropKeptManifest)?;
        remove_file(&names.kept_manifest)?;
        gate(CommitStep::DropKept)?;
        remove_file(&names.kept)?;
    }
    Ok(())
}

/// Keeps the old pair under other names, and retires its manifest. False if there is no old backup.
fn keep_old(names: &Names, gate: &mut Gate<'_>) -> Result<bool, TargetError> {
    let old = match manifest::read(&names.manifest) {
        Ok(old) => old,
        Err(ManifestError::Missing { .. }) => return Ok(false),
        Err(source) => return Err(TargetError::OldManifest { source }),
    };
    if !names.artefact.exists() {
        remove_file(&names.manifest)?;
        return Ok(false);
    }
    gate(CommitStep::LinkOld)?;
    fs::hard_link(&names.artefact, &names.kept).map_err(|source| match source.kind() {
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => {
            TargetError::NotReplaceable { path: names.artefact.clone(), source }
        }
        _ => TargetError::io("keep the old backup as", &names.kept, source),
    })?;
    sync_parent(&names.kept)?;
    gate(CommitStep::KeepOldManifest)?;
    write_renamed(old, &names.artefact, &names.kept, &names.kept_manifest)?;
    gate(CommitStep::RetireOldManifest)?;
    remove_file(&names.manifest)?;
    Ok(true)
}

/// Brings an interrupted replacement back to one complete pair. To be called with the run lock
/// held. Does nothing where nothing was interrupted.
pub(crate) fn recover(artefact: &Path) -> Result<(), TargetError> {
    let names = Names::of(artefact);
    // The old manifest may have been on its way to its other name.
    remove_file(&partial_path(&names.kept_manifest))?;
    if !names.kept.exists() && !names.kept_manifest.exists() {
        return Ok(());
    }
    if !names.manifest.exists() {
        // Whatever lies under the name now was never committed.
        let old = match manifest::read(&names.kept_manifest) {
            Ok(old) => old,
            // Not ours to judge: without a manifest of ours it is somebody else's file.
            Err(ManifestError::Missing { .. }) => return Ok(()),
            Err(source) => return Err(TargetError::OldManifest { source }),
        };
        remove_file(&names.artefact)?;
        fs::hard_link(&names.kept, &names.artefact)
            .map_err(|source| TargetError::io("bring back", &names.artefact, source))?;
        sync_parent(&names.artefact)?;
        write_renamed(old, &names.kept, &names.artefact, &names.manifest)?;
    }
    remove_file(&names.kept_manifest)?;
    remove_file(&names.kept)
}

/// The artefact that a kept file is the old one of.
pub(crate) fn kept_artefact(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(KEPT_ENDING)?;
    Some(path.with_file_name(name))
}

/// Writes a manifest whose artefact has another name now.
fn write_renamed(
    mut manifest: Manifest,
    from: &Path,
    to: &Path,
    path: &Path,
) -> Result<(), TargetError> {
    let (from, to) = (file_name(from), file_name(to));
    for object in manifest.objects.iter_mut().filter(|object| object.name == from) {
        object.name.clone_from(&to);
    }
    let bytes =
        manifest::to_bytes(&manifest).map_err(|source| TargetError::OldManifest { source })?;
    write_file(path, &bytes, Rename::Replace)
}

/// The last component as text: the name of an object in a manifest.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
