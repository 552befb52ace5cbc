//! What can go wrong on the way between entries and an artefact.
use dbbackup_plugin_api::document::{entry::EntryKind, path::EntryPath};
use std::{io, path::PathBuf, sync::Arc};

/// Why a pipeline failed. Cloned, because the first error is the answer to every later call.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PipelineError {
    /// The run was cancelled by its owner.
    #[error("cancelled")]
    Cancelled,
    /// The pipeline was dropped before it was finished.
    #[error("aborted before the artefact was complete")]
    Aborted,
    /// A thread of the pipeline is gone without an error of its own: a fault of the program.
    #[error("a stage of the pipeline died")]
    StageDied,
    /// A thread could not be started.
    #[error("start thread {name}")]
    Thread {
        /// Name of the thread.
        name: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The target refused bytes, or could not make them durable.
    #[error("write the output at byte {offset}")]
    Output {
        /// Bytes that the target had taken before.
        offset: u64,
        /// What the target said; its kind is kept.
        source: Arc<io::Error>,
    },
    /// A file of a directory output could not be written.
    #[error("write {}", path.display())]
    WriteFile {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A local file could not be read.
    #[error("read {} at byte {offset}", path.display())]
    ReadSource {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        offset: u64,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A local file is shorter than it was when its entry was opened.
    #[error("{} ends before byte {expected_bytes}: it shrank while it was read", path.display())]
    SourceShrank {
        /// The file.
        path: PathBuf,
        /// Size that the entry promised.
        expected_bytes: u64,
    },
    /// A local entry is not of the kind that was announced.
    #[error("{} is no plain {kind:?}", path.display())]
    OtherKind {
        /// The path.
        path: PathBuf,
        /// The kind announced.
        kind: EntryKind,
    },
    /// More bytes came than the entry had promised.
    #[error("entry {path}: more than the promised {size_bytes} bytes")]
    EntryTooLong {
        /// The entry.
        path: EntryPath,
        /// Size promised.
        size_bytes: u64,
    },
    /// Fewer bytes came than the entry had promised.
    #[error("entry {path}: {written_bytes} of the promised {size_bytes} bytes")]
    EntryTooShort {
        /// The entry.
        path: EntryPath,
        /// Bytes that came.
        written_bytes: u64,
        /// Size promised.
        size_bytes: u64,
    },
    /// A writer was dropped before its entry was finished.
    #[error("entry {path} was given up before its end")]
    EntryAbandoned {
        /// The entry.
        path: EntryPath,
    },
    /// A file entry was opened without a size.
    #[error("entry {path}: a file needs a size")]
    SizeMissing {
        /// The entry.
        path: EntryPath,
    },
    /// One entry too many is open.
    #[error("entry {path}: this output takes {limit} open {kind:?} entries at once")]
    TooManyOpen {
        /// The entry that was refused.
        path: EntryPath,
        /// Its kind.
        kind: EntryKind,
        /// Entries of this kind that may be open at once.
        limit: u32,
    },
    /// A file is open whose bytes go straight into the archive.
    #[error("entry {path}: an archive takes nothing else while a file entry is open")]
    FileIsOpen {
        /// The entry that was refused.
        path: EntryPath,
    },
    /// Streams are open, between whose pieces no file can be written.
    #[error("entry {path}: an archive takes no file entry while {open} streams are open")]
    StreamsAreOpen {
        /// The entry that was refused.
        path: EntryPath,
        /// Open streams.
        open: u32,
    },
    /// The pipeline was to be finished while entries were open.
    #[error("{open} entries are still open at the end")]
    StillOpen {
        /// Open entries.
        open: u32,
    },
    /// The container holds no entries of this kind.
    #[error("entry {path}: a {container} output holds no {kind:?} entries")]
    KindNotTaken {
        /// The entry that was refused.
        path: EntryPath,
        /// Its kind.
        kind: EntryKind,
        /// The container.
        container: super::encoding::Container,
    },
    /// The path would lead out of the artefact, or is empty.
    #[error("entry {path}: the path is not a safe relative one")]
    UnsafePath {
        /// The path, root included.
        path: EntryPath,
    },
    /// The header of a member cannot be written.
    #[error("entry {path}: write its archive header")]
    Header {
        /// The entry.
        path: EntryPath,
        /// What the archive library said.
        source: Arc<io::Error>,
    },
    /// A block could not be compressed: a fault of the program.
    #[error("compress a block of {block_bytes} bytes")]
    Compress {
        /// Bytes before compression.
        block_bytes: usize,
        /// What the compressor said.
        source: Arc<io::Error>,
    },
    /// The output cannot be encrypted to the recipients.
    #[error("encrypt the output")]
    Encrypt {
        /// What the encryption library said.
        source: Arc<age::EncryptError>,
    },
    /// Recipients without an encrypted encoding, or the other way round.
    #[error("an output that ends in {encoding} needs {}", recipients_needed(*needs_recipients))]
    RecipientMismatch {
        /// The encoding.
        encoding: super::encoding::Encoding,
        /// True if recipients are missing; false if there should be none.
        needs_recipients: bool,
    },
    /// A directory output was asked of a byte stream, or the other way round.
    #[error("an output that ends in {encoding} cannot be written to {output}")]
    OutputMismatch {
        /// The encoding.
        encoding: super::encoding::Encoding,
        /// The output that was given.
        output: &'static str,
    },
}

impl PipelineError {
    /// Kind of the input or output error underneath, if there is one: a full target answers
    /// [`io::ErrorKind::StorageFull`].
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Output { source, .. }
            | Self::WriteFile { source, .. }
            | Self::ReadSource { source, .. }
            | Self::Thread { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// True if the failing side is the target, false if it is the source, the caller or ourselves.
    pub fn is_target(&self) -> bool {
        matches!(self, Self::Output { .. } | Self::WriteFile { .. })
    }

    /// True if the failing side is what was to be backed up.
    pub fn is_source(&self) -> bool {
        matches!(self, Self::ReadSource { .. } | Self::SourceShrank { .. } | Self::OtherKind { .. })
    }
}

fn recipients_needed(needed: bool) -> &'static str {
    if needed { "recipients to encrypt to" } else { "no recipients" }
}
