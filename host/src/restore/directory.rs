//! `--target-dir`: everything is brought together under a temporary name beside the directory, which
//! gets its own name last.
use super::{
    Restore, RestoreOutcome,
    both::both,
    error::RestoreError,
    extract::{extract, is_wanted, make_durable},
    is_content_file,
    layout::Layout,
    links, pages,
    select::Selection,
    trees::Trees,
};
use crate::{
    exit::Failure,
    replica_statement::stay_stopped,
    supervisor::{
        SupervisorError,
        job::{Receipt, Task},
        journal::Journal,
    },
    target::{check_free_space, durable},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, PageCheck},
    manifest::{FileRecord, PagesRecord},
    restore::{RestorePlan, RestoreSummary},
};
use std::{path::Path, thread};

/// Where engines find what they keep for a restore; not part of the result.
const WORKING_DIRECTORY: &str = ".dbbackup";

impl Restore<'_> {
    /// Restores files, and what the engine makes of the streams, into a directory.
    pub(super) fn to_directory(&self, directory: &Path) -> Result<RestoreOutcome, Failure> {
        let selection = Selection::new(&self.job.only)?;
        let trees = Trees::find(self.layout(directory)?, self.job.force)?;
        if self.job.dry_run {
            return self.plan_directory(&trees, &selection);
        }
        let plan = self.engine_plan(trees.layout())?;
        self.undo().abandoned()?;
        let locks = trees.lock()?;
        self.check_space(trees.layout(), &selection)?;
        let mut journal = Journal::create(&self.runtime.state, &self.run_id)?;
        let restored = self.bring_together(&trees, &selection, &mut journal);
        self.undo().records(&mut journal);
        let closed = journal.close().map_err(Failure::from);
        let released = locks.into_iter().try_for_each(crate::lock::RunLock::release);
        let closed = both(closed, released.map_err(Failure::from), |text| self.warn(text));
        let mut outcome = both(restored, closed, |text| self.warn(text))?;
        let planned = plan.into_iter().flat_map(|plan| plan.warnings);
        outcome.warnings.splice(0..0, planned.chain(self.of_a_replica()));
        Ok(outcome)
    }

    fn layout(&self, directory: &Path) -> Result<Layout, Failure> {
        let absolute = std::path::absolute(directory)
            .map_err(|source| RestoreError::io("find", directory, source))?;
        Ok(Layout::new(absolute.components().as_path(), &self.manifest, &self.job.map)?)
    }

    /// What the engine says before anything is written; nothing for a backup of files alone.
    fn engine_plan(&self, layout: &Layout) -> Result<Option<RestorePlan>, Failure> {
        if !self.has_streams() && self.restoring_engine().is_none() {
            return Ok(None);
        }
        let mut request = self.request(None, Some(&layout.directory()));
        request.places = layout.places();
        self.check(request, None).map(Some)
    }

    /// Files of a replica hold its channels, which may start with the server.
    fn of_a_replica(&self) -> Option<String> {
        let option = stay_stopped(&self.manifest)?;
        Some(format!(
            "the backup is of a replica: a server on the directory may start to replicate by itself; \
             start it with {option} until its channels are set"
        ))
    }

    /// Restores under temporary names, then renames.
    fn bring_together(
        &self,
        trees: &Trees,
        selection: &Selection,
        journal: &mut Journal,
    ) -> Result<RestoreOutcome, Failure> {
        let staged = trees.stage(&self.run_id, journal)?;
        self.step("extract the files");
        let mut members = self.artefact.chosen_members(
            &self.manifest,
            |record| is_wanted(&record.path, selection),
            &self.pipeline_flag(),
        )?;
        let extracted = extract(&mut members, &staged.layout, selection, self.observer)?;
        links::relink(&self.manifest, &staged.layout, trees.layout())?;
        // The disk has the files to write while the engine and the page check have work to do.
        let (done, synced) = thread::scope(|scope| {
            let syncing = scope.spawn(|| make_durable(staged.layout.trees()));
            (self.finish_files(&staged.layout, journal), syncing.join())
        });
        let synced = synced.unwrap_or(Err(RestoreError::SyncDied)).map_err(Failure::from);
        let (summary, pages) = both(done, synced, |text| self.warn(text))?;
        make_durable(staged.layout.trees())?;
        if let Some(cause) = self.cancel.cause() {
            return Err(SupervisorError::Cancelled { cause }.into());
        }
        let kept_aside = trees.put_in_place(&staged, journal)?;
        for (path, aside) in &kept_aside {
            self.warn(format!("what was in {} is now {}", path.display(), aside.display()));
        }
        Ok(RestoreOutcome {
            files: extracted.files,
            bytes: extracted.bytes,
            warnings: summary.iter().flat_map(|summary| summary.warnings.clone()).collect(),
            summary,
            pages,
            kept_aside: kept_aside.into_iter().map(|(_, aside)| aside).next_back(),
            data_directory: trees.layout().data_directory(),
            server_options: trees.layout().options().to_vec(),
            ..RestoreOutcome::default()
        })
    }

    /// What comes after the files: the engine's part, and the check of pages that are good only then.
    fn finish_files(
        &self,
        staged: &Layout,
        journal: &mut Journal,
    ) -> Result<(Option<RestoreSummary>, PagesRecord), Failure> {
        let summary = self.finish_by_engine(staged, journal)?;
        durable::remove_tree(&staged.directory().join(WORKING_DIRECTORY))?;
        let mut pages = PagesRecord::default();
        if self.manifest.files.iter().any(|file| file.page_check == PageCheck::AfterApply) {
            self.step("check every page");
            pages = pages::check(staged, self.observer, self.cancel)?;
        }
        Ok((summary, pages))
    }

    /// Hands streams to the engine, and lets it finish the directory. A backup of files alone
    /// needs no engine.
    fn finish_by_engine(
        &self,
        staged: &Layout,
        journal: &mut Journal,
    ) -> Result<Option<RestoreSummary>, Failure> {
        let has_streams = self.has_streams();
        if !has_streams && self.restoring_engine().is_none() {
            return Ok(None);
        }
        let mut request = self.request(None, Some(&staged.directory()));
        request.places = staged.places();
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

    /// What would be done.
    fn plan_directory(
        &self,
        trees: &Trees,
        selection: &Selection,
    ) -> Result<RestoreOutcome, Failure> {
        let layout = trees.layout();
        let wanted: Vec<_> = self.wanted(selection).collect();
        let plan = self.engine_plan(layout)?;
        Ok(RestoreOutcome {
            files: u64::try_from(wanted.len()).unwrap_or(u64::MAX),
            bytes: wanted.iter().map(|file| file.size_bytes).sum(),
            warnings: plan
                .iter()
                .flat_map(|plan| plan.warnings.clone())
                .chain(self.of_a_replica())
                .collect(),
            plan,
            data_directory: layout.data_directory(),
            server_options: layout.options().to_vec(),
            ..RestoreOutcome::default()
        })
    }

    /// Refuses to start where the files cannot fit, nor what an engine makes of streams: files may
    /// come in chunks.
    fn check_space(&self, layout: &Layout, selection: &Selection) -> Result<(), Failure> {
        let streams = self.manifest.files.iter().filter(|file| file.kind == EntryKind::Stream);
        let mut stream_bytes: u64 = streams.map(|file| file.size_bytes).sum();
        for (number, tree) in layout.trees().iter().enumerate() {
            let files = self.wanted(selection).filter(|file| layout.tree_of(&file.path) == number);
            let bytes: u64 = files.map(|file| file.size_bytes).sum();
            let bytes = bytes.saturating_add(std::mem::take(&mut stream_bytes));
            check_free_space(&durable::parent_of(tree), bytes)?;
        }
        Ok(())
    }

    fn wanted<'s>(&'s self, selection: &'s Selection) -> impl Iterator<Item = &'s FileRecord> {
        let wanted = self.manifest.files.iter().filter(|file| is_content_file(file));
        wanted.filter(|file| selection.takes(&file.path))
    }

    fn has_streams(&self) -> bool {
        self.manifest.files.iter().any(|file| file.kind == EntryKind::Stream)
    }
}

fn restored(receipt: Receipt) -> Result<RestoreSummary, Failure> {
    match receipt {
        Receipt::Restore(summary) => Ok(summary),
        _ => Err(SupervisorError::OtherReceipt { task: "restore" }.into()),
    }
}
