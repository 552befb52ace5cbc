//! Headers of archive members, read by the tar library.
use super::{ReadError, content::ContentReader, error::Damage};
use crate::pipeline::{header::RECORD_BYTES, sparse::DataRange};
use dbbackup_plugin_api::document::{entry::EntryKind, path::EntryPath};
use std::io::{self, Read};
use tar::{Archive, Entry, EntryType, GnuExtSparseHeader, GnuSparseHeader};

/// What an archive or a record says of a member, before its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberHeader {
    /// Name in the artefact; look at [`EntryPath::is_safe`] before joining it to a directory.
    pub path: EntryPath,
    /// What it is. Streams of a tar archive are files in it; their records tell them apart.
    pub kind: EntryKind,
    /// Bytes of content, holes included.
    pub size_bytes: u64,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Time of last change, seconds since 1970.
    pub modified_unix: u64,
}

/// A header and how its content lies behind it.
pub(super) struct ParsedHeader {
    pub(super) header: MemberHeader,
    /// Bytes of content in the archive.
    pub(super) stored_bytes: u64,
    /// Where those bytes belong, if not one behind the other from the start.
    pub(super) ranges: Option<Vec<DataRange>>,
}

/// Reads the next header; none at the end of the archive.
pub(super) fn next_header(content: &mut ContentReader) -> Result<Option<ParsedHeader>, ReadError> {
    let (name, offset) = (content.name().to_owned(), content.position());
    let mut recorder = Recorder { inner: content, bytes: Vec::new(), failure: None };
    let parsed = Archive::new(&mut recorder).entries().and_then(|mut entries| {
        let Some(mut entry) = entries.next().transpose()? else { return Ok(None) };
        parse(&mut entry).map(Some)
    });
    if let Some(failure) = recorder.failure {
        return Err(failure);
    }
    let parsed = parsed.and_then(|parsed| {
        let Some((mut parsed, is_sparse)) = parsed else { return Ok(None) };
        if is_sparse {
            parsed.ranges = Some(sparse_map(&recorder.bytes)?);
        }
        Ok(Some(parsed))
    });
    parsed.map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return ReadError::CutOff { name, offset };
        }
        let source = Damage::ArchiveHeader { reason: error.to_string() };
        ReadError::Damaged { name, offset, source }
    })
}

fn parse<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<(ParsedHeader, bool)> {
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Directory => EntryKind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => EntryKind::File,
        other => return Err(refused(format!("members of type {other:?} are not restored"))),
    };
    let is_sparse = header.entry_type() == EntryType::GNUSparse;
    let number = |value: u64| {
        u32::try_from(value).map_err(|_| refused(format!("the owner {value} is out of range")))
    };
    let (uid, gid) = (number(header.uid()?)?, number(header.gid()?)?);
    let (mode, modified_unix) = (header.mode()? & 0o7777, header.mtime()?);
    let size_bytes = entry.size();
    let stored_bytes = if is_sparse { header.entry_size()? } else { size_bytes };
    // Directories are written with a slash behind their names by other programs.
    let path = entry.path_bytes();
    let path = path.strip_suffix(b"/").unwrap_or(&path);
    let path = EntryPath::from_bytes(path);
    let header = MemberHeader { path, kind, size_bytes, mode, uid, gid, modified_unix };
    Ok((ParsedHeader { header, stored_bytes, ranges: None }, is_sparse))
}

/// The map of a sparse member out of the records that the tar library has read: the header, then
/// records of further ranges. The library has checked the map and keeps it to itself.
fn sparse_map(read: &[u8]) -> io::Result<Vec<DataRange>> {
    let (records, _) = read.as_chunks::<RECORD_BYTES>();
    let start = records
        .iter()
        .rposition(|record| {
            let header = tar::Header::from_byte_slice(record);
            header.as_gnu().is_some() && header.entry_type() == EntryType::GNUSparse
        })
        .ok_or_else(|| refused("a sparse member without a GNU header".to_owned()))?;
    let mut ranges = Vec::new();
    for record in records.get(start..start + 1).unwrap_or_default() {
        let header = tar::Header::from_byte_slice(record);
        if let Some(gnu) = header.as_gnu() {
            add_ranges(&mut ranges, &gnu.sparse)?;
        }
    }
    for record in records.get(start + 1..).unwrap_or_default() {
        let mut extended = GnuExtSparseHeader::new();
        extended.as_mut_bytes().copy_from_slice(record);
        add_ranges(&mut ranges, &extended.sparse)?;
    }
    Ok(ranges)
}

fn add_ranges(ranges: &mut Vec<DataRange>, found: &[GnuSparseHeader]) -> io::Result<()> {
    for range in found.iter().filter(|range| !range.is_empty()) {
        ranges.push(DataRange { offset: range.offset()?, len: range.length()? });
    }
    Ok(())
}

fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Keeps what passes: the records of a header, and the reader's own error.
struct Recorder<'a> {
    inner: &'a mut ContentReader,
    bytes: Vec<u8>,
    failure: Option<ReadError>,
}

impl Read for Recorder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.copy_chunk(buffer) {
            Ok(read) => {
                self.bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
                Ok(read)
            }
            Err(error) => {
                self.failure = Some(error);
                Err(io::Error::other("the content cannot be read"))
            }
        }
    }
}

impl MemberHeader {
    /// A stretch of a text, of which nothing but its record is known.
    pub(super) fn stream(path: EntryPath, size_bytes: u64) -> Self {
        let kind = EntryKind::Stream;
        Self { path, kind, size_bytes, mode: 0, uid: 0, gid: 0, modified_unix: 0 }
    }
}
