//! Why a clone cannot be restored.

use std::{
    io,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{Classify, ErrorCode, HostError, document::path::EntryPath};

use crate::artefact::RecordError;

/// Why a clone cannot be restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// The host refused something: damage in the artefact, or the end of the run.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A clone is files, and a running server takes none.
    #[error("a clone is restored into a directory")]
    NoDirectory,
    /// Pages of one instant belong together.
    #[error("a clone is restored whole, not in parts")]
    OnlyWhole,
    /// The server that is to run on the files would not start on them.
    #[error("{} {what}", program.display())]
    Server {
        /// The program.
        program: PathBuf,
        /// What does not fit.
        what: String,
        /// What would.
        hint: String,
    },
    /// The manifest does not say what no restore can do without.
    #[error("the manifest says {found:?} of {what}")]
    Fact {
        /// The fact.
        what: &'static str,
        /// What is said of it.
        found: String,
    },
    /// The artefact's own document cannot be used.
    #[error("read the clone's document")]
    Document {
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The document contradicts itself.
    #[error("the clone's document names file {index} {what}")]
    Inconsistent {
        /// The donor's number of the file.
        index: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// A name would lead out of the directory.
    #[error("the name {name:?} is not a safe one")]
    UnsafeName {
        /// The name.
        name: EntryPath,
    },
    /// A file would end in a directory that the manifest does not know.
    #[error("the manifest has no root for {name}")]
    NoPlace {
        /// The name.
        name: EntryPath,
    },
    /// A stream of records cannot be read.
    #[error("read {stream}")]
    Records {
        /// The stream.
        stream: String,
        /// Why.
        source: RecordError,
    },
    /// A stream is missing, unknown, or holds another number of records than were written.
    #[error("{stream} {what}")]
    Stream {
        /// The stream.
        stream: String,
        /// What is wrong.
        what: String,
    },
    /// A file or directory cannot be written.
    #[error("{what} {}", path.display())]
    Io {
        /// The step, a verb.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl RestoreError {
    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    /// A failure to read records: the host's own word where it was the host that failed.
    pub(super) fn records(stream: &str, error: RecordError) -> Self {
        let RecordError::Read { record, source } = error else {
            return Self::Records { stream: stream.to_owned(), source: error };
        };
        match source.downcast::<HostError>() {
            Ok(host) => Self::Host(host),
            Err(source) => Self::Records {
                stream: stream.to_owned(),
                source: RecordError::Read { record, source },
            },
        }
    }
}

impl Classify for RestoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Host(error) => error.code(),
            Self::NoDirectory | Self::OnlyWhole => ErrorCode::UNSUPPORTED,
            Self::Server { .. } => ErrorCode::PRECONDITION,
            Self::UnsafeName { .. } => ErrorCode::SAFETY,
            Self::Fact { .. }
            | Self::Document { .. }
            | Self::Inconsistent { .. }
            | Self::NoPlace { .. }
            | Self::Records { .. }
            | Self::Stream { .. } => ErrorCode::INTEGRITY,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::NO_SPACE,
                _ => ErrorCode::SINK_IO,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Host(error) => error.hint(),
            Self::NoDirectory => Some("restore it with --target-dir DIRECTORY".to_owned()),
            Self::OnlyWhole => {
                Some("restore all of it, and copy the tables that you need out of there".to_owned())
            }
            Self::Server { hint, .. } => Some(hint.clone()),
            Self::NoPlace { .. } => Some(
                "unpack the artefact and run python3 .dbbackup/apply.py in it, which needs no roots"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
