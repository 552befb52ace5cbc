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
/// Beginning of the names of redo files that lie in the data directory itself.
const OLD_REDO_PREFIX: &str = "ib_logfile";
/// Bytes that hold the first page of a tablespace, whatever its size; the information about its key
/// lies behind the descriptors of its extents.
const FIRST_PAGE_BYTES: u64 = 64 << 10;
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
    first_that(directory, &is_encrypted)
}

/// The first file of a server's clone that holds a key in clear, if there is one: the redo log, where
/// old servers keep it too, and encrypted tablespaces, those of undo logs among them.
pub(crate) fn first_with_clear_key(directory: &Path) -> io::Result<Option<PathBuf>> {
    first_that(directory, &|path| {
        if is_redo(path) {
            return holds_clear_key(path, REDO_HEADER_BYTES);
        }
        Ok(is_encrypted(path)? && holds_clear_key(path, FIRST_PAGE_BYTES)?)
    })
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

/// `#innodb_redo/#ib_redo7`; before MySQL 8.0.30, `ib_logfile0` beside the system tablespace.
fn is_redo(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_below = path.parent().and_then(name).is_some_and(|parent| parent == REDO_DIRECTORY);
    is_below || name(path).is_some_and(|name| name.starts_with(OLD_REDO_PREFIX))
}

fn holds_clear_key(path: &Path, at_most: u64) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(at_most).read_to_end(&mut start)?;
    Ok(KEYS_IN_CLEAR.iter().any(|key| start.windows(key.len()).any(|bytes| bytes == *key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A first page of 16 KiB, whose flags may say that the tablespace is encrypted.
    fn page(flags: u32, key: &[u8]) -> Vec<u8> {
        let mut page = vec![0; 16 << 10];
        page[54..58].copy_from_slice(&flags.to_be_bytes());
        // Where the information lies in pages of this size.
        page[10_390..10_390 + key.len()].copy_from_slice(key);
        page
    }

    #[test]
    fn a_key_in_clear_is_found_in_every_kind_of_file_that_may_have_one() {
        let header = |key: &[u8]| [&[0; 1024][..], key, &[7; 64]].concat();
        let (clear, wrapped) = (b"lCC\0\0\0\0", b"lCC\0\0\0\x01");
        for (name, content, is_found) in [
            ("#innodb_redo/#ib_redo12", header(clear), true),
            ("#innodb_redo/#ib_redo12", header(wrapped), false),
            ("ib_logfile1", header(clear), true),
            ("ib_logfile1", header(wrapped), false),
            ("undo_001", page(ENCRYPTED, clear), true),
            ("undo_001", page(ENCRYPTED, wrapped), false),
            ("shop/orders.ibd", page(ENCRYPTED, clear), true),
            // Such bytes may be anything in a file that has no key.
            ("shop/orders.ibd", page(0, clear), false),
            ("ib_buffer_pool", header(clear), false),
        ] {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, content).expect("written");
            let found = first_with_clear_key(directory.path()).expect("readable");
            assert_eq!(found, is_found.then_some(path), "{name}");
        }
    }
}
