//! Archives: tar and SQL containers, whose members follow each other in one stream of bytes.
use super::{
    Container, PipelineReceipt, PipelineSpec,
    assemble::Assembler,
    block::{MemberStart, SourceFile},
    cancel::{Latch, lock},
    digest::DigestStage,
    entry::{OpenEntry, full_path, new_record, required_size},
    error::PipelineError,
    header, local,
    output::{ChunkWriter, HashedOutput, OutputStage},
    rate::RateLimit,
    records::{MemberRecords, RecordKeeper},
    sparse::DataRange,
    stages::{Shared, Stages},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta, LocalEntry},
    path::EntryPath,
};
use std::sync::{Arc, Mutex};

mod members;

use members::{NoContent, OpenFile, PieceStream, SqlStream};

/// Streams that may be open at once in a tar archive: each holds a piece in memory.
const OPEN_STREAMS: u32 = 8;

/// A pipeline into one stream of bytes.
pub(super) struct ArchivePipeline {
    state: Arc<State>,
}

struct State {
    container: Container,
    shared: Shared,
    records: Arc<RecordKeeper>,
    open: Mutex<OpenEntries>,
    /// None once the pipeline is finished or aborted.
    assembler: Mutex<Option<Assembler>>,
}

#[derive(Debug, Default)]
struct OpenEntries {
    files: u32,
    streams: u32,
}

impl ArchivePipeline {
    pub(super) fn start(
        spec: PipelineSpec,
        writer: Box<dyn ChunkWriter>,
        latch: Arc<Latch>,
    ) -> Result<Self, PipelineError> {
        let (workers, container) = (spec.thread_count(), spec.encoding.container());
        let shared = Shared { latch: latch.clone(), pool: Arc::default(), encoding: spec.encoding };
        let records = Arc::<RecordKeeper>::default();
        let digest = DigestStage::new(records.clone(), spec.progress.clone());
        let limit = spec.limit_rate.map(RateLimit::new);
        let output = move || {
            let output = HashedOutput::new(writer, limit, spec.progress, latch);
            OutputStage::start(output, &spec.recipients)
        };
        let stages = Stages::start(shared.clone(), workers, digest, Box::new(output))?;
        let assembler = Mutex::new(Some(Assembler::new(shared.clone(), stages)));
        let open = Mutex::default();
        Ok(Self { state: Arc::new(State { container, shared, records, open, assembler }) })
    }

    /// Streams and files that may be open at once.
    pub(super) fn open_limits(&self) -> (u32, u32) {
        self.state.open_limits()
    }

    pub(super) fn open(
        &self,
        path: EntryPath,
        meta: &EntryMeta,
    ) -> Result<Box<dyn OpenEntry>, PipelineError> {
        let state = self.state.clone();
        match meta.kind {
            EntryKind::Directory => {
                state.add_directory(path, meta)?;
                Ok(Box::new(NoContent))
            }
            EntryKind::File => Ok(Box::new(OpenFile::open(state, path, meta)?)),
            EntryKind::Stream if state.container == Container::Sql => {
                Ok(Box::new(SqlStream::open(state, path, meta)?))
            }
            EntryKind::Stream => Ok(Box::new(PieceStream::open(state, path, meta)?)),
        }
    }

    pub(super) fn add_local(&self, entries: &[LocalEntry]) -> Result<(), PipelineError> {
        for entry in entries {
            let path = full_path(&entry.meta)?;
            let meta = local::complete_meta(entry)?;
            match meta.kind {
                EntryKind::Directory => self.state.add_directory(path, &meta)?,
                EntryKind::File => {
                    let source = local::open(entry, required_size(&path, &meta)?)?;
                    self.state.add_file(path, &meta, &Arc::new(source))?;
                }
                EntryKind::Stream => return Err(self.state.not_taken(path, meta.kind)),
            }
        }
        self.state.with_assembler(Assembler::drain)
    }

    pub(super) fn records(&self) -> Result<MemberRecords, PipelineError> {
        self.state.with_assembler(Assembler::drain)?;
        Ok(self.state.records.snapshot())
    }

    pub(super) fn finish(&self) -> Result<PipelineReceipt, PipelineError> {
        self.state.check_none_open()?;
        if self.state.container == Container::Tar {
            self.state.with_assembler(|assembler| assembler.framing(&header::TRAILER))?;
        }
        let assembler = lock(&self.state.assembler).take();
        let assembler = assembler.ok_or(PipelineError::Aborted)?;
        let objects = assembler.finish()?;
        Ok(PipelineReceipt { members: self.state.records.snapshot(), objects })
    }

