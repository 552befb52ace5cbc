//! One page of a tablespace: its header fields, and the verdict about it.

use super::checksum::{self, NO_CHECKSUM_MAGIC};
use super::format::{Layout, TablespaceFormat};
use super::packed;
use super::report::{BadReason, UncheckedReason};

// The file page header (`FIL_PAGE_*` in fil0types.h); offsets in bytes.
/// Checksum; with `full_crc32` the encryption key version.
const CHECKSUM: usize = 0;
pub(super) const PAGE_NUMBER: usize = 4;
pub(super) const LSN: usize = 16;
pub(super) const PAGE_TYPE: usize = 24;
/// Flush LSN of the system tablespace; elsewhere R-tree split number, compression fields
/// (MySQL), or key version and checksum of an encrypted page (MariaDB).
pub(super) const FLUSH_LSN: usize = 26;
/// MariaDB: checksum of an encrypted page as it is on disk.
pub(super) const POST_ENCRYPTION_CHECKSUM: usize = 30;
pub(super) const SPACE_ID: usize = 34;
pub(super) const FIL_PAGE_DATA: usize = 38;
/// In page 0, the tablespace header's own space id (`FSP_SPACE_ID`).
pub(super) const HEADER_SPACE_ID: usize = FIL_PAGE_DATA;

/// MySQL, page compression.
pub(super) const TYPE_COMPRESSED: u16 = 14;
const TYPE_ENCRYPTED: u16 = 15;
const TYPE_COMPRESSED_AND_ENCRYPTED: u16 = 16;
const TYPE_ENCRYPTED_RTREE: u16 = 17;
/// MariaDB without `full_crc32`, page compression.
const TYPE_PAGE_COMPRESSED: u16 = 34354;
const TYPE_PAGE_COMPRESSED_ENCRYPTED: u16 = 37401;

/// In a page type of `full_crc32`: the page is compressed, the other bits are its size in units
/// of 256 bytes.
const FULL_CRC32_COMPRESSED_MARKER: u16 = 0x8000;

/// The longest page, which is also the longest run of zeroes that a page can be compared with.
pub(super) const MAX_PAGE_BYTES: usize = 64 * 1024;
static ZEROES: [u8; MAX_PAGE_BYTES] = [0; MAX_PAGE_BYTES];

/// What the check says about one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// All zero: allocated in the file and never written.
    Empty,
    Unchecked(UncheckedReason),
    Bad(BadReason),
}

/// The bytes of one whole page. Reads past its end give zero; formats never cause one.
#[derive(Clone, Copy)]
pub(super) struct Page<'a>(pub(super) &'a [u8]);

impl<'a> Page<'a> {
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// Bytes `from..to`, or nothing where the page is shorter.
    pub(super) fn bytes(self, from: usize, to: usize) -> &'a [u8] {
        self.0.get(from..to).unwrap_or(&[])
    }

    pub(super) fn u16_at(self, at: usize) -> u16 {
        self.bytes(at, at + 2).try_into().map_or(0, u16::from_be_bytes)
    }

    pub(super) fn u32_at(self, at: usize) -> u32 {
        self.bytes(at, at + 4).try_into().map_or(0, u32::from_be_bytes)
    }

    fn u32_from_end(self, distance: usize) -> u32 {
        self.u32_at(self.len().saturating_sub(distance))
    }

    pub(super) fn page_type(self) -> u16 {
        self.u16_at(PAGE_TYPE)
    }

    /// Whether nothing was ever written here. As in the server, the eight bytes of the flush LSN
    /// do not count outside `full_crc32`: page compression leaves its fields in unused pages.
    fn is_empty(self, layout: Layout) -> bool {
        if layout == Layout::Legacy {
            return is_zero(self.bytes(0, FLUSH_LSN)) && is_zero(self.bytes(SPACE_ID, self.len()));
        }
        is_zero(self.0)
    }
}

/// Whether all bytes are zero; a compare with static zeroes is the fastest scan there is.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    ZEROES.get(..bytes.len()).is_some_and(|zeroes| zeroes == bytes)
}

/// Checks one page that should be number `page_number` of a tablespace.
pub(super) fn check(format: &TablespaceFormat, page_number: u64, page: Page<'_>) -> Verdict {
    let verdict = check_contents(format, page);
    match verdict {
        Verdict::Good | Verdict::Unchecked(_) => {
            check_place(format, page_number, page).map_or(verdict, Verdict::Bad)
        }
        // A file with any page in it has a page 0.
        Verdict::Empty if page_number == 0 => Verdict::Bad(BadReason::NoHeader),
        Verdict::Empty | Verdict::Bad(_) => verdict,
    }
}

