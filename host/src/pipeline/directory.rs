//! Directory outputs: every entry a plain file, synced to disk. Files that engines push are written by
//! a thread of their own, local files by whoever copies them.
use super::{
    PipelineReceipt, PipelineSpec,
    cancel::{Latch, lock},
    entry::{OpenEntry, full_path, required_size},
    error::PipelineError,
    local,
    progress::Progress,
    rate::RateLimit,
    records::{FinishedMember, MemberRecords, settle},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta, LocalEntry},
    path::EntryPath,
};
use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

mod disk;
mod target;

use disk::Disk;
use target::{LocalCopy, PushedMember};

/// Streams and files that may be open at once: each holds a file descriptor.
pub(super) const OPEN_LIMITS: (u32, u32) = (64, 64);

/// A pipeline into a directory.
pub(super) struct DirectoryPipeline {
    state: Arc<State>,
    threads: usize,
}

struct State {
    root: PathBuf,
    latch: Arc<Latch>,
    disk: Disk,
    progress: Arc<Progress>,
    limit: Option<Mutex<RateLimit>>,
    /// Records with the numbers under which their entries were opened.
    records: Mutex<Vec<(usize, FinishedMember)>>,
    next_number: AtomicUsize,
    open: AtomicUsize,
    /// Directories that were written to, and those that were entries with their modes.
    touched: Mutex<BTreeSet<PathBuf>>,
    modes: Mutex<Vec<(PathBuf, u32)>>,
}

impl DirectoryPipeline {
    pub(super) fn start(
        spec: &PipelineSpec,
        root: PathBuf,
        latch: Arc<Latch>,
    ) -> Result<Self, PipelineError> {
        let state = State {
            touched: Mutex::new(BTreeSet::from([root.clone()])),
            root,
            disk: Disk::start(latch.clone(), spec.progress.clone())?,
            latch,
            progress: spec.progress.clone(),
            limit: spec.limit_rate.map(RateLimit::new).map(Mutex::new),
            records: Mutex::default(),
            next_number: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            modes: Mutex::default(),
        };
        Ok(Self { state: Arc::new(state), threads: spec.thread_count() })
    }

    pub(super) fn open(
        &self,
        path: EntryPath,
        meta: &EntryMeta,
    ) -> Result<Box<dyn OpenEntry>, PipelineError> {
        let state = &self.state;
        let size = match meta.kind {
            EntryKind::Directory => Some(0),
            EntryKind::File => Some(required_size(&path, meta)?),
            EntryKind::Stream => None,
        };
        let most = usize::try_from(OPEN_LIMITS.0).unwrap_or(usize::MAX);
        if state.open.load(Ordering::SeqCst) >= most {
            let (kind, limit) = (meta.kind, OPEN_LIMITS.0);
            return Err(PipelineError::TooManyOpen { path, kind, limit });
        }
        Ok(Box::new(PushedMember::create(state.clone(), path, meta, size)?))
    }

    /// Copies local entries with all threads, each its own file at a time.
    pub(super) fn add_local(&self, entries: &[LocalEntry]) -> Result<(), PipelineError> {
        let state = &self.state;
        let first = state.next_number.fetch_add(entries.len(), Ordering::SeqCst);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..self.threads.min(entries.len()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        let Some(entry) = entries.get(index) else { return };
                        let copied =
                            state.latch.check().and_then(|()| state.copy(entry, first + index));
                        if let Err(error) = copied {
                            state.latch.fail(error);
                            return;
                        }
                    }
                });
            }
        });
        state.latch.check()
    }

    pub(super) fn records(&self) -> MemberRecords {
        let mut records = lock(&self.state.records).clone();
        records.sort_by_key(|(number, _)| *number);
        settle(records.into_iter().map(|(_, member)| member).collect())
    }

    /// Gives directories their modes and syncs them, deepest first.
    pub(super) fn finish(&self) -> Result<PipelineReceipt, PipelineError> {
        let state = &self.state;
        if let open @ 1.. = state.open.load(Ordering::SeqCst) {
            let open = u32::try_from(open).unwrap_or(u32::MAX);
            return Err(state.latch.fail(PipelineError::StillOpen { open }));
        }
        state.disk.finish()?;
        for (path, mode) in lock(&state.modes).iter().rev() {
            let change = || fs::set_permissions(path, Permissions::from_mode(*mode));
            let changed = state.progress.on_target(change);
            changed.map_err(|error| state.fail(path, error))?;
        }
        for path in lock(&state.touched).iter().rev() {
            let sync = || File::open(path).and_then(|directory| directory.sync_all());
            let synced = state.progress.on_target(sync);
            synced.map_err(|error| state.fail(path, error))?;
        }
        Ok(PipelineReceipt { members: self.records(), objects: Vec::new() })
    }
}

impl State {
    fn fail(&self, path: &Path, error: io::Error) -> PipelineError {
        let (path, source) = (path.to_path_buf(), Arc::new(error));
        self.latch.fail(PipelineError::WriteFile { path, source })
    }

    /// Copies one local entry.
    fn copy(self: &Arc<Self>, entry: &LocalEntry, number: usize) -> Result<(), PipelineError> {
        let path = full_path(&entry.meta)?;
        let meta = local::complete_meta(entry)?;
        let mut copy = LocalCopy::create(self.clone(), path.clone(), &meta, number)?;
        if meta.kind == EntryKind::File {
            copy.run(&local::open(entry, required_size(&path, &meta)?)?)?;
        }
        copy.finish()
    }

    /// Creates the directories above `path` and remembers them for the final sync.
    fn create_parents(&self, path: &Path) -> Result<(), PipelineError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if lock(&self.touched).contains(parent) {
            return Ok(());
        }
        let created = self.progress.on_target(|| fs::create_dir_all(parent));
        created.map_err(|error| self.fail(parent, error))?;
        let mut touched = lock(&self.touched);
        for above in parent.ancestors().take_while(|above| above.starts_with(&self.root)) {
            touched.insert(above.to_path_buf());
        }
        Ok(())
    }
}
