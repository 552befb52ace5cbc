//! `--target-dir`: everything is brought together under a temporary name beside the directory, which
//! gets its own name last.
use super::{
    Restore, RestoreOutcome,
    error::RestoreError,
    extract::{dress_like, extract},
    is_content_file,
    select::Selection,
};
use crate::{
    exit::Failure,
    lock::RunLock,
    supervisor::{
        SupervisorError,
        host_record::HostRecord,
        job::{Receipt, Task},
        journal::Journal,
        message::RecordOwner,
    },
    target::{
        check_free_space,
        durable::{self, Rename},
        with_ending,
    },
};
use dbbackup_plugin_api::document::{entry::EntryKind, restore::RestoreSummary};
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What is under the directory's name before the restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Empty,
    Content,
}

impl Restore<'_> {
    /// Restores files, and what the engine makes of the streams, into a directory.
    pub(super) fn to_directory(&self, directory: &Path) -> Result<RestoreOutcome, Failure> {
        if !self.job.map.is_empty() {
            return Err(RestoreError::MapOfFiles.into());
        }
        let selection = Selection::new(&self.job.only)?;
        let directory = std::path::absolute(directory)
            .map_err(|source| RestoreError::io("find", directory, source))?;
        let directory = directory.components().as_path().to_owned();
        let found = look_at(&directory)?;
        if found == Found::Content && !self.job.force {
            return Err(RestoreError::NotEmpty { path: directory }.into());
        }
        if self.job.dry_run {
            return self.plan_directory(&directory, &selection);
        }
        self.undo().abandoned()?;
        let lock = RunLock::acquire(&directory)?;
        check_free_space(&durable::parent_of(&directory), self.wanted_bytes(&selection))?;
        let mut journal = Journal::create(&self.runtime.state, &self.run_id)?;
        let restored = self.bring_together(&directory, found, &selection, &mut journal);
        self.undo().records(&mut journal);
        journal.close()?;
        lock.release()?;
        restored
    }

    /// Restores under a temporary name, then renames.
    fn bring_together(
        &self,
        directory: &Path,
        found: Found,
        selection: &Selection,
        journal: &mut Journal,
    ) -> Result<RestoreOutcome, Failure> {
        let temporary = with_ending(directory, &format!(".{}.partial", self.run_id));
        let undo = HostRecord::RestoreDirectory { path: temporary.clone() };
        let number = journal.record(RecordOwner::Host, undo.to_undo_record())?;
        DirBuilder::new()
            .mode(0o700)
            .create(&temporary)
            .map_err(|source| RestoreError::io("create", &temporary, source))?;
        self.step("extract the files");
        let mut members = self.artefact.members(&self.manifest, &self.pipeline_flag())?;
        let extracted = extract(&mut members, &temporary, selection, self.observer)?;
        let summary = self.finish_by_engine(&temporary, journal)?;
        if let Some(cause) = self.cancel.cause() {
            return Err(SupervisorError::Cancelled { cause }.into());
        }
        let kept_aside = self.put_in_place(&temporary, directory, found)?;
        journal.done(number)?;
        let warnings = summary.iter().flat_map(|summary| summary.warnings.clone()).collect();
        Ok(RestoreOutcome {
            files: extracted.files,
            bytes: extracted.bytes,
            summary,
            kept_aside,
            warnings,
            ..RestoreOutcome::default()
        })
    }

    /// Hands streams to the engine, and lets it finish the directory. A backup of files alone
    /// needs no engine.
    fn finish_by_engine(
        &self,
        temporary: &Path,
        journal: &mut Journal,
    ) -> Result<Option<RestoreSummary>, Failure> {
        let has_streams = self.manifest.files.iter().any(|file| file.kind == EntryKind::Stream);
        if !has_streams && self.restoring_engine().is_none() {
            return Ok(None);
        }
        let request = self.request(None, Some(temporary));
        let mut summary = RestoreSummary::default();
        if has_streams {
            self.step("restore the streams");
            let task = Task::RestoreRun(self.task(request.clone())?);
            summary = restored(self.work(task, Some(journal))?)?;
        }
        self.step("finish the directory");
        let task = Task::RestoreFinish(self.task(request)?);
        let finished = restored(self.work(task, Some(journal))?)?;
        summary.statements += finished.statements;
        summary.bytes += finished.bytes;
        summary.warnings.extend(finished.warnings);
        Ok(Some(summary))
    }

    /// Gives the directory its name; what was there is kept aside.
    fn put_in_place(
        &self,
        temporary: &Path,
        directory: &Path,
        found: Found,
    ) -> Result<Option<PathBuf>, Failure> {
        if found != Found::Nothing {
            dress_like(temporary, directory)?;
        }
        match found {
            Found::Nothing => durable::rename(temporary, directory, Rename::New)?,
            Found::Empty => durable::rename(temporary, directory, Rename::Replace)?,
            Found::Content => {
                let aside = with_ending(directory, &format!(".before-{}", self.run_id));
                durable::rename(temporary, directory, Rename::Exchange)?;
                durable::rename(temporary, &aside, Rename::New)?;
                self.warn(format!(
                    "what was in {} is now {}",
                    directory.display(),
                    aside.display()
                ));
                return Ok(Some(aside));
            }
        }
        Ok(None)
    }

    /// What would be done.
    fn plan_directory(
        &self,
        directory: &Path,
        selection: &Selection,
    ) -> Result<RestoreOutcome, Failure> {
        let wanted = self.manifest.files.iter().filter(|file| is_content_file(file));
        let wanted: Vec<_> = wanted.filter(|file| selection.takes(&file.path)).collect();
        let has_streams = self.manifest.files.iter().any(|file| file.kind == EntryKind::Stream);
        let plan = match has_streams {
            true => Some(self.check(self.request(None, Some(directory)), None)?),
            false => None,
        };
        Ok(RestoreOutcome {
            files: u64::try_from(wanted.len()).unwrap_or(u64::MAX),
            bytes: wanted.iter().map(|file| file.size_bytes).sum(),
            warnings: plan.iter().flat_map(|plan| plan.warnings.clone()).collect(),
            plan,
            ..RestoreOutcome::default()
        })
    }

    fn wanted_bytes(&self, selection: &Selection) -> u64 {
        let wanted = self.manifest.files.iter().filter(|file| is_content_file(file));
        wanted.filter(|file| selection.takes(&file.path)).map(|file| file.size_bytes).sum()
    }
}

fn restored(receipt: Receipt) -> Result<RestoreSummary, Failure> {
    match receipt {
        Receipt::Restore(summary) => Ok(summary),
        _ => Err(SupervisorError::OtherReceipt { task: "restore" }.into()),
    }
}

fn look_at(directory: &Path) -> Result<Found, RestoreError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(if entries.next().is_none() { Found::Empty } else { Found::Content }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(source) => Err(RestoreError::io("look at", directory, source)),
    }
}
