//! Targets: where the bytes of a backup go, and how they become a backup.
//!
//! A file is written as `NAME.partial` and committed by two renames, the manifest's last. A
//! directory is written as `DIR.partial/` and committed by one rename, its manifest inside. Standard
//! output is not ours to commit; its manifest goes to a file of its own. At a place that an engine
//! serves, the manifest is the last object.
mod directory;
pub(crate) mod durable;
mod error;
mod file;
#[cfg(test)]
pub(crate) mod listing;
mod location;
mod remote;
mod replace;
mod stdout;

pub use error::TargetError;
pub(crate) use error::exit_of_io;
pub use location::{OutputLocation, coordinates_path, manifest_path};
pub use remote::PlaceError;

pub(crate) use directory::DirectoryOutput;
pub(crate) use file::{ClaimedFile, FileOutput, remove_uncommitted};
pub(crate) use location::{
    COORDINATES_ENDING, INNER_MANIFEST, MANIFEST_ENDING, PARTIAL_ENDING, directory_manifest_path,
    partial_path, with_ending,
};
pub(crate) use remote::{MARKER_ENDING, RemoteOutput, artefact_of_object};
pub(crate) use replace::{KEPT_ENDING, kept_artefact, recover};
pub(crate) use stdout::StdoutOutput;

use std::path::Path;

/// What to do with a backup of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone and refuse to run.
    Refuse,
    /// Replace it, once the new one is committed.
    Replace,
}

/// Refuses to start when fewer than `needed_bytes` are free where `path` lies.
///
/// # Errors
/// [`TargetError::NoSpace`] with both figures; [`TargetError::Io`] if the system cannot say.
pub(crate) fn check_free_space(path: &Path, needed_bytes: u64) -> Result<(), TargetError> {
    let free_bytes = free_bytes(path)?;
    if free_bytes < needed_bytes {
        return Err(TargetError::NoSpace { path: path.to_owned(), needed_bytes, free_bytes });
    }
    Ok(())
}

/// Bytes that this user may still write where `path` lies.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, TargetError> {
    let facts = rustix::fs::statvfs(path)
        .map_err(|errno| TargetError::io("look at the free space of", path, errno.into()))?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}
