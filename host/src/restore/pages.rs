//! The page check after a restore: of files that are good only once an engine has applied patches.
//!
//! An engine may have renamed, removed and made files, so that every file that lies there is looked
//! at, not those that the manifest names.
use super::{error::RestoreError, layout::Layout};
use crate::{
    exit::Failure,
    pipeline::pages::{FileHint, PageChecker, PageReport},
    supervisor::{CancelFlag, Observer, RunEvent, SupervisorError, event::FlowEvent},
};
use dbbackup_plugin_api::document::{entry::PageCheck, manifest::PagesRecord};
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes between two reports of progress.
const REPORT_BYTES: u64 = 64 << 20;
/// Bad pages that an error names.
const NAMED_PAGES: usize = 5;

/// Checks every page of every file that has pages.
///
/// # Errors
/// [`RestoreError::BadPages`] for the first file with a bad page.
pub(super) fn check(
    layout: &Layout,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<PagesRecord, Failure> {
    let mut sum = PagesRecord::default();
    let mut flow = Flow { observer, bytes: 0, reported: 0 };
    for tree in layout.trees() {
        for path in files_below(tree)? {
            if let Some(cause) = cancel.cause() {
                return Err(SupervisorError::Cancelled { cause }.into());
            }
            let report = check_file(&path, &mut flow)?;
            if !report.is_good() {
                let name = path.strip_prefix(tree).unwrap_or(&path);
                return Err(bad_pages(name, &report).into());
            }
            let counts = &report.counts;
            sum.checked += counts.pages_checked + counts.pages_empty;
            sum.unchecked += counts.pages_unchecked.values().sum::<u64>();
        }
    }
    Ok(sum)
}

struct Flow<'a> {
    observer: &'a dyn Observer,
    bytes: u64,
    reported: u64,
}

impl Flow<'_> {
    fn add(&mut self, bytes: usize) {
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.bytes - self.reported >= REPORT_BYTES {
            self.reported = self.bytes;
            let flow = FlowEvent { bytes_in: self.bytes, ..FlowEvent::default() };
            self.observer.event(&RunEvent::Flow(flow));
        }
    }
}

fn check_file(path: &Path, flow: &mut Flow<'_>) -> Result<PageReport, RestoreError> {
    let failed = |source| RestoreError::io("read", path, source);
    let mut file = File::open(path).map_err(failed)?;
    let mut checker = PageChecker::new(PageCheck::Strict, FileHint::new(path));
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let length = file.read(&mut buffer).map_err(failed)?;
        if length == 0 {
            return Ok(checker.finish());
        }
        checker.push(buffer.get(..length).unwrap_or_default());
        flow.add(length);
    }
}

/// Plain files, in an order of their names.
fn files_below(tree: &Path) -> Result<Vec<PathBuf>, RestoreError> {
    let mut files = Vec::new();
    let mut pending = vec![tree.to_owned()];
    while let Some(directory) = pending.pop() {
        let failed = |source| RestoreError::io("look through", &directory, source);
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn bad_pages(file: &Path, report: &PageReport) -> RestoreError {
    let bad = &report.counts.bad;
    let named: Vec<String> = bad.iter().take(NAMED_PAGES).map(ToString::to_string).collect();
    RestoreError::BadPages {
        file: file.to_owned(),
        bad: report.counts.bad_total,
        pages: named.join("; "),
    }
}
