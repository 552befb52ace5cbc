//! Headers of archive members, made by the tar library: ustar with PAX records where a value does
//! not fit, the old GNU form for sparse files, which GNU tar, libarchive and Python all restore.
use super::sparse::DataRange;
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta},
    path::EntryPath,
};
use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, path::Path};
use tar::{Builder, EntryType, GnuExtSparseHeader, Header};

/// Archives are made of records of this many bytes.
pub(super) const RECORD_BYTES: usize = 512;
/// Two empty records end an archive.
pub(super) const TRAILER: [u8; 2 * RECORD_BYTES] = [0; 2 * RECORD_BYTES];
/// Largest number that eleven octal digits hold.
const LARGEST_OCTAL_SIZE: u64 = 0o77_777_777_777;
/// Largest number that seven octal digits hold.
const LARGEST_OCTAL_ID: u32 = 0o7_777_777;
/// Bytes of a name that a header holds without records in front of it.
const NAME_BYTES: usize = 100;
/// Mode of files and directories for which none is given.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// Zeros that fill the last record of a member.
pub(super) fn padding(content_bytes: u64) -> &'static [u8] {
    let used = usize::try_from(content_bytes % RECORD_BYTES as u64).unwrap_or_default();
    let missing = (RECORD_BYTES - used) % RECORD_BYTES;
    TRAILER.get(..missing).unwrap_or_default()
}

/// Header of a directory or of a file whose bytes all follow.
pub(super) fn header(path: &EntryPath, meta: &EntryMeta, size_bytes: u64) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    let is_directory = meta.kind == EntryKind::Directory;
    header.set_entry_type(if is_directory { EntryType::Directory } else { EntryType::Regular });
    header.set_size(size_bytes);
    finish(header, path, meta, size_bytes, &[])
}

/// Header of a file of which only `ranges` follow, one behind the other.
pub(super) fn sparse_header(
    path: &EntryPath,
    meta: &EntryMeta,
    size_bytes: u64,
    ranges: &[DataRange],
) -> io::Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    let data_bytes = ranges.iter().map(|range| range.len).sum();
    header.set_size(data_bytes);
    let gnu = header.as_gnu_mut().ok_or_else(|| io::Error::other("no GNU header"))?;
    gnu.set_real_size(size_bytes);
    let (first, more) = ranges.split_at(ranges.len().min(gnu.sparse.len()));
    for (place, range) in gnu.sparse.iter_mut().zip(first) {
        place.set_offset(range.offset);
        place.set_length(range.len);
    }
    gnu.set_is_extended(!more.is_empty());
    finish(header, path, meta, data_bytes, &extended_map(more))
}

/// The part of a sparse map that does not fit into the header.
fn extended_map(ranges: &[DataRange]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = ranges;
    while !rest.is_empty() {
        let mut extended = GnuExtSparseHeader::new();
        let (now, later) = rest.split_at(rest.len().min(extended.sparse.len()));
        for (place, range) in extended.sparse.iter_mut().zip(now) {
            place.set_offset(range.offset);
            place.set_length(range.len);
        }
        extended.set_is_extended(!later.is_empty());
        bytes.extend_from_slice(extended.as_bytes());
        rest = later;
    }
    bytes
}

/// Fills in what all headers have, and puts PAX records in front where a value does not fit.
fn finish(
    mut header: Header,
    path: &EntryPath,
    meta: &EntryMeta,
    size_bytes: u64,
    behind: &[u8],
) -> io::Result<Vec<u8>> {
    let (uid, gid) = (meta.uid.unwrap_or_default(), meta.gid.unwrap_or_default());
    let default = if meta.kind == EntryKind::Directory { DIRECTORY_MODE } else { FILE_MODE };
    header.set_mode(meta.mode.unwrap_or(default));
    header.set_uid(u64::from(uid));
    header.set_gid(u64::from(gid));
    header.set_mtime(meta.modified_unix.unwrap_or_default().min(LARGEST_OCTAL_SIZE));
    let mut records: Vec<(&str, Vec<u8>)> = Vec::new();
    if path.as_bytes().len() > NAME_BYTES {
        records.push(("path", path.as_bytes().to_vec()));
        // A reader that does not know PAX sees the first bytes of the name.
        for (place, byte) in header.as_old_mut().name.iter_mut().zip(path.as_bytes()) {
            *place = *byte;
        }
    } else {
        header.set_path(Path::new(OsStr::from_bytes(path.as_bytes())))?;
    }
    for (key, value) in [("uid", uid), ("gid", gid)] {
        if value > LARGEST_OCTAL_ID {
            records.push((key, value.to_string().into_bytes()));
        }
    }
    if size_bytes > LARGEST_OCTAL_SIZE {
        records.push(("size", size_bytes.to_string().into_bytes()));
    }
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().map(|(key, value)| (*key, value.as_slice())))?;
    let bytes = builder.get_mut();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(behind);
    Ok(std::mem::take(bytes))
}
