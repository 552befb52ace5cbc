//! What the page check found in one file.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::format::TablespaceFormat;

/// Most bad pages of one file that are listed; the rest are only counted.
pub const MAX_BAD_PAGES_LISTED: usize = 64;

/// Most torn pages, and most doublewrite copies, remembered of one file. A doublewrite area holds
/// far fewer pages, so a file with more torn pages than this cannot be repaired anyway.
pub const MAX_TORN_PAGES: usize = 65_536;

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A file-per-table or general tablespace.
    Tablespace,
    /// The first file of the system tablespace.
    System,
    /// A later file of the system tablespace.
    SystemContinuation,
    /// An undo tablespace.
    Undo,
    /// A file of MySQL's doublewrite buffer (`#ib_16384_0.dblwr`).
    Doublewrite,
    /// A temporary tablespace: the server makes it anew at start, so nothing is checked.
    Temporary,
    /// Redo log: it has its own checksums, which recovery checks.
    Redo,
    /// Not an InnoDB tablespace.
    NotInnodb,
    /// The mode asked for no check.
    NotAsked,
}

/// Why a page was read but not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UncheckedReason {
    /// Encrypted in a format without a checksum of the encrypted bytes (MySQL), so that only page
    /// number, space id and page type were checked.
    Encrypted,
    /// Written under `innodb_checksum_algorithm=none`: page number, space id and LSN were checked.
    NoChecksum,
    /// Compressed by lzo, lzma, bzip2 or snappy in the layout that has its checksum inside.
    CompressionAlgorithm,
    /// A slot of the doublewrite area without an intact copy: after a clean shutdown nobody reads
    /// it, and after a crash a damaged copy is simply not used.
    DoublewriteSlot,
    /// Clone base file: the pages are checked once page patches and redo are applied.
    AfterApply,
    /// A later system file whose beginning was never written, so that its format is unknown.
    UnknownFormat,
    /// Less than a page at the end of a crash-consistent file; the server cuts it off.
    IncompleteLastPage,
}

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum BadReason {
    /// The stored checksum is not that of the bytes.
    #[error("checksum {stored:#010x} stored, {computed:#010x} computed")]
    Checksum {
        /// As found in the page.
        stored: u32,
        /// CRC-32C of the page, in the form of its layout.
        computed: u32,
    },
    /// The low half of the LSN differs between header and trailer.
    #[error("the log sequence number differs between header and trailer")]
    Lsn,
    /// An intact page that belongs elsewhere in the file.
    #[error("holds page number {found}")]
    PageNumber {
        /// As found in the page.
        found: u32,
    },
    /// An intact page of another tablespace.
    #[error("holds a page of tablespace {found}, not {expected}")]
    SpaceId {
        /// As found in the page.
        found: u32,
        /// As in page 0.
        expected: u32,
    },
    /// The page type contradicts the contents.
    #[error("page type {found} contradicts the contents")]
    PageType {
        /// As found in the page.
        found: u16,
    },
    /// The size of a compressed page is impossible.
    #[error("impossible compressed size")]
    CompressedSize,
    /// The fields that describe the compression contradict the page.
    #[error("compression fields contradict the page")]
    CompressedHeader,
    /// The compressed bytes do not decompress into one page.
    #[error("does not decompress into one page")]
    CompressedStream,
    /// The file ends within the page.
    #[error("the file ends after {found_bytes} bytes of the page")]
    Incomplete {
        /// Bytes that are there.
        found_bytes: u32,
    },
    /// Page 0 is no tablespace header, though the file's name says that it is a tablespace.
    #[error("is no tablespace header")]
    NoHeader,
}

impl BadReason {
    /// Whether a write that was cut short leaves a page so. Such a write leaves old and new
    /// sectors of one page, never another page that is whole.
    pub(super) fn may_be_torn(&self) -> bool {
        match self {
            Self::Checksum { .. }
            | Self::Lsn
            | Self::PageType { .. }
            | Self::CompressedSize
            | Self::CompressedHeader
            | Self::CompressedStream
            | Self::NoHeader => true,
            Self::PageNumber { .. } | Self::SpaceId { .. } | Self::Incomplete { .. } => false,
        }
    }
}

/// A page that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("page {page_number} at offset {offset_bytes}: {reason}")]
pub struct BadPage {
    /// The number that the page should have.
    pub page_number: u64,
    /// Where it begins in the file.
    pub offset_bytes: u64,
    /// What is wrong.
    pub reason: BadReason,
}

/// Names a page within a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PageId {
    /// Tablespace.
    pub space_id: u32,
    /// Page within it.
    pub page_number: u32,
}

