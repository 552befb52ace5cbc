//! What can be wrong with an artefact.
use dbbackup_plugin_api::document::path::EntryPath;
use std::{io, path::PathBuf, sync::Arc};

/// Why an artefact cannot be read. Offsets count bytes of the artefact, before encryption where it
/// is encrypted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The run was cancelled by its owner.
    #[error("cancelled")]
    Cancelled,
    /// The bytes cannot be had.
    #[error("read {name} at byte {offset}")]
    Source {
        /// The artefact.
        name: String,
        /// Where reading stopped.
        offset: u64,
        /// What the store said.
        source: Arc<io::Error>,
    },
    /// A thread could not be started, or is gone without an error of its own.
    #[error("read {name}: a thread of the reader is gone")]
    Thread {
        /// The artefact.
        name: String,
    },
    /// The bytes are not what was written.
    #[error("{name} is damaged at byte {offset}")]
    Damaged {
        /// The artefact.
        name: String,
        /// Start of the damaged block or header.
        offset: u64,
        /// What does not fit.
        source: Damage,
    },
    /// The artefact ends too early.
    #[error("{name} is cut off at byte {offset}")]
    CutOff {
        /// The artefact.
        name: String,
        /// Where it ends.
        offset: u64,
    },
    /// The artefact as a whole is not the one that was written.
    #[error(
        "{name} has {found_bytes} bytes with sha256 {found}, not {expected_bytes} with {expected}"
    )]
    WrongDigest {
        /// The artefact.
        name: String,
        /// Size recorded.
        expected_bytes: u64,
        /// sha256 recorded.
        expected: String,
        /// Size read.
        found_bytes: u64,
        /// sha256 read.
        found: String,
    },
    /// A member is not the one that was written.
    #[error(
        "{name}: member {path} has {found_bytes} bytes with sha256 {found}, not {expected_bytes} with {expected}"
    )]
    WrongMember {
        /// The artefact.
        name: String,
        /// The member.
        path: EntryPath,
        /// Size recorded.
        expected_bytes: u64,
        /// sha256 recorded.
        expected: String,
        /// Size read.
        found_bytes: u64,
        /// sha256 read.
        found: String,
    },
    /// A recorded member is not in the artefact.
    #[error("{name}: member {path} is missing")]
    MissingMember {
        /// The artefact.
        name: String,
        /// The member.
        path: EntryPath,
    },
    /// A member that cannot be found without reading everything before it.
    #[error("{name}: the record of member {path} does not say where it starts")]
    NoSeekPosition {
        /// The artefact.
        name: String,
        /// The member.
        path: EntryPath,
    },
    /// The artefact is encrypted and the keys at hand do not open it.
    #[error("decrypt {name}")]
    Decrypt {
        /// The artefact.
        name: String,
        /// What the encryption library said.
        source: age::DecryptError,
    },
    /// An encrypted artefact needs an identity.
    #[error("{name} is encrypted: an identity is needed to read it")]
    IdentityMissing {
        /// The artefact.
        name: String,
    },
    /// A restored file could not be written.
    #[error("write {}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

/// What does not fit in a damaged artefact.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Damage {
    /// A block's header is not one of ours, among blocks of ours.
    #[error("no block header where one must be")]
    BlockHeader,
    /// A block claims an impossible size.
    #[error("a block of {bytes} bytes is larger than any that is written")]
    BlockSize {
        /// The size that it claims.
        bytes: u64,
    },
    /// The compressed data is damaged.
    #[error("compressed data is damaged")]
    Compressed,
    /// The content is longer or shorter than its block says.
    #[error("content is not as long as its block says")]
    ContentLength,
    /// The content does not fit its checksum.
    #[error("content does not fit its checksum")]
    Checksum,
    /// Bytes follow the end of the artefact.
    #[error("bytes follow the end mark")]
    BytesBehindEnd,
    /// The archive's own structure is damaged.
    #[error("archive header: {reason}")]
    ArchiveHeader {
        /// What the archive library said.
        reason: String,
    },
    /// The archive's end is damaged.
    #[error("the archive does not end in empty records")]
    ArchiveEnd,
    /// Damage that a foreign compressor's decoder found.
    #[error("decoder: {reason}")]
    Decoder {
        /// What it said.
        reason: String,
    },
}

impl ReadError {
    /// True if the artefact is not what was written, false if it could not be read at all.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::CutOff { .. }
                | Self::WrongDigest { .. }
                | Self::WrongMember { .. }
                | Self::MissingMember { .. }
        )
    }

    /// Gives back an error that went through an I/O interface, or takes in one of that interface.
    pub(super) fn from_io(error: io::Error, other: impl FnOnce(io::Error) -> Self) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => other(error),
        }
    }
}
