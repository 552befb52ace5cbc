//! Tablespaces that are encrypted at rest and stay so in a clone.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{
    document::{Extra, backup::BackupSummary},
    serde_json::json,
};

/// Where page 0 has the flags of its tablespace, and the one that says that it is encrypted.
const FLAGS_AT: u64 = 54;
const ENCRYPTED: u32 = 1 << 13;

/// Setting of the server that encrypts its redo log.
pub(crate) const REDO_SETTING: &str = "innodb_redo_log_encrypt";
/// Directory of the redo log below the data directory.
const REDO_DIRECTORY: &str = "#innodb_redo";
/// Bytes of a redo file's header; the key information in it begins as that of a tablespace does, with
/// the id of the master key behind it, which is 0 for a key in clear.
const REDO_HEADER_BYTES: u64 = 2048;
const KEYS_IN_CLEAR: [&[u8]; 3] = [b"lCA\0\0\0\0", b"lCB\0\0\0\0", b"lCC\0\0\0\0"];

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
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => first_in(&path)?,
            false => is_encrypted(&path)?.then_some(path),
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Whether page 0 of a file says that it is an encrypted tablespace: bit 13 of its flags.
fn is_encrypted(path: &Path) -> io::Result<bool> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_tablespace = name.is_some_and(|name| {
        [".ibd", ".ibu"].iter().any(|ending| name.ends_with(ending)) || name.starts_with("undo_")
    });
    if !is_tablespace {
        return Ok(false);
    }
    let mut flags = [0; 4];
    match File::open(path)?.read_exact_at(&mut flags, FLAGS_AT) {
        Ok(()) => Ok(u32::from_be_bytes(flags) & ENCRYPTED != 0),
        // An empty file is no tablespace yet.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a redo file of a server's clone has a key in clear.
pub(crate) fn has_redo_key(directory: &Path) -> io::Result<bool> {
    let redo = directory.join(REDO_DIRECTORY);
    if !redo.is_dir() {
        return Ok(false);
    }
    for entry in fs::read_dir(redo)? {
        let mut header = Vec::new();
        File::open(entry?.path())?.take(REDO_HEADER_BYTES).read_to_end(&mut header)?;
        if KEYS_IN_CLEAR.iter().any(|key| header.windows(key.len()).any(|bytes| bytes == *key)) {
            return Ok(true);
        }
    }
    Ok(false)
}
