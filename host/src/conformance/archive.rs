//! A sink and a reader in memory: what a backup writes into during a check, and is read back from.
use super::services::CheckServices;
use dbbackup_plugin_api::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{ROption, RResult, RSlice, RSliceMut},
    },
    chunk::Chunk,
    document::{
        Doc,
        entry::{EntryKind, EntryMeta, LocalEntries, SinkLimits},
    },
    error::{AbiResult, EngineError, ErrorCode},
    sink::{
        ArchiveReader, ArchiveReader_TO, ArchiveSink, ArchiveSink_TO, EntryWriter, EntryWriter_TO,
        EntryWriterBox, ReaderBox, SinkBox,
    },
};
use std::{
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Content of stream entries that is kept for a round trip, bytes.
const KEPT_BYTES: u64 = 256 << 20;
const OPEN_ENTRIES: u32 = 16;
const CHUNK_BYTES: u64 = 256 << 10;

/// What a backup has written so far.
#[derive(Clone)]
pub(super) struct CheckArchive(Arc<Shared>);

struct Shared {
    services: CheckServices,
    /// The write that reaches this many bytes fails, and everything after it.
    fail_at: Option<u64>,
    /// Each write takes this long, so that a cancellation finds something to cancel.
    pace: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: u64,
    has_failed: bool,
    open: u32,
    entries: Vec<Entry>,
}

/// One entry that was opened.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) meta: EntryMeta,
    pub(super) length_bytes: u64,
    pub(super) is_finished: bool,
    content: Vec<u8>,
}

impl CheckArchive {
    /// An archive that takes everything.
    pub(super) fn new(services: &CheckServices) -> Self {
        Self::with(services, None, Duration::ZERO)
    }

    /// An archive that fails at a byte, or takes its time.
    pub(super) fn with(services: &CheckServices, fail_at: Option<u64>, pace: Duration) -> Self {
        let state = Mutex::new(State::default());
        Self(Arc::new(Shared { services: services.clone(), fail_at, pace, state }))
    }

    /// The sink as it crosses the boundary.
    pub(super) fn sink(&self) -> SinkBox {
        ArchiveSink_TO::from_value(self.clone(), TD_Opaque)
    }

    /// A reader of the stream entries, as it crosses the boundary.
    pub(super) fn reader(&self) -> ReaderBox {
        let is_stream = |entry: &Entry| entry.meta.kind == EntryKind::Stream;
        let entries: Vec<Entry> = self.entries().into_iter().filter(is_stream).collect();
        let reader = CheckReader { entries: entries.into_iter(), current: Vec::new(), at: 0 };
        ArchiveReader_TO::from_value(reader, TD_Opaque)
    }

    /// Bytes of all entries.
    pub(super) fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// True once a write was refused by order.
    pub(super) fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// Every entry, in the order of opening.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.state().entries.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), Fault> {
        if self.0.services.cancelled_at().is_some() {
            return Err(fault(ErrorCode::CANCELLED, "the run is cancelled"));
        }
        if self.state().has_failed {
            return Err(fault(ErrorCode::SINK_IO, "the sink fails by order of the check"));
        }
        Ok(())
    }

    fn open(&self, meta: EntryMeta) -> Result<usize, Fault> {
        self.check()?;
        let mut state = self.state();
        if state.open == OPEN_ENTRIES {
            let what = format!("more than {OPEN_ENTRIES} entries are open");
            return Err(fault(ErrorCode::UNSUPPORTED, what));
        }
        if !meta.path.is_safe() {
            let what = format!("entry path {} is not safe", meta.path);
            return Err(fault(ErrorCode::INTERNAL, what));
        }
        state.open += 1;
        let content = Vec::new();
        state.entries.push(Entry { meta, length_bytes: 0, is_finished: false, content });
        Ok(state.entries.len() - 1)
    }

    fn write(&self, index: usize, bytes: &[u8]) -> Result<(), Fault> {
        if !self.0.pace.is_zero() {
            std::thread::park_timeout(self.0.pace);
        }
        let length = bytes.len() as u64;
        if self.0.fail_at.is_some_and(|limit| self.state().bytes + length > limit) {
            self.state().has_failed = true;
        }
        self.check()?;
        let mut state = self.state();
        state.bytes += length;
        let keep = state.bytes <= KEPT_BYTES;
        if let Some(entry) = state.entries.get_mut(index) {
            entry.length_bytes += length;
            if keep && entry.meta.kind == EntryKind::Stream {
                entry.content.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn finish(&self, index: usize) -> Result<(), Fault> {
        self.check()?;
        let mut state = self.state();
        let Some(entry) = state.entries.get_mut(index) else { return Ok(()) };
        if let Some(promised) = entry.meta.size_bytes.filter(|size| *size != entry.length_bytes) {
            let what = format!("{} of {promised} bytes came", entry.length_bytes);
            return Err(fault(ErrorCode::INTERNAL, what));
        }
        entry.is_finished = true;
        Ok(())
    }

    /// Reads the files as the host does.
    fn read_local(&self, entries: LocalEntries) -> Result<(), Fault> {
        for local in entries.entries {
            let index = self.open(local.meta)?;
            let read = File::open(&local.source).and_then(|file| self.copy(index, file));
            read.map_err(|error| {
                let what = format!("read {}: {error}", local.source.display());
                fault(ErrorCode::SOURCE_IO, what)
            })??;
            self.finish(index)?;
            self.state().open -= 1;
        }
        Ok(())
    }

    fn copy(&self, index: usize, mut file: File) -> io::Result<Result<(), Fault>> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let length = file.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                return Ok(Ok(()));
            };
            if let Err(error) = self.write(index, bytes) {
                return Ok(Err(error));
            }
        }
    }
}