/// Counts and finds of any part of a file; parts add up in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PageCounts {
    /// Pages proved good by a checksum.
    pub pages_checked: u64,
    /// Pages of zeroes: allocated and never written.
    pub pages_empty: u64,
    /// Pages that no checksum covers, by reason.
    pub pages_unchecked: BTreeMap<UncheckedReason, u64>,
    /// The first bad pages, by position, at most [`MAX_BAD_PAGES_LISTED`].
    pub bad: Vec<BadPage>,
    /// All bad pages.
    pub bad_total: u64,
    /// Mode `doublewrite` alone: pages that a write cut short may have left, until
    /// [`PageReport::settle_torn`] decides; at most [`MAX_TORN_PAGES`].
    #[serde(skip)]
    pub torn: Vec<BadPage>,
    /// Torn pages that the server repairs from the doublewrite area when it starts.
    pub pages_repairable: u64,
    /// Intact copies seen in a doublewrite area; at most [`MAX_TORN_PAGES`].
    #[serde(skip)]
    pub doublewrite_copies: Vec<PageId>,
}

impl PageCounts {
    pub(super) fn add_unchecked(&mut self, reason: UncheckedReason, pages: u64) {
        if pages > 0 {
            *self.pages_unchecked.entry(reason).or_default() += pages;
        }
    }

    pub(super) fn add_bad(&mut self, page: BadPage) {
        self.bad_total += 1;
        insert_bounded(&mut self.bad, page, MAX_BAD_PAGES_LISTED);
    }

    pub(super) fn add_torn(&mut self, page: BadPage) {
        if self.torn.len() < MAX_TORN_PAGES {
            self.torn.push(page);
        } else {
            self.add_bad(page);
        }
    }

    pub(super) fn add_copy(&mut self, copy: PageId) {
        if self.doublewrite_copies.len() < MAX_TORN_PAGES {
            self.doublewrite_copies.push(copy);
        }
    }

    /// Adds the counts of another part of the same file. The listed bad pages are the first ones
    /// by position, whatever the order in which parts are added.
    pub fn add(&mut self, part: Self) {
        self.pages_checked += part.pages_checked;
        self.pages_empty += part.pages_empty;
        self.pages_repairable += part.pages_repairable;
        for (reason, pages) in part.pages_unchecked {
            self.add_unchecked(reason, pages);
        }
        self.bad_total += part.bad_total;
        for page in part.bad {
            insert_bounded(&mut self.bad, page, MAX_BAD_PAGES_LISTED);
        }
        part.torn.into_iter().for_each(|page| self.add_torn(page));
        part.doublewrite_copies.into_iter().for_each(|copy| self.add_copy(copy));
    }
}

/// Keeps the first pages by position, sorted.
fn insert_bounded(pages: &mut Vec<BadPage>, page: BadPage, limit: usize) {
    let at = pages.partition_point(|other| other.offset_bytes <= page.offset_bytes);
    if at < limit {
        pages.insert(at, page);
        pages.truncate(limit);
    }
}

/// What the page check found in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageReport {
    /// What the file turned out to be.
    pub kind: FileKind,
    /// The format of its pages, if it is a tablespace.
    pub format: Option<TablespaceFormat>,
    /// Counts and finds.
    #[serde(flatten)]
    pub counts: PageCounts,
}

impl PageReport {
    /// Whether no page is bad and none is left torn.
    pub fn is_good(&self) -> bool {
        self.counts.bad_total == 0 && self.counts.torn.is_empty()
    }

    /// Decides about the torn pages of a crash-consistent copy, once every file of it was read:
    /// those with an intact copy in the doublewrite area are repairable, all others bad.
    pub fn settle_torn(&mut self, copies: &DoublewriteCopies) {
        let space_id = self.format.map(|format| format.space_id);
        for page in std::mem::take(&mut self.counts.torn) {
            let page_number = u32::try_from(page.page_number);
            match (space_id, page_number) {
                (Some(space_id), Ok(page_number))
                    if copies.contains(PageId { space_id, page_number }) =>
                {
                    self.counts.pages_repairable += 1;
                }
                _ => self.counts.add_bad(page),
            }
        }
    }
}

impl fmt::Display for PageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unchecked: u64 = self.counts.pages_unchecked.values().sum();
        write!(
            f,
            "{} pages checked, {} empty, {unchecked} unchecked, {} bad",
            self.counts.pages_checked, self.counts.pages_empty, self.counts.bad_total
        )
    }
}

/// The intact page copies in the doublewrite area of one crash-consistent copy.
#[derive(Debug, Clone, Default)]
pub struct DoublewriteCopies {
    pages: std::collections::HashSet<PageId>,
}

impl DoublewriteCopies {
    /// Takes note of the copies in one file: a doublewrite file, or the system tablespace.
    pub fn collect(&mut self, report: &PageReport) {
        self.pages.extend(&report.counts.doublewrite_copies);
    }

    fn contains(&self, page: PageId) -> bool {
        self.pages.contains(&page)
    }
}
