//! The format of a tablespace, read from the flags in its page 0.

use std::collections::BTreeMap;

use serde::Serialize;

use super::page::{
    FIL_PAGE_DATA, HEADER_SPACE_ID, PAGE_NUMBER, Page, SPACE_ID, Verdict, check, check_contents,
    is_zero, readable_space_id,
};
use super::report::UncheckedReason;

/// Where the tablespace header keeps its flags (`FSP_SPACE_FLAGS` behind the page header).
const HEADER_FLAGS: usize = FIL_PAGE_DATA + 16;

/// No page is shorter.
const MIN_PAGE_BYTES: usize = 1_024;

/// The page sizes that InnoDB knows, in bytes, the usual one first.
const PAGE_SIZES_BYTES: [u32; 5] = [16_384, 4_096, 8_192, 32_768, 65_536];
/// The page sizes of `ROW_FORMAT=COMPRESSED`, in bytes.
const ZIP_SIZES_BYTES: [u32; 5] = [8_192, 4_096, 2_048, 1_024, 16_384];

/// How the pages of a tablespace carry their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Checksum in the header: `crc32`, `innodb` or `none`, chosen anew at each write of a page.
    Legacy,
    /// MariaDB's `full_crc32`: checksum in the last four bytes, fixed when the file is created.
    FullCrc32,
}

/// What must be known of a tablespace file to check any of its pages alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TablespaceFormat {
    /// How the pages carry their checksum.
    pub layout: Layout,
    /// Page size in the buffer pool, in bytes (`innodb_page_size`).
    pub page_size_bytes: u32,
    /// Page size in the file, in bytes, of a `ROW_FORMAT=COMPRESSED` tablespace.
    pub zip_size_bytes: Option<u32>,
    /// The id that each page of the file must carry.
    pub space_id: u32,
    /// Number of the file's first page: not zero in the second and later system files.
    pub first_page_number: u32,
    /// First pages of the two doublewrite blocks inside the system tablespace.
    pub doublewrite_blocks: Option<[u32; 2]>,
}

impl TablespaceFormat {
    /// Size of a page in the file, in bytes.
    pub fn physical_page_bytes(&self) -> u32 {
        self.zip_size_bytes.unwrap_or(self.page_size_bytes)
    }

    pub(super) fn is_zip(&self) -> bool {
        self.zip_size_bytes.is_some()
    }

    /// Whether a page lies in the doublewrite blocks, where pages of other tablespaces pass by.
    pub(super) fn is_in_doublewrite_block(&self, page_number: u64) -> bool {
        let pages = u64::from(extent_pages(self.page_size_bytes));
        self.doublewrite_blocks.is_some_and(|blocks| {
            blocks
                .iter()
                .map(|&first| u64::from(first))
                .any(|first| (first..first + pages).contains(&page_number))
        })
    }
}

/// Pages of an extent, and so of one doublewrite block: 1 MiB, from 32 KiB pages on 64 pages.
fn extent_pages(page_size_bytes: u32) -> u32 {
    if page_size_bytes <= 16_384 { 1_048_576 / page_size_bytes.max(1) } else { 64 }
}

/// The format that page 0 states, if the beginning of a file looks like a page 0. Nothing is
/// said yet about whether that page is intact.
pub(super) fn stated(head: &[u8]) -> Option<TablespaceFormat> {
    let page = Page(head);
    if is_zero(page.bytes(0, MIN_PAGE_BYTES)) {
        return None;
    }
    let space_id = page.u32_at(SPACE_ID);
    let is_first = page.u32_at(PAGE_NUMBER) == 0 && page.u32_at(HEADER_SPACE_ID) == space_id;
    let (layout, page_size_bytes, zip_size_bytes) = parse_flags(page.u32_at(HEADER_FLAGS))?;
    is_first.then_some(TablespaceFormat {
        layout,
        page_size_bytes,
        zip_size_bytes,
        space_id,
        first_page_number: 0,
        doublewrite_blocks: None,
    })
}

