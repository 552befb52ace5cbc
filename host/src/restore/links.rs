//! The server's own link files: each names the full path of a tablespace outside of the data
//! directory. Restored as it was, a link would lead to the live table of the source.
use super::{error::RestoreError, layout::Layout};
use dbbackup_plugin_api::document::manifest::Manifest;
use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Ending of a link file.
const ENDING: &[u8] = b".isl";
/// Longest path in one, bytes.
const MAX_PATH_BYTES: u64 = 4096;

/// Makes the links among the extracted files lead to where the tablespaces will be: they lie in
/// `staged` now, and in `layout` when all is done.
pub(super) fn relink(
    manifest: &Manifest,
    staged: &Layout,
    layout: &Layout,
) -> Result<(), RestoreError> {
    let members = manifest.files.iter().map(|file| &file.path);
    for member in members.filter(|member| member.as_bytes().ends_with(ENDING)) {
        let Some(link) = staged.path(member).filter(|link| link.exists()) else { continue };
        let old = read(&link)?;
        let Some(new) = layout.moved(&old, manifest) else {
            return Err(RestoreError::LeadsOut { link: member.clone(), path: old });
        };
        write(&link, &new)?;
    }
    Ok(())
}

fn read(link: &Path) -> Result<PathBuf, RestoreError> {
    let failed = |source| RestoreError::io("read", link, source);
    let mut text = Vec::new();
    let file = File::open(link).map_err(failed)?;
    file.take(MAX_PATH_BYTES).read_to_end(&mut text).map_err(failed)?;
    Ok(PathBuf::from(OsStr::from_bytes(text.trim_ascii())))
}

/// In place, so that owner and mode stay.
fn write(link: &Path, path: &Path) -> Result<(), RestoreError> {
    let failed = |source| RestoreError::io("write", link, source);
    let mut file = File::options().write(true).truncate(true).open(link).map_err(failed)?;
    file.write_all(path.as_os_str().as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}
