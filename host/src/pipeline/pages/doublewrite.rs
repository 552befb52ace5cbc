//! The doublewrite area: where the system tablespace keeps it, and which intact page copies it
//! holds.

use super::format::{TablespaceFormat, candidates};
use super::page::{FIL_PAGE_DATA, PAGE_NUMBER, Page, Verdict, check_contents, readable_space_id};
use super::report::PageId;

/// The page of the system tablespace that names the doublewrite blocks (`TRX_SYS_PAGE_NO`).
const TRX_SYS_PAGE: usize = 5;
/// The doublewrite header, counted from the end of that page (`TRX_SYS_DOUBLEWRITE`): ten bytes
/// of file segment, the magic number, the first pages of both blocks.
const HEADER_FROM_END: usize = 200;
const MAGIC_OFFSET: usize = 10;
const MAGIC: u32 = 536_853_855;

/// The first pages of the two doublewrite blocks inside the system tablespace. None if the area
/// lies in files of its own (MySQL since 8.0.20), or page 5 is not there or not intact.
pub(super) fn blocks_in_system_tablespace(
    format: &TablespaceFormat,
    head: &[u8],
) -> Option<[u32; 2]> {
    let page = super::format::first_pages(format, head).nth(TRX_SYS_PAGE)?;
    if check_contents(format, page) != Verdict::Good {
        return None;
    }
    let header = page.len().checked_sub(HEADER_FROM_END).filter(|&at| at > FIL_PAGE_DATA)?;
    let magic = header + MAGIC_OFFSET;
    (page.u32_at(magic) == MAGIC).then(|| [page.u32_at(magic + 4), page.u32_at(magic + 8)])
}

/// The page that a slot of the doublewrite area holds an intact copy of. Pages of every
/// tablespace pass through the area, so each layout is tried; a copy that is encrypted as a
/// whole, or whose space id is, cannot be attributed and counts as none.
pub(super) fn intact_copy(slot: Page<'_>) -> Option<PageId> {
    candidates().find_map(|format| {
        let size = usize::try_from(format.physical_page_bytes()).ok()?;
        if !format.is_zip() && size != slot.len() {
            return None;
        }
        let page = Page(slot.0.get(..size)?);
        if check_contents(&format, page) != Verdict::Good {
            return None;
        }
        let space_id = readable_space_id(format.layout, page)?;
        Some(PageId { space_id, page_number: page.u32_at(PAGE_NUMBER) })
    })
}
