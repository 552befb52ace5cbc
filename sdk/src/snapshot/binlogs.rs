//! The newest binlog inside a snapshot: crash recovery reads it to decide which of the transactions
//! that InnoDB has prepared were committed.
//!
//! MySQL lets a binlog end only once nothing in it is undecided, so the newest is enough. MariaDB
//! ends it at once and writes into the next one, as a checkpoint event, from which older binlog on
//! recovery has to read: then that one and all later ones come.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{error::SnapshotError, paths::BinlogPlace, view::SnapshotView};

/// The first bytes of a binlog.
const MAGIC: [u8; 4] = *b"\xfebin";
/// Bytes of an event's header: time, type, server id, length, next position, flags.
const HEADER_BYTES: usize = 19;
/// MariaDB's `BINLOG_CHECKPOINT_EVENT`.
const CHECKPOINT_EVENT: u8 = 161;
/// MariaDB's `START_ENCRYPTION_EVENT`: what follows cannot be read.
const START_ENCRYPTION_EVENT: u8 = 164;
/// Longest name of a binlog that is believed, bytes.
const MAX_NAME_BYTES: u32 = 512;

/// The binlogs that come into a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NeededBinlogs {
    /// Their paths in the live server, oldest first; the last is the newest.
    pub(super) live: Vec<PathBuf>,
    /// Size of the newest inside the snapshot: no transaction of the snapshot lies behind it.
    pub(super) newest_bytes: u64,
}

impl NeededBinlogs {
    /// Reads the index inside the snapshot.
    pub(super) fn find(
        place: &BinlogPlace,
        data: &Path,
        view: &SnapshotView,
        is_mariadb: bool,
    ) -> Result<Self, SnapshotError> {
        let index = inside(view, &place.index)?;
        let text = fs::read(&index).map_err(SnapshotError::io("read", &index))?;
        let names = names_of(&text);
        let Some(newest) = names.last() else {
            return Err(SnapshotError::EmptyIndex { path: index });
        };
        let live = |name: &OsStr| live_path(name, place, data);
        let source = inside(view, &live(newest)?)?;
        let failed = |source_error| SnapshotError::io("read", &source)(source_error);
        let first = match is_mariadb {
            true => needed_from(&source, newest).map_err(failed)?,
            false => Needed::From(file_name(newest).to_owned()),
        };
        let from = match &first {
            Needed::From(name) => {
                let found = names.iter().position(|known| file_name(known) == name);
                found.ok_or_else(|| SnapshotError::NeededBinlog {
                    name: name.clone(),
                    path: index.clone(),
                })?
            }
            Needed::Unknown => names.len().saturating_sub(2),
        };
        let needed = names.get(from..).unwrap_or_default();
        let newest_bytes = fs::metadata(&source).map_err(failed)?.len();
        Ok(Self {
            live: needed.iter().map(|name| live(name)).collect::<Result<_, _>>()?,
            newest_bytes,
        })
    }

    /// Name of the newest.
    pub(super) fn newest(&self) -> String {
        let newest = self.live.last().map(|path| file_name(path.as_os_str()));
        newest.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// An index of these binlogs alone: a server whose index names others refuses to start without
    /// them. Relative names are found where the restored server keeps its binlogs.
    pub(super) fn index(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for path in &self.live {
            text.extend_from_slice(b"./");
            text.extend_from_slice(file_name(path.as_os_str()).as_bytes());
            text.push(b'\n');
        }
        text
    }
}

fn inside(view: &SnapshotView, live: &Path) -> Result<PathBuf, SnapshotError> {
    view.of(live).ok_or_else(|| SnapshotError::Uncovered { path: live.to_owned() })
}

fn names_of(index: &[u8]) -> Vec<OsString> {
    let lines = index.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| OsStr::from_bytes(line).to_owned()).collect()
}

fn file_name(path: &OsStr) -> &OsStr {
    Path::new(path).file_name().unwrap_or(path)
}

/// The index names a binlog by its full path, or from the data directory on.
fn live_path(name: &OsStr, place: &BinlogPlace, data: &Path) -> Result<PathBuf, SnapshotError> {
    let named = super::paths::real_file(&data.join(name))?;
    match named.parent() == Some(&place.directory) {
        true => Ok(named),
        false => Err(SnapshotError::Uncovered { path: named }),
    }
}

/// From which binlog on recovery reads.
#[derive(Debug, PartialEq, Eq)]
enum Needed {
    From(OsString),
    /// An encrypted binlog does not tell; the one before is then needed too, to be safe.
    Unknown,
}

/// The last checkpoint of the newest binlog. Once one names the newest itself, no older one matters.
fn needed_from(newest: &Path, name: &OsStr) -> io::Result<Needed> {
    let own = file_name(name).to_owned();
    let mut reader = BufReader::with_capacity(1 << 16, File::open(newest)?);
    let mut magic = [0; MAGIC.len()];
    if read_or_end(&mut reader, &mut magic)?.is_none() || magic != MAGIC {
        return Ok(Needed::Unknown);
    }
    let mut needed = own.clone();
    let mut header = [0; HEADER_BYTES];
    while read_or_end(&mut reader, &mut header)?.is_some() {
        let [.., kind, _, _, _, _, l0, l1, l2, l3, _, _, _, _, _, _] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let header_bytes = u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX);
        let Some(body) = length.checked_sub(header_bytes) else { break };
        match kind {
            START_ENCRYPTION_EVENT => return Ok(Needed::Unknown),
            CHECKPOINT_EVENT if body <= MAX_NAME_BYTES => {
                let mut bytes = vec![0; usize::try_from(body).unwrap_or(0)];
                if read_or_end(&mut reader, &mut bytes)?.is_none() {
                    break;
                }
                match checkpoint_name(&bytes) {
                    Some(named) if named == own.as_bytes() => return Ok(Needed::From(own)),
                    Some(named) => needed = OsStr::from_bytes(named).to_owned(),
                    None => return Ok(Needed::Unknown),
                }
            }
            _ => reader.seek_relative(i64::from(body))?,
        }
    }
    Ok(Needed::From(needed))
}

/// Four bytes of length, then the name; a checksum may follow.
fn checkpoint_name(body: &[u8]) -> Option<&[u8]> {
    let (length, rest) = body.split_first_chunk::<4>()?;
    let name = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Path::new(OsStr::from_bytes(name)).file_name().map(OsStr::as_bytes)
}

/// Fills the buffer, or says that the file ends before: an event in the middle of being written.
fn read_or_end(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<Option<()>> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