/// Checks all that one page proves by itself, wherever it may belong.
pub(super) fn check_contents(format: &TablespaceFormat, page: Page<'_>) -> Verdict {
    if page.is_empty(format.layout) {
        return Verdict::Empty;
    }
    match format.layout {
        Layout::FullCrc32 => check_full_crc32(page),
        Layout::Legacy => check_legacy(page, format.is_zip()),
    }
}

/// Whether a page that is intact also says that it is the page which this place should hold.
fn check_place(format: &TablespaceFormat, page_number: u64, page: Page<'_>) -> Option<BadReason> {
    let found = page.u32_at(PAGE_NUMBER);
    if u64::from(found) != page_number {
        return Some(BadReason::PageNumber { found });
    }
    let found = match page_number {
        // Page 0 states the space id twice, and only the second is part of its checksum.
        0 if page.u32_at(SPACE_ID) == format.space_id => page.u32_at(HEADER_SPACE_ID),
        _ => readable_space_id(format.layout, page)?,
    };
    (found != format.space_id).then_some(BadReason::SpaceId { found, expected: format.space_id })
}

/// The space id of a page, unless it lies in the compressed or encrypted part: `full_crc32`
/// compresses and encrypts everything after the page type.
pub(super) fn readable_space_id(layout: Layout, page: Page<'_>) -> Option<u32> {
    let packed = layout == Layout::FullCrc32
        && (page.u32_at(CHECKSUM) != 0 || page.page_type() & FULL_CRC32_COMPRESSED_MARKER != 0);
    (!packed).then(|| page.u32_at(SPACE_ID))
}

fn check_full_crc32(page: Page<'_>) -> Verdict {
    let page_type = page.page_type();
    let compressed = page_type & FULL_CRC32_COMPRESSED_MARKER != 0;
    let written = if compressed {
        let size = usize::from(page_type & !FULL_CRC32_COMPRESSED_MARKER) << 8;
        if size <= FIL_PAGE_DATA || size >= page.len() {
            return Verdict::Bad(BadReason::CompressedSize);
        }
        Page(page.bytes(0, size))
    } else {
        page
    };
    let stored = written.u32_from_end(checksum::FULL_CRC32_BYTES);
    let computed = checksum::full_crc32(written);
    if stored != computed {
        return Verdict::Bad(BadReason::Checksum { stored, computed });
    }
    let plain = !compressed && page.u32_at(CHECKSUM) == 0;
    if plain && page.u32_from_end(8) != page.u32_at(LSN + 4) {
        return Verdict::Bad(BadReason::Lsn);
    }
    Verdict::Good
}

fn check_legacy(page: Page<'_>, zip: bool) -> Verdict {
    match page.page_type() {
        TYPE_ENCRYPTED | TYPE_ENCRYPTED_RTREE => check_mysql_encrypted(page, zip),
        TYPE_COMPRESSED_AND_ENCRYPTED if packed::has_mysql_header(page) => {
            Verdict::Unchecked(UncheckedReason::Encrypted)
        }
        TYPE_COMPRESSED_AND_ENCRYPTED => Verdict::Bad(BadReason::CompressedHeader),
        TYPE_COMPRESSED => {
            packed::open_mysql(page).map_or_else(verdict_of, |opened| check_plain(Page(&opened)))
        }
        TYPE_PAGE_COMPRESSED => packed::open_mariadb(page).map_or_else(verdict_of, |opened| {
            if packed::headers_agree(page, Page(&opened)) {
                check_plain(Page(&opened))
            } else {
                Verdict::Bad(BadReason::CompressedHeader)
            }
        }),
        TYPE_PAGE_COMPRESSED_ENCRYPTED => check_mariadb_compressed_encrypted(page),
        _ if zip => check_zip(page),
        _ => check_plain(page),
    }
}

fn verdict_of(failure: packed::Unopened) -> Verdict {
    match failure {
        packed::Unopened::UnknownAlgorithm => {
            Verdict::Unchecked(UncheckedReason::CompressionAlgorithm)
        }
        packed::Unopened::Header => Verdict::Bad(BadReason::CompressedHeader),
        packed::Unopened::Stream => Verdict::Bad(BadReason::CompressedStream),
    }
}

