//! Directory outputs: every entry a plain file, written by whoever brings it, synced to disk.
use super::{
    PipelineReceipt, PipelineSpec,
    block::{BLOCK_BYTES, MemberStart, SourceFile},
    cancel::{Latch, lock},
    digest::ContentDigest,
    entry::{OpenEntry, PromisedSize, full_path, new_record, required_size},
    error::PipelineError,
    local,
    progress::Progress,
    rate::RateLimit,
    records::{FinishedMember, MemberRecords, settle},
    sparse::DataRange,
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta, LocalEntry},
    manifest::FileRecord,
    path::EntryPath,
};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

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
    pub(super) fn start(spec: &PipelineSpec, root: PathBuf, latch: Arc<Latch>) -> Self {
        let state = State {
            touched: Mutex::new(BTreeSet::from([root.clone()])),
            root,
            latch,
            progress: spec.progress.clone(),
            limit: spec.limit_rate.map(RateLimit::new).map(Mutex::new),
            records: Mutex::default(),
            next_number: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            modes: Mutex::default(),
        };
        Self { state: Arc::new(state), threads: spec.thread_count() }
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
        let size = size.map(|size_bytes| PromisedSize::new(path.clone(), size_bytes));
        let target = OpenTarget::create(state.clone(), path, meta)?;
        Ok(Box::new(OpenMember { target: Some(target), size }))
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
        for (path, mode) in lock(&state.modes).iter().rev() {
            let changed = fs::set_permissions(path, Permissions::from_mode(*mode));
            changed.map_err(|error| state.fail(path, error))?;
        }
        for path in lock(&state.touched).iter().rev() {
            let synced = File::open(path).and_then(|directory| directory.sync_all());
            synced.map_err(|error| state.fail(path, error))?;
        }
        Ok(PipelineReceipt { members: self.records(), output: None })
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
        let mut target = OpenTarget::create(self.clone(), path.clone(), &meta)?;
        target.number = number;
        if meta.kind == EntryKind::File {
            let source = local::open(entry, required_size(&path, &meta)?)?;
            target.copy_from(&source)?;
        }
        target.finish()
    }

    /// Creates the directories above `path` and remembers them for the final sync.
    fn create_parents(&self, path: &Path) -> Result<(), PipelineError> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if lock(&self.touched).contains(parent) {
            return Ok(());
        }
        fs::create_dir_all(parent).map_err(|error| self.fail(parent, error))?;
        let mut touched = lock(&self.touched);
        for above in parent.ancestors().take_while(|above| above.starts_with(&self.root)) {
            touched.insert(above.to_path_buf());
        }
        Ok(())
    }
}

/// An entry that an engine pushes.
struct OpenMember {
    target: Option<OpenTarget>,
    /// None for a stream, which may have any length.
    size: Option<PromisedSize>,
}

impl OpenEntry for OpenMember {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        if let Some(size) = &mut self.size {
            size.add(bytes.len())?;
        }
        match &mut self.target {
            Some(target) => target.write(bytes),
            None => Err(PipelineError::Aborted),
        }
    }

    fn finish(&mut self) -> Result<(), PipelineError> {
        if let Some(size) = &self.size {
            size.check_complete()?;
        }
        self.target.take().map_or(Ok(()), OpenTarget::finish)
    }
}

/// A file that is being written, or a directory.
struct OpenTarget {
    state: Arc<State>,
    path: PathBuf,
    /// None for a directory.
    file: Option<File>,
    record: FileRecord,
    digest: ContentDigest,
    number: usize,
    offset: u64,
    modified_unix: Option<u64>,
}

impl OpenTarget {
    fn create(state: Arc<State>, name: EntryPath, meta: &EntryMeta) -> Result<Self, PipelineError> {
        let path = state.root.join(OsStr::from_bytes(name.as_bytes()));
        state.create_parents(&path)?;
        let file = match meta.kind {
            EntryKind::Directory => {
                create_directory(&path).map_err(|error| state.fail(&path, error))?;
                lock(&state.touched).insert(path.clone());
                lock(&state.modes).extend(meta.mode.map(|mode| (path.clone(), mode)));
                None
            }
            EntryKind::File | EntryKind::Stream => {
                Some(File::create_new(&path).map_err(|error| state.fail(&path, error))?)
            }
        };
        let start = MemberStart { record: new_record(name, meta), pages: meta.pages };
        let digest = ContentDigest::new(&start);
        state.open.fetch_add(1, Ordering::SeqCst);
        let number = state.next_number.fetch_add(1, Ordering::SeqCst);
        let (record, modified_unix) = (start.record, meta.modified_unix);
        Ok(Self { state, path, file, record, digest, number, offset: 0, modified_unix })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        if let Some(limit) = &self.state.limit {
            let wait = lock(limit).take(bytes.len() as u64);
            self.state.latch.sleep(wait)?;
        }
        if let Some(file) = &self.file {
            let written = file.write_all_at(bytes, self.offset);
            written.map_err(|error| self.state.fail(&self.path, error))?;
        }
        self.digest.update(bytes);
        self.offset += bytes.len() as u64;
        self.state.progress.add_content(bytes.len() as u64);
        self.state.progress.add_output(bytes.len() as u64);
        Ok(())
    }

    fn copy_from(&mut self, source: &SourceFile) -> Result<(), PipelineError> {
        let all = vec![DataRange { offset: 0, len: source.size_bytes }];
        let ranges = local::sparse_ranges(source)?.unwrap_or(all);
        let mut buffer = vec![0; BLOCK_BYTES];
        for range in ranges {
            self.digest.hole(range.offset - self.offset);
            self.state.progress.add_content(range.offset - self.offset);
            self.offset = range.offset;
            let end = range.offset + range.len;
            while self.offset < end {
                self.state.latch.check()?;
                let left = usize::try_from(end - self.offset).unwrap_or(usize::MAX);
                let len = left.min(buffer.len());
                let place = buffer.get_mut(..len).unwrap_or_default();
                local::read(source, self.offset, place)?;
                self.write(place)?;
            }
        }
        if let Some(file) = &self.file {
            // Gives a file that ends in a hole its length.
            let cut = file.set_len(self.offset);
            cut.map_err(|error| self.state.fail(&self.path, error))?;
        }
        Ok(())
    }

    /// Gives the file its mode and time, makes it durable and records it.
    fn finish(self) -> Result<(), PipelineError> {
        if let Some(file) = &self.file {
            let finished = finish_file(file, self.record.mode, self.modified_unix);
            finished.map_err(|error| self.state.fail(&self.path, error))?;
        }
        let member = self.digest.finish(self.record);
        self.state.progress.add_member(member.bad_pages());
        lock(&self.state.records).push((self.number, member));
        self.state.open.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

fn create_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        // Made before as the parent of a file.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// The owner stays that of the running user: the manifest has the original one for the restore.
fn finish_file(file: &File, mode: Option<u32>, modified_unix: Option<u64>) -> io::Result<()> {
    if let Some(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    if let Some(seconds) = modified_unix {
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))?;
    }
    file.sync_all()
}