/// `FSP_SPACE_FLAGS` of both servers. The marker of `full_crc32` is the bit that in the older
/// meaning would be the top of a compressed page size beyond 64 KiB, so the two never mix.
fn parse_flags(flags: u32) -> Option<(Layout, u32, Option<u32>)> {
    const FULL_CRC32_MARKER: u32 = 1 << 4;
    if flags & FULL_CRC32_MARKER != 0 {
        // Bits 0..=3 page size, 5..=7 compression algorithm.
        let size = shifted_size(flags & 0xF)?;
        return (flags <= 0xFF && size >= 4_096).then_some((Layout::FullCrc32, size, None));
    }
    // Bits 0 post-antelope, 1..=4 compressed page size, 5 atomic blobs, 6..=9 page size, 10 data
    // directory, 11 shared, 12 temporary, 13 encryption, 14 SDI; 16 MariaDB's page compression.
    const KNOWN: u32 = 0x1_7FFF;
    const COMPRESSED_NEEDS: u32 = (1 << 0) | (1 << 5);
    let size = match (flags >> 6) & 0xF {
        0 => 16_384,
        shift => shifted_size(shift).filter(|&size| size >= 4_096)?,
    };
    let zip = match (flags >> 1) & 0xF {
        0 => None,
        shift => Some(shifted_size(shift)?),
    };
    let zip_fits = zip.is_none_or(|zip| {
        zip <= size && zip <= 16_384 && flags & COMPRESSED_NEEDS == COMPRESSED_NEEDS
    });
    (flags & !KNOWN == 0 && zip_fits).then_some((Layout::Legacy, size, zip))
}

/// 512 bytes shifted left: 1 is 1 KiB, 5 is 16 KiB, 7 is 64 KiB.
fn shifted_size(shift: u32) -> Option<u32> {
    (1..=7).contains(&shift).then(|| 512 << shift)
}

/// Whether the first page of a file is intact in a format.
pub(super) fn first_page_is_good(format: &TablespaceFormat, head: &[u8]) -> bool {
    first_pages(format, head).next().is_some_and(|page| {
        let verdict = check(format, u64::from(format.first_page_number), page);
        matches!(verdict, Verdict::Good | Verdict::Unchecked(UncheckedReason::NoChecksum))
    })
}

/// The format in which the most pages of a file's beginning are intact: for a file whose page 0
/// is damaged, and for a second system file, which has none. None if no page is intact in any.
pub(super) fn recovered(head: &[u8]) -> Option<TablespaceFormat> {
    let mut best = None;
    let mut most = 0;
    for (format, votes) in candidates().filter_map(|candidate| placed(&candidate, head)) {
        if votes > most {
            most = votes;
            best = Some(format);
        }
    }
    best
}

/// A candidate with the space id and the position that the most pages agree on, and how many.
fn placed(candidate: &TablespaceFormat, head: &[u8]) -> Option<(TablespaceFormat, usize)> {
    let mut positions: BTreeMap<u32, usize> = BTreeMap::new();
    let mut space_ids: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, page) in (0_u32..).zip(first_pages(candidate, head)) {
        let page_number = page.u32_at(PAGE_NUMBER);
        if !matches!(check_contents(candidate, page), Verdict::Good | Verdict::Unchecked(_)) {
            continue;
        }
        let Some(first) = page_number.checked_sub(index) else { continue };
        *positions.entry(first).or_default() += 1;
        // Page 0 repeats the space id where its checksum covers it.
        let space_id = match page_number {
            0 => Some(page.u32_at(HEADER_SPACE_ID)),
            _ => readable_space_id(candidate.layout, page),
        };
        if let Some(space_id) = space_id {
            *space_ids.entry(space_id).or_default() += 1;
        }
    }
    let most = |(_, votes): &(&u32, &usize)| **votes;
    let (&first_page_number, &votes) = positions.iter().max_by_key(most)?;
    // If every intact page hides it, page 0 may be damaged elsewhere and still state it.
    let space_id = space_ids.iter().max_by_key(most).map(|(&space_id, _)| space_id);
    let space_id = space_id.unwrap_or_else(|| Page(head).u32_at(SPACE_ID));
    Some((TablespaceFormat { space_id, first_page_number, ..*candidate }, votes))
}

/// Every format that there is, space id and position left open.
pub(super) fn candidates() -> impl Iterator<Item = TablespaceFormat> {
    let of = |layout, page_size_bytes, zip_size_bytes| TablespaceFormat {
        layout,
        page_size_bytes,
        zip_size_bytes,
        space_id: 0,
        first_page_number: 0,
        doublewrite_blocks: None,
    };
    let plain = PAGE_SIZES_BYTES
        .into_iter()
        .flat_map(move |size| [of(Layout::Legacy, size, None), of(Layout::FullCrc32, size, None)]);
    plain.chain(ZIP_SIZES_BYTES.into_iter().map(move |zip| of(Layout::Legacy, 16_384, Some(zip))))
}

/// The whole pages at a file's beginning.
pub(super) fn first_pages<'a>(
    format: &TablespaceFormat,
    head: &'a [u8],
) -> impl Iterator<Item = Page<'a>> + use<'a> {
    let size = usize::try_from(format.physical_page_bytes()).unwrap_or(usize::MAX);
    head.chunks_exact(size).map(Page)
}
