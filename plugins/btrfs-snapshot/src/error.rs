//! Failures of the engine, each with its class and what the operator can do.

use std::{io, path::PathBuf};

use dbbackup_sdk::{Classify, ErrorCode, HostError, snapshot::SnapshotError};

/// Everything that ends a backup or an undo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BtrfsError {
    /// A step that all snapshot engines share.
    #[error(transparent)]
    Shared(#[from] SnapshotError),
    /// The host refused something: the run failed elsewhere, or was cancelled.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The path is on another kind of file system.
    #[error("{} is not on Btrfs", path.display())]
    NotBtrfs { path: PathBuf },
    /// The files of the server are not in one subvolume.
    #[error("the server's files are in several subvolumes or file systems: {}", listed(places))]
    Several {
        /// What each path is for, where it is, and in which subvolume.
        places: Vec<String>,
    },
    /// The root of the subvolume is not visible from the path.
    #[error("the root of the subvolume that holds {} is not mounted above it", path.display())]
    NoRoot { path: PathBuf },
    /// The option names another subvolume than the one that holds the files.
    #[error("option subvolume is {}, and the server's files are in {}", given.display(), found.display())]
    OtherSubvolume { given: PathBuf, found: PathBuf },
    /// No directory takes the snapshot.
    #[error("no directory takes the snapshot: tried {}", listed(tried))]
    NoPlace { tried: Vec<String> },
    /// The directory of the option is no place for the snapshot.
    #[error("option snapshot_directory is {}, which {why}", path.display())]
    BadPlace { path: PathBuf, why: String },
    /// A nested subvolume came out as an empty directory.
    #[error("{} is a subvolume of its own, and no part of the snapshot", path.display())]
    Nested { path: PathBuf },
    /// The kernel refused to make the snapshot.
    #[error("snapshot subvolume {} as {}", subvolume.display(), snapshot.display())]
    Create { subvolume: PathBuf, snapshot: PathBuf, source: io::Error },
    /// The kernel refused to remove it.
    #[error("delete snapshot {}", snapshot.display())]
    Destroy { snapshot: PathBuf, source: io::Error },
    /// What is there under the name is not what this tool has made.
    #[error("{} is not the snapshot that was recorded: {why}", path.display())]
    Foreign { path: PathBuf, why: &'static str },
    /// A record that this version cannot read.
    #[error("read the record of a snapshot")]
    Record(#[source] serde_json::Error),
    /// A question about a file or subvolume failed.
    #[error("{what} {}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

impl BtrfsError {
    pub(crate) fn io<E: Into<io::Error>>(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: source.into() }
    }
}

fn listed(items: &[String]) -> String {
    items.join(", ")
}

impl Classify for BtrfsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shared(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::NotBtrfs { .. }
            | Self::Several { .. }
            | Self::NoRoot { .. }
            | Self::NoPlace { .. }
            | Self::Nested { .. } => ErrorCode::PRECONDITION,
            Self::OtherSubvolume { .. } | Self::BadPlace { .. } => ErrorCode::CONFIG,
            Self::Foreign { .. } => ErrorCode::SAFETY,
            Self::Record(_) => ErrorCode::UNSUPPORTED,
            Self::Create { source, .. }
            | Self::Destroy { source, .. }
            | Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => ErrorCode::PRIVILEGE,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::NO_SPACE,
                _ => ErrorCode::SOURCE_IO,
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shared(error) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::NotBtrfs { .. } => "move the data directory to Btrfs, or use another engine",
            Self::Several { .. } | Self::Nested { .. } => {
                "a snapshot is of one subvolume: keep all files of the server in one, or use another \
                 engine"
            }
            Self::NoRoot { .. } => "mount the subvolume itself, not a directory inside of it",
            Self::OtherSubvolume { .. } => "leave the option out, or name the subvolume found",
            Self::NoPlace { .. } | Self::BadPlace { .. } => {
                "name a writable directory of the same file system with --engine-option \
                 snapshot_directory=DIR"
            }
            Self::Create { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run as root, or as the owner of the subvolume"
            }
            Self::Destroy { snapshot, .. } => {
                return Some(format!(
                    "dbbackup cleanup tries it again; by hand: btrfs subvolume delete {}",
                    snapshot.display()
                ));
            }
            Self::Foreign { .. } => "it is left alone; see for yourself what it is",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            _ => false,
        }
    }
}