/// A page with the checksum in the header, its twin in the trailer and the low half of the LSN
/// at both ends; or the same page encrypted by MariaDB, which keeps those fields in clear and
/// adds a checksum of what is on disk.
fn check_plain(page: Page<'_>) -> Verdict {
    let stored = page.u32_at(CHECKSUM);
    let trailer = page.u32_from_end(8);
    if page.u32_from_end(4) != page.u32_at(LSN + 4) {
        return Verdict::Bad(BadReason::Lsn);
    }
    let computed = checksum::crc32(page);
    if stored == trailer && stored == computed {
        return Verdict::Good;
    }
    if stored == NO_CHECKSUM_MAGIC && trailer == NO_CHECKSUM_MAGIC {
        return Verdict::Unchecked(UncheckedReason::NoChecksum);
    }
    let old = checksum::innodb_old(page);
    if is_mariadb_encrypted(page)
        && (stored == trailer || trailer == old)
        && let Some(verdict) = check_post_encryption(page, computed, || checksum::innodb_new(page))
    {
        return verdict;
    }
    if trailer == old && stored == checksum::innodb_new(page) {
        return Verdict::Good;
    }
    Verdict::Bad(BadReason::Checksum { stored, computed })
}

fn check_zip(page: Page<'_>) -> Verdict {
    let stored = page.u32_at(CHECKSUM);
    let computed = checksum::zip_crc32(page);
    if stored == computed {
        return Verdict::Good;
    }
    if is_mariadb_encrypted(page)
        && let Some(verdict) = check_post_encryption(page, computed, || checksum::zip_innodb(page))
    {
        return verdict;
    }
    if stored == NO_CHECKSUM_MAGIC {
        return Verdict::Unchecked(UncheckedReason::NoChecksum);
    }
    if stored == checksum::zip_innodb(page) {
        return Verdict::Good;
    }
    Verdict::Bad(BadReason::Checksum { stored, computed })
}

/// Whether the page may be one that MariaDB encrypted: its key version is not zero.
fn is_mariadb_encrypted(page: Page<'_>) -> bool {
    page.u32_at(FLUSH_LSN) != 0
}

/// Good or unchecked if the checksum after encryption says so; nothing if it does not match.
fn check_post_encryption(
    page: Page<'_>,
    crc32: u32,
    innodb: impl FnOnce() -> u32,
) -> Option<Verdict> {
    let stored = page.u32_at(POST_ENCRYPTION_CHECKSUM);
    if stored == crc32 {
        return Some(Verdict::Good);
    }
    if stored == NO_CHECKSUM_MAGIC {
        return Some(Verdict::Unchecked(UncheckedReason::NoChecksum));
    }
    (stored == innodb()).then_some(Verdict::Good)
}

/// A page that was compressed and then encrypted by MariaDB. The server trusts these unseen, but
/// since 10.1 it writes their checksum as if nothing but zeroes followed the payload.
fn check_mariadb_compressed_encrypted(page: Page<'_>) -> Verdict {
    let payload_end = match packed::mariadb_encrypted_end(page) {
        Some(end) if page.u32_at(CHECKSUM) == NO_CHECKSUM_MAGIC && is_mariadb_encrypted(page) => {
            end
        }
        _ => return Verdict::Bad(BadReason::CompressedHeader),
    };
    let stored = page.u32_at(POST_ENCRYPTION_CHECKSUM);
    if stored == 0 {
        return Verdict::Unchecked(UncheckedReason::Encrypted);
    }
    let mut written = page.bytes(0, payload_end).to_vec();
    written.resize(page.len(), 0);
    let written = Page(&written);
    let computed = checksum::crc32(written);
    check_post_encryption(page, computed, || checksum::innodb_new(written))
        .unwrap_or(Verdict::Bad(BadReason::Checksum { stored, computed }))
}

/// A page that MySQL encrypted has no checksum of what is on disk. What can be seen without the
/// key is whether it is encrypted at all, so that no damaged page type hides a page in clear.
fn check_mysql_encrypted(page: Page<'_>, zip: bool) -> Verdict {
    let in_clear = if zip {
        has_clear_zip_twin(page)
    } else {
        page.u32_from_end(4) == page.u32_at(LSN + 4)
            || (packed::has_mysql_header(page) && packed::open_mysql(page).is_ok())
    };
    if in_clear {
        return Verdict::Bad(BadReason::PageType { found: page.page_type() });
    }
    if page.page_type() == TYPE_ENCRYPTED_RTREE && packed::has_mysql_header(page) {
        return Verdict::Bad(BadReason::PageType { found: page.page_type() });
    }
    Verdict::Unchecked(UncheckedReason::Encrypted)
}

/// Whether a `ROW_FORMAT=COMPRESSED` page would be intact with one bit of its type changed.
fn has_clear_zip_twin(page: Page<'_>) -> bool {
    let mut twin = page.0.to_vec();
    let page_type = page.page_type();
    (0..16).any(|bit| {
        if let Some(field) = twin.get_mut(PAGE_TYPE..FLUSH_LSN) {
            field.copy_from_slice(&(page_type ^ (1 << bit)).to_be_bytes());
        }
        check_zip(Page(&twin)) == Verdict::Good
    })
}