impl ArchiveSink for CheckArchive {
    fn limits(&self) -> Doc {
        let limits = SinkLimits {
            open_streams: 1,
            open_files: OPEN_ENTRIES,
            chunk_bytes: CHUNK_BYTES,
            extra: serde_json::Map::new(),
        };
        // A document of numbers can always be written.
        Doc::encode(&limits).unwrap_or_else(|_| Doc::empty())
    }

    fn open_entry(&self, meta: Doc) -> AbiResult<EntryWriterBox> {
        let opened = meta.decode::<EntryMeta>().map_err(malformed).and_then(|meta| self.open(meta));
        let writer = |index| {
            let writer = CheckWriter { archive: self.clone(), index };
            EntryWriter_TO::from_value(writer, TD_Opaque)
        };
        answer(opened.map(writer))
    }

    fn local_entries(&self, entries: Doc) -> AbiResult<()> {
        answer(entries.decode().map_err(malformed).and_then(|entries| self.read_local(entries)))
    }
}

struct CheckWriter {
    archive: CheckArchive,
    index: usize,
}

impl EntryWriter for CheckWriter {
    fn write(&mut self, chunk: Chunk) -> AbiResult<()> {
        answer(self.archive.write(self.index, &chunk))
    }

    fn write_slice(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()> {
        answer(self.archive.write(self.index, bytes.as_slice()))
    }

    fn finish(&mut self) -> AbiResult<()> {
        answer(self.archive.finish(self.index))
    }
}

impl Drop for CheckWriter {
    fn drop(&mut self) {
        self.archive.state().open -= 1;
    }
}

struct CheckReader {
    entries: std::vec::IntoIter<Entry>,
    current: Vec<u8>,
    at: usize,
}

impl ArchiveReader for CheckReader {
    fn next_entry(&mut self) -> AbiResult<ROption<Doc>> {
        let Some(entry) = self.entries.next() else { return RResult::ROk(ROption::RNone) };
        self.current = entry.content;
        self.at = 0;
        answer(Doc::encode(&entry.meta).map(ROption::RSome).map_err(malformed))
    }

    fn read(&mut self, mut buffer: RSliceMut<'_, u8>) -> AbiResult<usize> {
        let mut rest = self.current.get(self.at..).unwrap_or_default();
        match rest.read(buffer.as_mut_slice()) {
            Ok(length) => {
                self.at += length;
                RResult::ROk(length)
            }
            Err(error) => RResult::RErr(*fault(ErrorCode::SOURCE_IO, error.to_string())),
        }
    }
}

/// An error on its way to the boundary; boxed, because it is large and rare.
type Fault = Box<EngineError>;

fn fault(code: ErrorCode, what: impl Into<String>) -> Fault {
    Box::new(EngineError::new(code, what))
}

fn malformed(error: dbbackup_plugin_api::document::DocumentError) -> Fault {
    Box::new(EngineError::from_error(ErrorCode::INTERNAL, &error))
}

fn answer<T>(result: Result<T, Fault>) -> AbiResult<T> {
    result.map_err(|fault| *fault).into()
}
