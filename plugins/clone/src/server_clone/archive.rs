//! A cloned directory as entries that the host reads by itself.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    Host, Sink,
    document::{
        entry::{EntryKind, EntryMeta, LocalEntry, PageCheck},
        path::EntryPath,
    },
};

use crate::{artefact::DATA_ROOT, server_clone::MethodError};

/// Files that are handed over at once.
const BATCH: usize = 10_000;

/// Hands the directory over: its pages are those of one instant, and every one must be good.
pub(super) fn archive(directory: &Path, sink: &Sink, host: &Host) -> Result<(), MethodError> {
    let mut entries = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        host.heartbeat();
        let mut names = names_in(&directory.join(&below))?;
        names.sort();
        for name in names {
            let path = below.join(OsStr::from_bytes(&name));
            let source = directory.join(&path);
            let facts = fs::symlink_metadata(&source)
                .map_err(|e| MethodError::io("look at", &source, e))?;
            let kind = if facts.is_dir() { EntryKind::Directory } else { EntryKind::File };
            let path_bytes = path.as_os_str().as_bytes().to_vec();
            let mut meta = EntryMeta::new(kind, DATA_ROOT, EntryPath::from_bytes(path_bytes));
            if facts.is_dir() {
                pending.push(path);
            } else {
                meta.pages = PageCheck::Strict;
            }
            entries.push(LocalEntry { meta, source });
            if entries.len() >= BATCH {
                sink.local_entries(std::mem::take(&mut entries))?;
            }
        }
    }
    Ok(sink.local_entries(entries)?)
}

fn names_in(directory: &Path) -> Result<Vec<Vec<u8>>, MethodError> {
    let failed = |source| MethodError::io("look through", directory, source);
    let entries = fs::read_dir(directory).map_err(failed)?;
    let names = entries.map(|entry| Ok(entry?.file_name().as_bytes().to_vec()));
    names.collect::<Result<_, std::io::Error>>().map_err(failed)
}
