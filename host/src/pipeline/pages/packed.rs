//! Page compression: opening a compressed page, so that the checksum inside it can be checked.

use flate2::{Decompress, FlushDecompress, Status};

use super::page::{FIL_PAGE_DATA, FLUSH_LSN, LSN, PAGE_NUMBER, PAGE_TYPE, Page, SPACE_ID};

// MySQL keeps its fields in the flush LSN (`FIL_PAGE_VERSION` … in fil0types.h).
const MYSQL_VERSION: usize = FLUSH_LSN;
const MYSQL_ALGORITHM: usize = FLUSH_LSN + 1;
const MYSQL_ORIGINAL_TYPE: usize = FLUSH_LSN + 2;
const MYSQL_ORIGINAL_SIZE: usize = FLUSH_LSN + 4;
const MYSQL_COMPRESSED_SIZE: usize = FLUSH_LSN + 6;

/// MariaDB: the payload's size, behind the header (`FIL_PAGE_COMP_SIZE`).
const MARIADB_SIZE: usize = FIL_PAGE_DATA;
const MARIADB_PAYLOAD: usize = FIL_PAGE_DATA + 2;
/// The payload of a page that is encrypted too: after size and algorithm.
const MARIADB_ENCRYPTED_PAYLOAD: usize = FIL_PAGE_DATA + 4;

/// Numbered alike by both servers (`PAGE_ZLIB_ALGORITHM`, `Compression::ZLIB`).
const ZLIB: u64 = 1;
const LZ4: u64 = 2;
/// The highest number in use: MariaDB's snappy; three to six need libraries that we do not link.
const LAST_ALGORITHM: u64 = 6;

/// Why a compressed page was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    /// lzo, lzma, bzip2 or snappy.
    UnknownAlgorithm,
    /// The fields that describe the compression contradict the page.
    Header,
    /// The compressed stream does not decompress into one page.
    Stream,
}

/// Whether the compression fields of MySQL are there and make sense.
pub(super) fn has_mysql_header(page: Page<'_>) -> bool {
    let [version, algorithm] = page.u16_at(MYSQL_VERSION).to_be_bytes();
    let room = page.len().saturating_sub(FIL_PAGE_DATA);
    (version == 1 || version == 2)
        && (u64::from(algorithm) == ZLIB || u64::from(algorithm) == LZ4)
        && usize::from(page.u16_at(MYSQL_ORIGINAL_SIZE)) == room
        && usize::from(page.u16_at(MYSQL_COMPRESSED_SIZE)) <= room
}

/// The page as it was before MySQL compressed it: header with its own type, and the body.
pub(super) fn open_mysql(page: Page<'_>) -> Result<Vec<u8>, Unopened> {
    if !has_mysql_header(page) {
        return Err(Unopened::Header);
    }
    let size = usize::from(page.u16_at(MYSQL_COMPRESSED_SIZE));
    let payload = page.bytes(FIL_PAGE_DATA, FIL_PAGE_DATA + size);
    let algorithm = page.bytes(MYSQL_ALGORITHM, MYSQL_ORIGINAL_TYPE);
    let mut opened = vec![0; page.len()];
    let (header, body) = opened.split_at_mut_checked(FIL_PAGE_DATA).ok_or(Unopened::Header)?;
    header.copy_from_slice(page.bytes(0, FIL_PAGE_DATA));
    if let Some(page_type) = header.get_mut(PAGE_TYPE..FLUSH_LSN) {
        page_type.copy_from_slice(page.bytes(MYSQL_ORIGINAL_TYPE, MYSQL_ORIGINAL_SIZE));
    }
    // No longer compression fields, and never part of a checksum; zero is no key version.
    if let Some(fields) = header.get_mut(FLUSH_LSN..SPACE_ID) {
        fields.fill(0);
    }
    decompress(u64::from(algorithm.first().copied().unwrap_or(0)), payload, body)?;
    Ok(opened)
}

/// The page inside a page that MariaDB compressed: the payload is the whole page.
pub(super) fn open_mariadb(page: Page<'_>) -> Result<Vec<u8>, Unopened> {
    let algorithm = page.bytes(FLUSH_LSN, SPACE_ID).try_into().map_or(0, u64::from_be_bytes);
    let size = usize::from(page.u16_at(MARIADB_SIZE));
    let payload = page.bytes(MARIADB_PAYLOAD, MARIADB_PAYLOAD + size);
    if payload.is_empty() || page.u32_at(0) != super::checksum::NO_CHECKSUM_MAGIC {
        return Err(Unopened::Header);
    }
    let mut opened = vec![0; page.len()];
    match decompress(algorithm, payload, &mut opened) {
        // A damaged algorithm field must not pass for one that we cannot open.
        Err(Unopened::UnknownAlgorithm)
            if [ZLIB, LZ4].iter().any(|&known| decompress(known, payload, &mut opened).is_ok()) =>
        {
            Err(Unopened::Header)
        }
        outcome => outcome.map(|()| opened),
    }
}

/// Whether the outer header repeats the inner one where it must: page number and neighbours,
/// LSN, space id.
pub(super) fn headers_agree(outer: Page<'_>, inner: Page<'_>) -> bool {
    [(PAGE_NUMBER, LSN), (LSN, PAGE_TYPE), (SPACE_ID, FIL_PAGE_DATA)]
        .iter()
        .all(|&(from, to)| outer.bytes(from, to) == inner.bytes(from, to))
}

/// Where the payload of a page ends that MariaDB compressed and encrypted; nothing if its fields
/// contradict the page.
pub(super) fn mariadb_encrypted_end(page: Page<'_>) -> Option<usize> {
    let size = usize::from(page.u16_at(MARIADB_SIZE));
    let algorithm = u64::from(page.u16_at(MARIADB_SIZE + 2));
    let end = MARIADB_ENCRYPTED_PAYLOAD + size;
    (size > 0 && end <= page.len() && (ZLIB..=LAST_ALGORITHM).contains(&algorithm)).then_some(end)
}

/// Decompresses all of `payload` into exactly `into`.
fn decompress(algorithm: u64, payload: &[u8], into: &mut [u8]) -> Result<(), Unopened> {
    match algorithm {
        ZLIB => inflate(payload, into),
        LZ4 => match lz4_flex::block::decompress_into(payload, into) {
            Ok(size) if size == into.len() => Ok(()),
            Ok(_) | Err(_) => Err(Unopened::Stream),
        },
        3..=LAST_ALGORITHM => Err(Unopened::UnknownAlgorithm),
        _ => Err(Unopened::Header),
    }
}

fn inflate(payload: &[u8], into: &mut [u8]) -> Result<(), Unopened> {
    let mut stream = Decompress::new(true);
    let ended =
        matches!(stream.decompress(payload, into, FlushDecompress::Finish), Ok(Status::StreamEnd));
    let whole = u64::try_from(payload.len()).is_ok_and(|length| length == stream.total_in())
        && u64::try_from(into.len()).is_ok_and(|length| length == stream.total_out());
    if ended && whole { Ok(()) } else { Err(Unopened::Stream) }
}
