//! The InnoDB page check: says page by page whether the bytes of a tablespace file are good.
//!
//! A [`PageChecker`] takes one file's bytes in order, in blocks of any size, and keeps less than
//! half a MiB of them. Where a file is read in parallel, [`PagePlan`] decides from its beginning
//! and then checks aligned blocks on any thread. Both give a [`PageReport`].
//!
//! What is checked: the page's own checksum in whatever formula it was written with, the copy of
//! checksum and LSN in its trailer, that its page number is its position, that its space id is
//! that of page 0. `docs/innodb-pages.md` states every formula with its source, and the bytes
//! that nothing covers; the member's sha256 covers those.
//!
//! The mode comes with each entry: `strict`, every page must be good; `doublewrite`, a
//! crash-consistent copy, in which a page that a write cut short may have left is remembered as
//! torn until [`PageReport::settle_torn`] looks it up in the doublewrite area of the same copy, as
//! the server does when it starts; `after_apply`, pages are counted, because page patches and
//! redo still have to be applied; `none`.
//!
//! A file that is no tablespace is [`FileKind::NotInnodb`] and no error, unless its name says
//! that it is one and the mode is [`PageCheck::Strict`]. No input makes the check panic.

mod checksum;
mod doublewrite;
mod file_name;
mod format;
mod packed;
mod page;
mod plan;
mod report;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use dbbackup_plugin_api::document::entry::PageCheck;

pub use format::{Layout, TablespaceFormat};
pub use plan::PagePlan;
pub use report::{
    BadPage, BadReason, DoublewriteCopies, FileKind, MAX_BAD_PAGES_LISTED, MAX_TORN_PAGES,
    PageCounts, PageId, PageReport, UncheckedReason,
};

/// What is known of a file before its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHint {
    /// Its path in the backup; the name tells system, undo, temporary and redo files apart.
    pub path: PathBuf,
}

impl FileHint {
    /// The hint for a file of this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

/// Checks one file whose bytes come in order.
#[derive(Debug)]
pub struct PageChecker {
    mode: PageCheck,
    hint: FileHint,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The file's beginning, until there is enough of it to decide.
    Collecting(Vec<u8>),
    Checking(Box<Stream>),
}

/// The pages of a file whose plan is made.
#[derive(Debug)]
struct Stream {
    plan: PagePlan,
    counts: PageCounts,
    next_index: u64,
    /// The beginning of a page whose rest has not come yet.
    carry: Vec<u8>,
}

impl PageChecker {
    /// A checker for one file.
    pub fn new(mode: PageCheck, hint: FileHint) -> Self {
        Self { mode, hint, state: State::Collecting(Vec::new()) }
    }

    /// Takes the next bytes of the file. Blocks of at least [`PagePlan::HEAD_BYTES`] that are
    /// multiples of the page size are checked in place, without a copy.
    pub fn push(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Checking(stream) => stream.push(bytes),
            State::Collecting(head) if head.is_empty() && bytes.len() >= PagePlan::HEAD_BYTES => {
                self.begin(bytes);
            }
            State::Collecting(head) => {
                head.extend_from_slice(bytes);
                if head.len() >= PagePlan::HEAD_BYTES {
                    let head = std::mem::take(head);
                    self.begin(&head);
                }
            }
        }
    }

    /// Ends the file and reports about it.
    pub fn finish(self) -> PageReport {
        match self.state {
            State::Checking(stream) => stream.finish(),
            State::Collecting(head) => Stream::begin(self.mode, &self.hint, &head).finish(),
        }
    }

    fn begin(&mut self, head: &[u8]) {
        let stream = Stream::begin(self.mode, &self.hint, head);
        self.state = State::Checking(Box::new(stream));
    }
}

impl Stream {
    /// The stream of a file that begins with `head`, whose pages are checked already.
    fn begin(mode: PageCheck, hint: &FileHint, head: &[u8]) -> Self {
        let mut stream = Self {
            plan: PagePlan::new(mode, hint, head),
            counts: PageCounts::default(),
            next_index: 0,
            carry: Vec::new(),
        };
        stream.push(head);
        stream
    }

    fn push(&mut self, bytes: &[u8]) {
        let Some(page_bytes) = self.plan.page_bytes() else { return };
        let rest = self.complete_carried_page(bytes, page_bytes);
        let (whole, part) = rest.split_at(rest.len() - rest.len() % page_bytes);
        self.check(whole, page_bytes);
        self.carry.extend_from_slice(part);
    }

    /// Adds what the page begun in an earlier block still lacks; gives the bytes behind it.
    fn complete_carried_page<'a>(&mut self, bytes: &'a [u8], page_bytes: usize) -> &'a [u8] {
        if self.carry.is_empty() {
            return bytes;
        }
        let lacking = page_bytes.saturating_sub(self.carry.len()).min(bytes.len());
        let (now, rest) = bytes.split_at(lacking);
        self.carry.extend_from_slice(now);
        if self.carry.len() >= page_bytes {
            let page = std::mem::take(&mut self.carry);
            self.check(&page, page_bytes);
        }
        rest
    }

    fn check(&mut self, block: &[u8], page_bytes: usize) {
        self.counts.add(self.plan.check_block(self.next_index, block));
        let pages = block.len().div_ceil(page_bytes);
        self.next_index = self.next_index.saturating_add(u64::try_from(pages).unwrap_or(u64::MAX));
    }

    fn finish(mut self) -> PageReport {
        let carried = std::mem::take(&mut self.carry);
        self.counts.add(self.plan.check_block(self.next_index, &carried));
        self.plan.report(self.counts)
    }
}
