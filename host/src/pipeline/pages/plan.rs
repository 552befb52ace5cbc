//! What to do with the pages of one file, decided from its name, the mode and its first bytes;
//! then the check of any block of them, on any thread.

use super::doublewrite;
use super::file_name::{Expected, expected};
use super::format::{self, TablespaceFormat};
use super::page::{self, MAX_PAGE_BYTES, Page, Verdict};
use super::report::{BadPage, BadReason, FileKind, PageCounts, PageReport, UncheckedReason};
use super::{FileHint, PageCheck};

/// Page size assumed of a file that does not tell, in bytes; only counts depend on it.
const ASSUMED_PAGE_BYTES: u32 = 16_384;

/// How the pages of one file are checked. Immutable, so that blocks of the file may be checked in
/// parallel: [`PagePlan::check_block`] is a pure function of the block and its position.
#[derive(Debug, Clone)]
pub struct PagePlan {
    mode: PageCheck,
    kind: FileKind,
    treatment: Treatment,
    found_in_head: PageCounts,
}

#[derive(Debug, Clone, Copy)]
enum Treatment {
    Check(TablespaceFormat),
    /// Slots of a doublewrite file, of this size in bytes.
    Slots(u32),
    /// Count pages of this size in bytes.
    Count(u32, UncheckedReason),
    Nothing,
}

impl PagePlan {
    /// Bytes of a file's beginning that a plan wants to see: the six first pages, of which the
    /// sixth tells where the system tablespace keeps its doublewrite area. Less only if the file
    /// is shorter.
    pub const HEAD_BYTES: usize = 6 * MAX_PAGE_BYTES;

    /// Decides how to check a file that begins with `head`.
    pub fn new(mode: PageCheck, hint: &FileHint, head: &[u8]) -> Self {
        let (kind, treatment) = match (mode, expected(&hint.path)) {
            (PageCheck::None, _) => (FileKind::NotAsked, Treatment::Nothing),
            (_, Expected::Ignored(kind)) => (kind, Treatment::Nothing),
            (PageCheck::AfterApply, Expected::DoublewriteSlots(size)) => {
                (FileKind::Doublewrite, Treatment::Count(size, UncheckedReason::AfterApply))
            }
            (_, Expected::DoublewriteSlots(size)) => {
                (FileKind::Doublewrite, Treatment::Slots(size))
            }
            (PageCheck::AfterApply, Expected::Tablespace(kind)) => count_only(kind, head),
            (PageCheck::AfterApply, Expected::Anything) => count_only(FileKind::Tablespace, head),
            (_, Expected::Tablespace(kind)) => tablespace(kind, head),
            (_, Expected::Anything) => perhaps_tablespace(head),
        };
        let mut found_in_head = PageCounts::default();
        let should_be_tablespace = matches!(expected(&hint.path), Expected::Tablespace(_));
        if kind == FileKind::NotInnodb && should_be_tablespace && mode == PageCheck::Strict {
            found_in_head.add_bad(BadPage {
                page_number: 0,
                offset_bytes: 0,
                reason: BadReason::NoHeader,
            });
        }
        Self { mode, kind, treatment, found_in_head }
    }

    /// Size of a page in the file, in bytes: blocks to check are multiples of it. None if there
    /// is nothing to check.
    pub fn page_bytes(&self) -> Option<usize> {
        let size = match &self.treatment {
            Treatment::Check(format) => format.physical_page_bytes(),
            Treatment::Slots(size) | Treatment::Count(size, _) => *size,
            Treatment::Nothing => return None,
        };
        usize::try_from(size).ok()
    }

    /// Checks the consecutive pages in `block`, the first of which is the file's page at index
    /// `first_index` (its offset divided by [`PagePlan::page_bytes`]). Bytes at the end that are
    /// less than a page count as the end of the file.
    pub fn check_block(&self, first_index: u64, block: &[u8]) -> PageCounts {
        let mut counts = PageCounts::default();
        let Some(size) = self.page_bytes() else { return counts };
        for (index, bytes) in (first_index..).zip(block.chunks(size)) {
            if bytes.len() < size {
                self.count_incomplete(index, bytes, &mut counts);
                continue;
            }
            let page = Page(bytes);
            match &self.treatment {
                Treatment::Check(format) => self.check_page(format, index, page, &mut counts),
                Treatment::Slots(_) => count_slot(page, &mut counts),
                Treatment::Count(_, reason) => counts.add_unchecked(*reason, 1),
                Treatment::Nothing => {}
            }
        }
        counts
    }

    /// The report of the file whose blocks gave these counts.
    pub fn report(&self, counts: PageCounts) -> PageReport {
        let mut all = self.found_in_head.clone();
        all.add(counts);
        let format = match &self.treatment {
            Treatment::Check(format) => Some(*format),
            Treatment::Slots(_) | Treatment::Count(..) | Treatment::Nothing => None,
        };
        PageReport { kind: self.kind, format, counts: all }
    }

