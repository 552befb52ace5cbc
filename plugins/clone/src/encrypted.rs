//! Tablespaces that are encrypted at rest and stay so in a clone.

mod in_clear;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    document::{Extra, backup::BackupSummary},
    serde_json::json,
};

pub(crate) use in_clear::{Content, InClear, find};

/// Where page 0 has the flags of its tablespace, and the one that says that it is encrypted.
const FLAGS_AT: u64 = 54;
const ENCRYPTED: u32 = 1 << 13;

/// Setting of the server that encrypts its redo log.
pub(crate) const REDO_SETTING: &str = "innodb_redo_log_encrypt";
/// Key of what the manifest's `source` says.
const FACT: &str = "encrypted_tablespaces";
/// What a restored server needs beside the files.
const NEED: &str = "the keyring of the source, as of the backup or later, configured for the server \
                    that is to start on the files";

/// Says that there are some, and what a restore needs for them.
pub(crate) fn describe(summary: &mut BackupSummary) {
    summary.restore_needs.push(NEED.to_owned());
    summary.source.insert(FACT.to_owned(), json!(true));
}

/// True for a backup that holds some.
pub(crate) fn is_there(facts: &Extra) -> bool {
    facts.contains_key(FACT)
}

/// What a restore says of them.
pub(crate) const ADVICE: &str = "tablespaces are encrypted: the server needs the keyring of the \
                                 source before it starts on the directory";

/// The first file below a directory of a server's clone that is encrypted, if there is one. The files
/// say so themselves, whatever the account may ask the server.
pub(crate) fn first_in(directory: &Path) -> io::Result<Option<PathBuf>> {
    first_that(directory, &is_encrypted)
}

fn first_that(
    directory: &Path,
    is_wanted: &dyn Fn(&Path) -> io::Result<bool>,
) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => first_that(&path, is_wanted)?,
            false => is_wanted(&path)?.then_some(path),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether page 0 of a file says that it is an encrypted tablespace.
fn is_encrypted(path: &Path) -> io::Result<bool> {
    Ok(flags(path)?.is_some_and(|flags| flags & ENCRYPTED != 0))
}

/// The flags on page 0 of a tablespace; nothing for any other file, and for one that is empty yet.
fn flags(path: &Path) -> io::Result<Option<u32>> {
    if !is_undo(path) && path.extension().is_none_or(|ending| ending != "ibd") {
        return Ok(None);
    }
    let mut flags = [0; 4];
    match File::open(path)?.read_exact_at(&mut flags, FLAGS_AT) {
        Ok(()) => Ok(Some(u32::from_be_bytes(flags))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// `undo_001`, `undo_003.ibu`.
fn is_undo(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A table may be named so.
    let is_table = name.ends_with(".ibd");
    !is_table && (name.starts_with("undo_") || name.ends_with(".ibu"))
}
