//! The pipeline: entries in, an artefact out, and back.
//!
//! Writing: [`Pipeline::start`], [`Pipeline::open_entry`] or [`Pipeline::add_local`] for each entry,
//! then [`Pipeline::finish`]. Every byte is hashed, its pages are checked where the entry allows it,
//! and blocks are compressed on all cores; memory is bounded by the queues, whatever the size of
//! the backup. The first error is the answer to every later call, and nothing waits past the
//! cancellation of the run. The pipeline knows neither plugins nor manifests.
//!
//! Reading is in [`read`].
mod aligned;
mod archive;
mod assemble;
mod block;
mod cancel;
mod compress;
mod digest;
mod directory;
mod encoding;
mod encrypt;
mod entry;
mod error;
mod header;
mod local;
mod output;
pub mod pages;
mod progress;
mod rate;
pub mod read;
mod records;
mod sparse;
mod stages;
mod uncached;

pub use cancel::CancelFlag;
pub use encoding::{Compression, Container, Encoding, EncodingError};
pub use encrypt::{Recipient, RecipientError, Recipients};
pub use entry::EntryWriter;
pub use error::PipelineError;
pub use output::{ChunkWriter, OutputDigest, StreamOutput};
pub use progress::Progress;
pub use records::{MemberRecords, PageFinding};
pub use uncached::BlockFile;

use archive::ArchivePipeline;
use cancel::Latch;
use dbbackup_plugin_api::document::{
    Extra,
    entry::{EntryKind, EntryMeta, LocalEntry, PageCheck, SinkLimits},
    path::EntryPath,
};
use directory::DirectoryPipeline;
use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    sync::Arc,
    thread::available_parallelism,
};

/// More threads than this compress no faster than a target takes bytes, and cost memory.
const MOST_DEFAULT_THREADS: usize = 16;

/// How an artefact is to be written.
#[derive(Clone, Debug)]
pub struct PipelineSpec {
    /// Container, compression and encryption.
    pub encoding: Encoding,
    /// Public keys that can read the artefact; empty unless the encoding is encrypted.
    pub recipients: Recipients,
    /// Compressing or copying threads; one a core by default, 16 at most.
    pub threads: Option<NonZeroUsize>,
    /// Most bytes a second that go to the target.
    pub limit_rate: Option<NonZeroU64>,
    /// Ends every wait of the pipeline when it is set.
    pub cancel: CancelFlag,
    /// Counters for whoever watches.
    pub progress: Arc<Progress>,
}

impl PipelineSpec {
    /// A plain output with default threads, no limit, and counters of its own.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            recipients: Vec::new(),
            threads: None,
            limit_rate: None,
            cancel: CancelFlag::new(),
            progress: Arc::default(),
        }
    }

    fn thread_count(&self) -> usize {
        let cores = || available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(|| cores().min(MOST_DEFAULT_THREADS), NonZeroUsize::get)
    }
}

/// Where an artefact goes.
pub enum Output {
    /// Bytes in order, for all containers but directories.
    Chunks(Box<dyn ChunkWriter>),
    /// An empty directory that exists.
    Directory(PathBuf),
}

/// What came of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineReceipt {
    /// All members, and bad pages among them.
    pub members: MemberRecords,
    /// Size and hash of the artefact, one for each object that it continues in; none for a directory.
    pub objects: Vec<OutputDigest>,
}

/// A running pipeline. Dropped without [`finish`](Pipeline::finish), it ends its threads, and
/// whatever was written is worthless.
pub struct Pipeline {
    kind: Kind,
    latch: Arc<Latch>,
    progress: Arc<Progress>,
}

enum Kind {
    Archive(ArchivePipeline),
    Directory(DirectoryPipeline),
}

