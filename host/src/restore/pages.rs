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
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use dbbackup_plugin_api::document::{entry::PageCheck, manifest::PagesRecord};
use std::{
    fs::{self, File},
    io::Read,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread::{self, available_parallelism},
    time::Duration,
};

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Time between two looks at the cancellation, and two reports of progress.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Bad pages that an error names.
const NAMED_PAGES: usize = 5;

/// Checks every page of every file that has pages, with all processors, each its own file at a time.
///
/// # Errors
/// [`RestoreError::BadPages`] for the first file with a bad page.
pub(super) fn check(
    layout: &Layout,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<PagesRecord, Failure> {
    let mut files = Vec::new();
    for tree in layout.trees() {
        files.extend(files_below(tree)?.into_iter().map(|path| FileToCheck { tree, path }));
    }
    let checking = Checking::default();
    let (sender, reports) = bounded(files.len());
    let mut found = thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, NonZeroUsize::get).min(files.len()) {
            let (sender, checking, files) = (sender.clone(), &checking, &files);
            scope.spawn(move || checking.run(files, &sender));
        }
        drop(sender);
        gather(&reports, &checking, observer, cancel)
    })?;
    // Of several damaged files the first in the order of names.
    found.sort_by_key(|(number, _)| *number);
    let mut sum = PagesRecord::default();
    for (number, report) in found {
        let report = report?;
        if let (false, Some(FileToCheck { tree, path })) = (report.is_good(), files.get(number)) {
            let name = path.strip_prefix(tree).unwrap_or(path);
            return Err(bad_pages(name, &report).into());
        }
        let counts = &report.counts;
        sum.checked += counts.pages_checked + counts.pages_empty;
        sum.unchecked += counts.pages_unchecked.values().sum::<u64>();
    }
    Ok(sum)
}

struct FileToCheck<'t> {
    tree: &'t Path,
    path: PathBuf,
}

/// What was found in the file of a number.
type Found = (usize, Result<PageReport, RestoreError>);

/// What the threads share.
#[derive(Debug, Default)]
struct Checking {
    next: AtomicUsize,
    bytes: AtomicU64,
    ends: AtomicBool,
}

impl Checking {
    /// A thread: takes files as long as there are any and nobody has found something bad.
    fn run(&self, files: &[FileToCheck<'_>], found: &Sender<Found>) {
        while !self.ends.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(number) else { return };
            let Some(report) = self.check_file(&file.path).transpose() else { return };
            if !report.as_ref().is_ok_and(PageReport::is_good) {
                self.ends.store(true, Ordering::Relaxed);
            }
            if found.send((number, report)).is_err() {
                return;
            }
        }
    }

    /// Nothing for a file that was not read to its end, because all is over.
    fn check_file(&self, path: &Path) -> Result<Option<PageReport>, RestoreError> {
        let failed = |source| RestoreError::io("read", path, source);
        let mut file = File::open(path).map_err(failed)?;
        let mut checker = PageChecker::new(PageCheck::Strict, FileHint::new(path));
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let length = file.read(&mut buffer).map_err(failed)?;
            if length == 0 {
                return Ok(Some(checker.finish()));
            }
            if self.ends.load(Ordering::Relaxed) {
                return Ok(None);
            }
            checker.push(buffer.get(..length).unwrap_or_default());
            self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        }
    }
}

/// Waits for all threads, reports progress, and ends them if the run is cancelled.
fn gather(
    reports: &Receiver<Found>,
    checking: &Checking,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    loop {
        match reports.recv_timeout(LOOK_EVERY) {
            Ok(one) => found.push(one),
            Err(RecvTimeoutError::Timeout) => {
                let bytes_in = checking.bytes.load(Ordering::Relaxed);
                let flow = FlowEvent { bytes_in, ..FlowEvent::default() };
                observer.event(&RunEvent::Flow(flow));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(found),
        }
        if let Some(cause) = cancel.cause() {
            checking.ends.store(true, Ordering::Relaxed);
            return Err(SupervisorError::Cancelled { cause }.into());
        }
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
