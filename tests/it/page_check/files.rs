//! The files of a data directory.

use super::tables::Table;
use anyhow::{Context, Result, ensure};
use dbbackup::pipeline::pages::{
    DoublewriteCopies, FileHint, PageChecker, PageReport, TablespaceFormat,
};
use dbbackup_plugin_api::document::entry::PageCheck;
use std::cell::OnceCell;
use std::fs;
use std::path::Path;

/// A file that may hold pages.
pub(super) struct DataFile {
    /// Path below the data directory.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// Outcome of the strict check, which every question to the file is about.
    checked: OnceCell<PageReport>,
}

/// Blocks as the pipeline reads them.
const BLOCK_BYTES: usize = 1 << 20;

impl DataFile {
    pub(super) fn check(&self) -> &PageReport {
        self.checked.get_or_init(|| self.check_as(PageCheck::Strict))
    }

    fn check_as(&self, mode: PageCheck) -> PageReport {
        let mut checker = PageChecker::new(mode, FileHint::new(&self.name));
        self.bytes.chunks(BLOCK_BYTES).for_each(|block| checker.push(block));
        checker.finish()
    }

    pub(super) fn format(&self) -> Result<TablespaceFormat> {
        self.check().format.with_context(|| format!("{} has no format", self.name))
    }

    pub(super) fn pages(&self) -> Result<impl Iterator<Item = &[u8]>> {
        let size = usize::try_from(self.format()?.physical_page_bytes())?;
        Ok(self.bytes.chunks(size))
    }

    /// Whether pages of other tablespaces pass through.
    pub(super) fn is_scratch(&self) -> bool {
        self.name.ends_with(".dblwr") || self.name == "ibdata1"
    }
}

/// Reads every tablespace and doublewrite file below a data directory.
pub(super) fn in_data_directory(datadir: &Path) -> Result<Vec<DataFile>> {
    let mut files = Vec::new();
    let mut directories = vec![datadir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(datadir)?.to_string_lossy().into_owned();
            if name.ends_with(".ibd")
                || name.ends_with(".dblwr")
                || ["ibdata", "undo"].iter().any(|prefix| name.starts_with(prefix))
            {
                let bytes = fs::read(&path).with_context(|| format!("read {name}"))?;
                files.push(DataFile { name, bytes, checked: OnceCell::new() });
            }
        }
    }
    Ok(files)
}

pub(super) fn of_table<'a>(files: &'a [DataFile], table: &Table) -> Result<&'a DataFile> {
    let name = format!("formats/{}.ibd", table.name);
    files.iter().find(|file| file.name == name).with_context(|| format!("{name} is not there"))
}

/// Checks the files of a server that ended without a shutdown.
pub(super) fn expect_crash_consistent(datadir: &Path) -> Result<()> {
    let files = in_data_directory(datadir)?;
    let mut copies = DoublewriteCopies::default();
    let mut reports = Vec::new();
    for file in &files {
        let report = file.check_as(PageCheck::Doublewrite);
        copies.collect(&report);
        reports.push((&file.name, report));
    }
    for (name, mut report) in reports {
        report.settle_torn(&copies);
        ensure!(report.is_good(), "{name}: {:?}", report.counts.bad);
    }
    Ok(())
}
