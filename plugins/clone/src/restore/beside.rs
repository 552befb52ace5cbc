//! Tables that were dumped beside the clone: the restore puts their text into the data directory,
//! and says with which statement it is loaded. Only a started server can take rows of other storage
//! engines than InnoDB.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use dbbackup_sdk::{
    EntryReader,
    document::{entry::EntryMeta, restore::RestoreRequest},
};

use crate::{
    artefact::{BESIDE_PATH, OUR_ROOT},
    beside::FACT,
    restore::{RestoreError, places::Places},
};

/// Name in the data directory. Servers take no notice of a file there that is not theirs.
const FILE: &str = "dbbackup-non-innodb.sql";
/// It holds rows: as readable as the data directory.
const MODE: u32 = 0o600;
/// Bytes read in one step.
const STEP_BYTES: usize = 256 * 1024;

/// True for a backup that holds such tables.
pub(super) fn is_there(request: &RestoreRequest) -> bool {
    request.manifest.source.facts.contains_key(FACT)
}

/// True for the entry with their text.
pub(super) fn is_entry(meta: &EntryMeta) -> bool {
    meta.root == OUR_ROOT && meta.path.as_bytes() == BESIDE_PATH.as_bytes()
}

/// What is left to be done once a server runs on the directory.
pub(super) fn advice(request: &RestoreRequest) -> Result<String, RestoreError> {
    let path = place(&Places::new(request)?);
    let tables = request.manifest.source.facts.get(FACT).and_then(|fact| fact.get("tables"));
    let count = tables.and_then(|tables| tables.as_array()).map_or(0, Vec::len);
    let what = if count == 1 { "1 table is" } else { &format!("{count} tables are") };
    let file = path.display().to_string().replace('\'', r"'\''");
    Ok(format!(
        "{what} not InnoDB's, and empty until the rows that were dumped beside the clone are \
         loaded; once a server runs on the directory: mysql --user=root < '{file}'"
    ))
}

/// Writes the text into the data directory; answers its bytes.
pub(super) fn restore(places: &Places, entries: &mut EntryReader) -> Result<u64, RestoreError> {
    let path = place(places);
    let failed = |source| RestoreError::io("write", &path, source);
    let mut how = OpenOptions::new();
    how.write(true).create(true).truncate(true).mode(MODE);
    let mut file: File = how.open(&path).map_err(|e| RestoreError::io("create", &path, e))?;
    let mut buffer = vec![0; STEP_BYTES];
    let mut bytes = 0_u64;
    loop {
        let read = entries.read_bytes(&mut buffer)?;
        if read == 0 {
            break;
        }
        let part = buffer.get(..read).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        file.write_all(part).map_err(failed)?;
        bytes += read as u64;
    }
    file.sync_all().map_err(failed)?;
    Ok(bytes)
}

fn place(places: &Places) -> PathBuf {
    places.data().join(FILE)
}