impl Pipeline {
    /// Starts the threads of a pipeline.
    ///
    /// # Errors
    /// [`PipelineError::RecipientMismatch`] and [`PipelineError::OutputMismatch`] if the parts of
    /// the request contradict each other, [`PipelineError::Thread`] if a thread cannot be had.
    pub fn start(spec: PipelineSpec, output: Output) -> Result<Self, PipelineError> {
        let encoding = spec.encoding;
        if encoding.is_encrypted() == spec.recipients.is_empty() {
            let needs_recipients = encoding.is_encrypted();
            return Err(PipelineError::RecipientMismatch { encoding, needs_recipients });
        }
        let (latch, progress) = (Arc::new(Latch::new(spec.cancel.clone())), spec.progress.clone());
        let kind = match (encoding.container(), output) {
            (Container::Directory, Output::Directory(root)) => {
                Kind::Directory(DirectoryPipeline::start(&spec, root, latch.clone())?)
            }
            (Container::Sql | Container::Tar, Output::Chunks(writer)) => {
                Kind::Archive(ArchivePipeline::start(spec, writer, latch.clone())?)
            }
            (Container::Directory, Output::Chunks(_)) => {
                return Err(PipelineError::OutputMismatch { encoding, output: "a stream" });
            }
            (_, Output::Directory(_)) => {
                return Err(PipelineError::OutputMismatch { encoding, output: "a directory" });
            }
        };
        Ok(Self { kind, latch, progress })
    }

    /// What may be open at once.
    pub fn limits(&self) -> SinkLimits {
        let (open_streams, open_files) = match &self.kind {
            Kind::Archive(archive) => archive.open_limits(),
            Kind::Directory(_) => directory::OPEN_LIMITS,
        };
        let chunk_bytes = block::BLOCK_BYTES as u64;
        SinkLimits { open_streams, open_files, chunk_bytes, extra: Extra::new() }
    }

    /// Opens an entry; its bytes go through the writer, which must be finished. A directory has no
    /// bytes. In an archive, a file and streams are never open at the same time.
    ///
    /// # Errors
    /// Errors of the entry (limit, path, kind, size) leave the pipeline usable; the first error of
    /// any other kind ends it.
    pub fn open_entry(&self, meta: &EntryMeta) -> Result<EntryWriter, PipelineError> {
        let _call = self.progress.call();
        self.latch.check()?;
        let path = entry::full_path(meta)?;
        let open = match &self.kind {
            Kind::Archive(archive) => archive.open(path.clone(), meta)?,
            Kind::Directory(directory) => directory.open(path.clone(), meta)?,
        };
        Ok(EntryWriter::new(open, path, self.latch.clone(), self.progress.clone()))
    }

    /// Adds files and directories of this machine, read in parallel and kept sparse. Returns when
    /// all of them are read, so that a snapshot may go afterwards.
    ///
    /// # Errors
    /// As [`open_entry`](Pipeline::open_entry), and whatever reading the files gives.
    pub fn add_local(&self, entries: &[LocalEntry]) -> Result<(), PipelineError> {
        let _call = self.progress.call();
        self.latch.check()?;
        match &self.kind {
            Kind::Archive(archive) => archive.add_local(entries),
            Kind::Directory(directory) => directory.add_local(entries),
        }
    }

    /// Adds a file whose bytes are at hand, such as `.dbbackup/manifest.json`.
    ///
    /// # Errors
    /// As [`open_entry`](Pipeline::open_entry).
    pub fn append(&self, root: &str, path: EntryPath, bytes: &[u8]) -> Result<(), PipelineError> {
        let mut writer = self.open_entry(&EntryMeta {
            kind: EntryKind::File,
            root: root.to_owned(),
            path,
            size_bytes: Some(bytes.len() as u64),
            mode: None,
            uid: None,
            gid: None,
            modified_unix: None,
            pages: PageCheck::None,
            extra: Extra::new(),
        })?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Waits until everything so far is hashed and checked, and answers the records of all finished
    /// members in the order of the artefact.
    ///
    /// # Errors
    /// The first error of the pipeline.
    pub fn records(&self) -> Result<MemberRecords, PipelineError> {
        self.latch.check()?;
        match &self.kind {
            Kind::Archive(archive) => archive.records(),
            Kind::Directory(directory) => Ok(directory.records()),
        }
    }

    /// Ends the artefact and waits until the target has made it durable.
    ///
    /// # Errors
    /// The first error of the pipeline; the artefact is then worthless.
    pub fn finish(self) -> Result<PipelineReceipt, PipelineError> {
        self.latch.check()?;
        match &self.kind {
            Kind::Archive(archive) => archive.finish(),
            Kind::Directory(directory) => directory.finish(),
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Also after `finish`, for writers that outlive the pipeline. Latched before the threads
        // are joined: whoever waits for room holds what they need to end.
        self.latch.fail(PipelineError::Aborted);
        if let Kind::Archive(archive) = &self.kind {
            archive.abort();
        }
    }
}

#[cfg(test)]
mod tests;
