//! Where a local file has data and where it has holes.
use rustix::{fs::SeekFrom, io::Errno};
use std::{fs::File, io};

/// Holes below this share of a file are not worth another archive format.
const WORTHWHILE_HOLE_BYTES: u64 = 64 * 1024;
/// A file with more ranges is archived whole: its map would grow without bound.
const MOST_RANGES: usize = 64 * 1024;

/// A range of a file that holds data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataRange {
    /// First byte.
    pub(super) offset: u64,
    /// Length in bytes; 0 only for the mark at the end of a file that ends in a hole.
    pub(super) len: u64,
}

/// Ranges of `file` that hold data, with an empty range at the end if it ends in a hole; none if
/// the holes are not worth the trouble or the filesystem knows none.
///
/// # Errors
/// Whatever the system says about seeking in the file.
pub(super) fn data_ranges(file: &File, size_bytes: u64) -> io::Result<Option<Vec<DataRange>>> {
    let mut ranges = Vec::new();
    let (mut position, mut data_bytes) = (0, 0);
    while position < size_bytes {
        let start = match rustix::fs::seek(file, SeekFrom::Data(position)) {
            Ok(start) => start.min(size_bytes),
            Err(Errno::NXIO) => size_bytes,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if start == size_bytes {
            break;
        }
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(size_bytes);
        if start % 512 != 0 || ranges.len() == MOST_RANGES || end <= start {
            return Ok(None);
        }
        ranges.push(DataRange { offset: start, len: end - start });
        data_bytes += end - start;
        position = end;
    }
    if position < size_bytes {
        ranges.push(DataRange { offset: size_bytes, len: 0 });
    }
    let holes_bytes = size_bytes - data_bytes;
    Ok((holes_bytes >= WORTHWHILE_HOLE_BYTES).then_some(ranges))
}