    /// Ends all threads, unless the pipeline is finished.
    pub(super) fn abort(&self) {
        if let Some(assembler) = lock(&self.state.assembler).take() {
            assembler.abort();
        }
    }
}

impl State {
    fn open_limits(&self) -> (u32, u32) {
        match self.container {
            Container::Sql => (1, 0),
            Container::Tar | Container::Directory => (OPEN_STREAMS, 1),
        }
    }

    fn with_assembler<T>(
        &self,
        step: impl FnOnce(&mut Assembler) -> Result<T, PipelineError>,
    ) -> Result<T, PipelineError> {
        let mut assembler = lock(&self.assembler);
        // It is gone after `finish` and `abort`; both leave nothing to write into.
        let assembler = assembler.as_mut().ok_or(PipelineError::Aborted)?;
        step(assembler).map_err(|error| self.shared.latch.fail(error))
    }

    fn not_taken(&self, path: EntryPath, kind: EntryKind) -> PipelineError {
        PipelineError::KindNotTaken { path, kind, container: self.container }
    }

    /// Adds a directory, which has no content.
    fn add_directory(&self, path: EntryPath, meta: &EntryMeta) -> Result<(), PipelineError> {
        if self.container == Container::Sql {
            return Err(self.not_taken(path, meta.kind));
        }
        let open = lock(&self.open);
        open.check_no_file(&path)?;
        let header = header_of(&path, meta, 0)?;
        let start = member_start(path, meta);
        self.with_assembler(|assembler| {
            assembler.begin(start, &header)?;
            assembler.end(&[])
        })
    }

    /// Adds a local file, in the order of its bytes; the workers read them.
    fn add_file(
        &self,
        path: EntryPath,
        meta: &EntryMeta,
        source: &Arc<SourceFile>,
    ) -> Result<(), PipelineError> {
        if self.container == Container::Sql {
            return Err(self.not_taken(path, meta.kind));
        }
        let open = lock(&self.open);
        open.check_no_file(&path)?;
        let size_bytes = source.size_bytes;
        let (header, ranges, stored_bytes) = match local::sparse_ranges(source)? {
            None => {
                let all = DataRange { offset: 0, len: size_bytes };
                (header_of(&path, meta, size_bytes)?, vec![all], size_bytes)
            }
            Some(ranges) => {
                let header = header::sparse_header(&path, meta, size_bytes, &ranges)
                    .map_err(|source| header_error(&path, source))?;
                let stored_bytes = ranges.iter().map(|range| range.len).sum();
                (header, ranges, stored_bytes)
            }
        };
        let start = member_start(path, meta);
        self.with_assembler(|assembler| {
            assembler.begin(start, &header)?;
            let mut position = 0;
            for range in ranges {
                assembler.hole(range.offset - position);
                assembler.file(source, range)?;
                position = range.offset + range.len;
            }
            assembler.end(header::padding(stored_bytes))
        })
    }

    fn check_none_open(&self) -> Result<(), PipelineError> {
        let open = lock(&self.open);
        match open.files + open.streams {
            0 => Ok(()),
            open => Err(self.shared.latch.fail(PipelineError::StillOpen { open })),
        }
    }
}

impl OpenEntries {
    /// A pushed file is written into the archive as it comes: nothing may come in between.
    fn check_no_file(&self, path: &EntryPath) -> Result<(), PipelineError> {
        if self.files == 0 {
            return Ok(());
        }
        Err(PipelineError::FileIsOpen { path: path.clone() })
    }
}

fn member_start(path: EntryPath, meta: &EntryMeta) -> Box<MemberStart> {
    Box::new(MemberStart { record: new_record(path, meta), pages: meta.pages })
}

fn header_of(
    path: &EntryPath,
    meta: &EntryMeta,
    size_bytes: u64,
) -> Result<Vec<u8>, PipelineError> {
    header::header(path, meta, size_bytes).map_err(|source| header_error(path, source))
}

fn header_error(path: &EntryPath, source: std::io::Error) -> PipelineError {
    PipelineError::Header { path: path.clone(), source: Arc::new(source) }
}
