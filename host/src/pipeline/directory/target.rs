//! Entries of a directory while they are being written.
use super::{
    super::{
        aligned::AlignedBlock,
        block::{self, MemberStart, SourceFile},
        cancel::lock,
        digest::ContentDigest,
        entry::{OpenEntry, PromisedSize, new_record},
        error::PipelineError,
        local,
        sparse::DataRange,
    },
    State,
    disk::{DiskFile, Dress},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta},
    manifest::FileRecord,
    path::EntryPath,
};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

/// What every entry has, whoever brings its bytes.
struct Target {
    state: Arc<State>,
    path: PathBuf,
    number: usize,
    record: FileRecord,
    digest: ContentDigest,
    modified_unix: Option<u64>,
}

impl Target {
    /// A target, and its place in the directory, whose parents are there now.
    fn new(
        state: Arc<State>,
        name: EntryPath,
        meta: &EntryMeta,
        number: usize,
    ) -> Result<Self, PipelineError> {
        let path = state.root.join(OsStr::from_bytes(name.as_bytes()));
        state.create_parents(&path)?;
        if meta.kind == EntryKind::Directory {
            let created = state.progress.on_target(|| create_directory(&path));
            created.map_err(|error| state.fail(&path, error))?;
            lock(&state.touched).insert(path.clone());
            lock(&state.modes).extend(meta.mode.map(|mode| (path.clone(), mode)));
        }
        let start = MemberStart { record: new_record(name, meta), pages: meta.pages };
        let digest = ContentDigest::new(&start);
        let (record, modified_unix) = (start.record, meta.modified_unix);
        Ok(Self { state, path, number, record, digest, modified_unix })
    }

    /// The file of an entry that is none's directory.
    fn file(
        &self,
        meta: &EntryMeta,
        create: impl FnOnce(&Path) -> io::Result<DiskFile>,
    ) -> Result<Option<Arc<DiskFile>>, PipelineError> {
        if meta.kind == EntryKind::Directory {
            return Ok(None);
        }
        let created = self.state.progress.on_target(|| create(&self.path));
        let created = created.map_err(|error| self.state.fail(&self.path, error))?;
        Ok(Some(Arc::new(created)))
    }

    /// Waits as long as the rate limit says.
    fn pace(&self, bytes: usize) -> Result<(), PipelineError> {
        let Some(limit) = &self.state.limit else { return Ok(()) };
        let wait = lock(limit).take(bytes as u64);
        self.state.latch.sleep(wait)
    }

    fn digest(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.state.progress.add_content(bytes.len() as u64);
        self.state.progress.add_output(bytes.len() as u64);
    }

    /// Has the file made durable and records it.
    fn finish(self, file: Option<Arc<DiskFile>>, size_bytes: u64) -> Result<(), PipelineError> {
        if let Some(file) = file {
            let (mode, modified_unix) = (self.record.mode, self.modified_unix);
            self.state.disk.finish_file(file, Dress { size_bytes, mode, modified_unix })?;
        }
        let member = self.digest.finish(self.record);
        self.state.progress.add_member(member.bad_pages());
        lock(&self.state.records).push((self.number, member));
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

/// An entry that an engine pushes.
pub(super) struct PushedMember {
    open: Option<Pushed>,
    /// None for a stream, which may have any length.
    size: Option<PromisedSize>,
}

struct Pushed {
    target: Target,
    /// None for a directory.
    file: Option<Arc<DiskFile>>,
    /// What is not written yet.
    block: Option<AlignedBlock>,
    /// Where the block goes.
    offset: u64,
    size_bytes: u64,
}

impl PushedMember {
    pub(super) fn create(
        state: Arc<State>,
        path: EntryPath,
        meta: &EntryMeta,
        size_bytes: Option<u64>,
    ) -> Result<Self, PipelineError> {
        let size = size_bytes.map(|size_bytes| PromisedSize::new(path.clone(), size_bytes));
        let number = state.next_number.fetch_add(1, Ordering::SeqCst);
        let target = Target::new(state.clone(), path, meta, number)?;
        let file = target.file(meta, |path| DiskFile::create_for_blocks(path, size_bytes))?;
        state.open.fetch_add(1, Ordering::SeqCst);
        let open = Pushed { target, file, block: None, offset: 0, size_bytes: 0 };
        Ok(Self { open: Some(open), size })
    }
}

impl OpenEntry for PushedMember {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        if let Some(size) = &mut self.size {
            size.add(bytes.len())?;
        }
        self.open.as_mut().map_or(Err(PipelineError::Aborted), |open| open.write(bytes))
    }

    fn finish(&mut self) -> Result<(), PipelineError> {
        if let Some(size) = &self.size {
            size.check_complete()?;
        }
        self.open.take().map_or(Ok(()), Pushed::finish)
    }
}

impl Pushed {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        self.target.pace(bytes.len())?;
        self.target.digest(bytes);
        self.size_bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let block = self.block.get_or_insert_with(|| self.target.state.disk.block());
            rest = block.append(rest);
            if block.is_full() {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<(), PipelineError> {
        let (Some(file), Some(block)) = (&self.file, self.block.take()) else { return Ok(()) };
        let offset = self.offset;
        self.offset += block.bytes().len() as u64;
        self.target.state.disk.write(file, block, offset)
    }

    fn finish(mut self) -> Result<(), PipelineError> {
        if let Some(block) = &mut self.block {
            // What is too much is cut off with the file's last length.
            block.pad();
        }
        self.write_block()?;
        self.target.state.open.fetch_sub(1, Ordering::SeqCst);
        self.target.finish(self.file, self.size_bytes)
    }
}

/// A file or directory of this host that is copied.
pub(super) struct LocalCopy {
    target: Target,
    /// None for a directory.
    file: Option<Arc<DiskFile>>,
    offset: u64,
}

impl LocalCopy {
    pub(super) fn create(
        state: Arc<State>,
        path: EntryPath,
        meta: &EntryMeta,
        number: usize,
    ) -> Result<Self, PipelineError> {
        let target = Target::new(state, path, meta, number)?;
        let file = target.file(meta, DiskFile::create)?;
        Ok(Self { target, file, offset: 0 })
    }

    /// Copies what is no hole.
    pub(super) fn run(&mut self, source: &SourceFile) -> Result<(), PipelineError> {
        let all = vec![DataRange { offset: 0, len: source.size_bytes }];
        let ranges = local::sparse_ranges(source)?.unwrap_or(all);
        let mut buffer = vec![0; block::BLOCK_BYTES];
        for range in ranges {
            self.target.digest.hole(range.offset - self.offset);
            self.target.state.progress.add_content(range.offset - self.offset);
            self.offset = range.offset;
            let end = range.offset + range.len;
            while self.offset < end {
                self.target.state.latch.check()?;
                let left = usize::try_from(end - self.offset).unwrap_or(usize::MAX);
                let len = left.min(buffer.len());
                let place = buffer.get_mut(..len).unwrap_or_default();
                local::read(source, self.offset, place)?;
                self.write(place)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        self.target.pace(bytes.len())?;
        if let Some(file) = &self.file {
            let (state, offset) = (&self.target.state, self.offset);
            let written = state.progress.on_target(|| file.write(bytes, offset));
            written.map_err(|error| self.target.state.fail(&self.target.path, error))?;
        }
        self.target.digest(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// A file that ends in a hole gets its length here.
    pub(super) fn finish(self) -> Result<(), PipelineError> {
        self.target.finish(self.file, self.offset)
    }
}
