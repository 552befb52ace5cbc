//! Flips bits in the files and expects the check to find them where the format covers them.
//!
//! The unit tests of the check flip every byte of a page of each format. Here, on files of real
//! servers, every byte of a page's header and trailer is flipped and a sample of those between;
//! all of them in a long run.

use super::coverage::PageKind;
use super::files::{self, DataFile};
use super::tables::Table;
use anyhow::{Context, Result, ensure};
use dbbackup::pipeline::pages::{FileHint, PagePlan, TablespaceFormat};
use dbbackup_plugin_api::document::entry::PageCheck;
use dbbackup_testkit::{Random, env};

/// Random flips per file, in any page.
const RANDOM_FLIPS: u64 = 150;

/// Bytes at either end of a page that are all flipped: header, trailer, compressed fields.
const PAGE_ENDS_BYTES: usize = 128;
/// Between the ends, every so many bytes one is flipped. A prime, so that no structure hides.
const BODY_STEP: usize = 17;

/// Flips bits of each table's file: random ones anywhere, some all over one page, and each one
/// that says what page 0 is.
pub(super) fn expect_found(
    files: &[DataFile],
    tables: &[Table],
    random: &mut Random,
) -> Result<()> {
    for table in tables {
        let file = files::of_table(files, table)?;
        let mut target = Target::new(file)?;
        for _ in 0..RANDOM_FLIPS {
            let at = random.below(u64::try_from(target.bytes.len())?);
            target.expect_found(usize::try_from(at)?, random.below(8))?;
        }
        let page = (1..target.pages())
            .rev()
            .find(|&page| table.page_kind.is_kind_of(target.page(page)))
            .context("no page of the table's kind")?;
        for at in target.sample_of(page) {
            target.expect_found(at, random.below(8))?;
        }
        for at in (4..8).chain(34..42).chain(54..58) {
            target.expect_found(at, random.below(8))?;
        }
    }
    Ok(())
}

/// A file whose bytes are changed and changed back.
struct Target<'a> {
    file: &'a DataFile,
    bytes: Vec<u8>,
    /// Found by a check of the whole file, so once and not for each flip.
    format: TablespaceFormat,
    plan: PagePlan,
    page_bytes: usize,
}

impl<'a> Target<'a> {
    fn new(file: &'a DataFile) -> Result<Self> {
        let bytes = file.bytes.clone();
        let hint = FileHint::new(&file.name);
        let plan = PagePlan::new(PageCheck::Strict, &hint, head(&bytes));
        let page_bytes = plan.page_bytes().context("not a tablespace")?;
        Ok(Self { file, bytes, format: file.format()?, plan, page_bytes })
    }

    fn pages(&self) -> usize {
        self.bytes.len() / self.page_bytes
    }

    fn range_of(&self, page: usize) -> std::ops::Range<usize> {
        page * self.page_bytes..(page + 1) * self.page_bytes
    }

    /// The bytes of a page that are flipped.
    fn sample_of(&self, page: usize) -> Vec<usize> {
        let step = if env::is_acceptance() { 1 } else { BODY_STEP };
        let range = self.range_of(page);
        let body = range.start + PAGE_ENDS_BYTES..range.end - PAGE_ENDS_BYTES;
        let ends = (range.start..body.start).chain(body.end..range.end);
        ends.chain(body.step_by(step)).collect()
    }

    fn page(&self, page: usize) -> &[u8] {
        &self.bytes[self.range_of(page)]
    }

    fn expect_found(&mut self, at: usize, bit: u64) -> Result<()> {
        let page = at / self.page_bytes;
        let before = self.page(page).to_vec();
        self.bytes[at] ^= 1 << bit;
        let found = self.bad_pages(page)?;
        let kind = self.kind_of(&before);
        let covered = kind.covers(&before, at % self.page_bytes)
            && !kind.opens_alike(&before, self.page(page));
        let offset =
            format!("{} page {page} byte {} bit {bit}", self.file.name, at % self.page_bytes);
        if covered {
            ensure!(found == [u64::try_from(page)?], "{offset}, {kind:?}: found {found:?}");
        } else if page > 0 || kind.has_checksum() {
            // Without one, page 0 may well say that the whole file is of another format.
            ensure!(found.iter().all(|&other| other == page as u64), "{offset}: found {found:?}");
        }
        self.bytes[at] ^= 1 << bit;
        Ok(())
    }

    /// MySQL leaves what it likes in the bytes that hold MariaDB's key version.
    fn kind_of(&self, page: &[u8]) -> PageKind {
        let has_checksum = !page.starts_with(&[0xDE, 0xAD, 0xBE, 0xEF]);
        let is_encrypted = self.file.name.contains("enc");
        match (PageKind::of(&self.format, page), has_checksum) {
            (kind, _) if is_encrypted => kind,
            (PageKind::MariadbEncryptedCompressedRows, true) => PageKind::CompressedRows,
            (PageKind::MariadbEncryptedCompressedRows, false) => PageKind::NoChecksumCompressedRows,
            (PageKind::MariadbEncrypted, true) => PageKind::Plain,
            (PageKind::MariadbEncrypted, false) => PageKind::NoChecksum,
            (kind, _) => kind,
        }
    }

    /// The bad pages after a flip in this page. A flip in page 0 may change what the file is
    /// taken for, so the plan is made anew and the whole beginning is checked.
    fn bad_pages(&self, page: usize) -> Result<Vec<u64>> {
        let counts = if page == 0 {
            let hint = FileHint::new(&self.file.name);
            let plan = PagePlan::new(PageCheck::Strict, &hint, head(&self.bytes));
            let counts = plan.check_block(0, head(&self.bytes));
            plan.report(counts).counts
        } else {
            self.plan.check_block(u64::try_from(page)?, self.page(page))
        };
        Ok(counts.bad.iter().map(|bad| bad.page_number).collect())
    }
}

fn head(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(PagePlan::HEAD_BYTES)]
}
