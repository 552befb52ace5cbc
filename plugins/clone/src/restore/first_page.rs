//! Page 0 of a tablespace that was made while the clone ran. Its other pages come as patches or from
//! the redo log, but a server opens no file whose first page does not say which tablespace it is.

/// Page size of compressed rows: bits 1 to 4 of the flags, 512 bytes shifted by their value.
const ZIP_SHIFT: u32 = 1;
const ZIP_MASK: u32 = 0b1111;
/// Where page 0 holds versions of server and tablespace.
pub(super) const VERSIONS: std::ops::Range<usize> = 8..16;
/// Bytes of a page's trailer.
const TRAILER_BYTES: usize = 8;

/// Bytes of a page in the file.
pub(super) fn physical_bytes(fsp_flags: u32, page_size_bytes: u32) -> u32 {
    match zip_shift(fsp_flags) {
        0 => page_size_bytes,
        shift => 512 << shift,
    }
}

/// Not 0 for compressed rows, also where their pages are as large as the others.
fn zip_shift(fsp_flags: u32) -> u32 {
    fsp_flags >> ZIP_SHIFT & ZIP_MASK
}

/// Page 0: position, versions as in other tablespaces, tablespace id twice, its flags, checksums.
pub(super) fn first_page(
    space_id: u32,
    fsp_flags: u32,
    page_size_bytes: u32,
    versions: [u8; 8],
) -> Vec<u8> {
    let bytes = physical_bytes(fsp_flags, page_size_bytes);
    let mut page = vec![0; usize::try_from(bytes).unwrap_or_default()];
    put(&mut page, VERSIONS.start, &versions);
    put(&mut page, 34, &space_id.to_be_bytes());
    put(&mut page, 38, &space_id.to_be_bytes());
    put(&mut page, 54, &fsp_flags.to_be_bytes());
    if zip_shift(fsp_flags) == 0 {
        let trailer = page.len().saturating_sub(TRAILER_BYTES);
        let sum = crc(&page, 4..26) ^ crc(&page, 38..trailer);
        put(&mut page, 0, &sum.to_be_bytes());
        put(&mut page, trailer, &sum.to_be_bytes());
    } else {
        let end = page.len();
        let sum = crc(&page, 4..16) ^ crc(&page, 24..26) ^ crc(&page, 34..end);
        put(&mut page, 0, &sum.to_be_bytes());
    }
    page
}

fn crc(page: &[u8], range: std::ops::Range<usize>) -> u32 {
    crc32c::crc32c(page.get(range).unwrap_or_default())
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    let place = page.get_mut(at..at.saturating_add(bytes.len()));
    if let Some(place) = place {
        place.copy_from_slice(bytes);
    }
}