    fn check_page(
        &self,
        format: &TablespaceFormat,
        index: u64,
        page: Page<'_>,
        counts: &mut PageCounts,
    ) {
        let page_number = u64::from(format.first_page_number).saturating_add(index);
        if format.is_in_doublewrite_block(page_number) {
            return count_slot(page, counts);
        }
        match page::check(format, page_number, page) {
            Verdict::Good => counts.pages_checked += 1,
            Verdict::Empty => counts.pages_empty += 1,
            Verdict::Unchecked(reason) => counts.add_unchecked(reason, 1),
            Verdict::Bad(reason) => {
                let bad = self.bad_page(index, reason);
                if self.mode == PageCheck::Doublewrite && reason.may_be_torn() {
                    counts.add_torn(bad);
                } else {
                    counts.add_bad(bad);
                }
            }
        }
    }

    fn count_incomplete(&self, index: u64, bytes: &[u8], counts: &mut PageCounts) {
        match (&self.treatment, self.mode) {
            (Treatment::Check(_), PageCheck::Strict) => {
                let found_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                counts.add_bad(self.bad_page(index, BadReason::Incomplete { found_bytes }));
            }
            (Treatment::Check(_), _) => {
                counts.add_unchecked(UncheckedReason::IncompleteLastPage, 1)
            }
            (Treatment::Slots(_), _) => counts.add_unchecked(UncheckedReason::DoublewriteSlot, 1),
            (Treatment::Count(_, reason), _) => counts.add_unchecked(*reason, 1),
            (Treatment::Nothing, _) => {}
        }
    }

    fn bad_page(&self, index: u64, reason: BadReason) -> BadPage {
        let first = match &self.treatment {
            Treatment::Check(format) => u64::from(format.first_page_number),
            Treatment::Slots(_) | Treatment::Count(..) | Treatment::Nothing => 0,
        };
        let size = self.page_bytes().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        BadPage {
            page_number: first.saturating_add(index),
            offset_bytes: index.saturating_mul(size),
            reason,
        }
    }
}

fn count_slot(slot: Page<'_>, counts: &mut PageCounts) {
    if page::is_zero(slot.0) {
        counts.pages_empty += 1;
    } else if let Some(copy) = doublewrite::intact_copy(slot) {
        counts.pages_checked += 1;
        counts.add_copy(copy);
    } else {
        counts.add_unchecked(UncheckedReason::DoublewriteSlot, 1);
    }
}

fn count_only(kind: FileKind, head: &[u8]) -> (FileKind, Treatment) {
    match format::stated(head) {
        Some(stated) => {
            let size = stated.physical_page_bytes();
            (kind, Treatment::Count(size, UncheckedReason::AfterApply))
        }
        None => (FileKind::NotInnodb, Treatment::Nothing),
    }
}

/// A file whose name says nothing: a tablespace only if its page 0 is intact.
fn perhaps_tablespace(head: &[u8]) -> (FileKind, Treatment) {
    match format::stated(head).filter(|stated| format::first_page_is_good(stated, head)) {
        Some(stated) if stated.space_id == 0 => with_doublewrite_blocks(stated, head),
        Some(stated) => (FileKind::Tablespace, Treatment::Check(stated)),
        None => (FileKind::NotInnodb, Treatment::Nothing),
    }
}

/// A file whose name says that it is a tablespace. Its page 0 states the format; if that page is
/// damaged, the pages behind it tell, so that one flipped bit is not reported as a file full of
/// bad pages.
fn tablespace(kind: FileKind, head: &[u8]) -> (FileKind, Treatment) {
    let stated = format::stated(head);
    let sound = stated.filter(|stated| format::first_page_is_good(stated, head));
    let is_system = kind == FileKind::System;
    let found = sound
        .or_else(|| {
            format::recovered(head).filter(|found| is_system || found.first_page_number == 0)
        })
        .or(stated);
    match found {
        Some(found) if found.first_page_number != 0 => {
            (FileKind::SystemContinuation, Treatment::Check(found))
        }
        Some(found) if is_system => with_doublewrite_blocks(found, head),
        Some(found) => (kind, Treatment::Check(found)),
        None if is_system && page::is_zero(head.get(..MAX_PAGE_BYTES).unwrap_or(head)) => {
            let unknown = Treatment::Count(ASSUMED_PAGE_BYTES, UncheckedReason::UnknownFormat);
            (FileKind::SystemContinuation, unknown)
        }
        None => (FileKind::NotInnodb, Treatment::Nothing),
    }
}

fn with_doublewrite_blocks(found: TablespaceFormat, head: &[u8]) -> (FileKind, Treatment) {
    let doublewrite_blocks = doublewrite::blocks_in_system_tablespace(&found, head);
    (FileKind::System, Treatment::Check(TablespaceFormat { doublewrite_blocks, ..found }))
}
