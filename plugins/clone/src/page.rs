//! What is common to every InnoDB page: its size in the file, and its checksums.

use std::ops::Range;

/// Page size of compressed rows: bits 1 to 4 of the flags, 512 bytes shifted by their value.
const ZIP_SHIFT: u32 = 1;
const ZIP_MASK: u32 = 0b1111;
/// Bytes of a page's trailer.
const TRAILER_BYTES: usize = 8;

/// Bytes of a page in the file.
pub(crate) fn physical_bytes(fsp_flags: u32, page_size_bytes: u32) -> u32 {
    match zip_shift(fsp_flags) {
        0 => page_size_bytes,
        shift => 512 << shift,
    }
}

/// Not 0 for compressed rows, also where their pages are as large as the others.
fn zip_shift(fsp_flags: u32) -> u32 {
    fsp_flags >> ZIP_SHIFT & ZIP_MASK
}

/// Writes the checksums that the content of a page demands.
pub(crate) fn write_checksums(page: &mut [u8], fsp_flags: u32) {
    if zip_shift(fsp_flags) == 0 {
        let trailer = page.len().saturating_sub(TRAILER_BYTES);
        let sum = crc(page, 4..26) ^ crc(page, 38..trailer);
        put(page, 0, &sum.to_be_bytes());
        put(page, trailer, &sum.to_be_bytes());
    } else {
        let end = page.len();
        let sum = crc(page, 4..16) ^ crc(page, 24..26) ^ crc(page, 34..end);
        put(page, 0, &sum.to_be_bytes());
    }
}

fn crc(page: &[u8], range: Range<usize>) -> u32 {
    crc32c::crc32c(page.get(range).unwrap_or_default())
}

/// Writes bytes into a page, unless they lead out of it.
pub(crate) fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    let place = page.get_mut(at..at.saturating_add(bytes.len()));
    if let Some(place) = place {
        place.copy_from_slice(bytes);
    }
}
