//! Failures of the engine, each with its class and what the operator can do.

use std::{io, path::PathBuf};

use dbbackup_sdk::{
    Classify, ErrorCode, HostError, ToolError, ToolLockError, snapshot::SnapshotError,
};

/// Everything that ends a backup or an undo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ZfsError {
    /// A step that all snapshot engines share.
    #[error(transparent)]
    Shared(#[from] SnapshotError),
    /// The host refused something: the run failed elsewhere, or was cancelled.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The tool that makes a snapshot cannot be told to have ended.
    #[error(transparent)]
    Lock(#[from] ToolLockError),
    /// A tool failed.
    #[error("{step}")]
    Tool { step: &'static str, source: Box<ToolError> },
    /// The mounts of this machine are unknown.
    #[error("read the mounts of this machine")]
    Mounts(#[source] io::Error),
    /// A path has no mount in this namespace.
    #[error("{} is on no mount that is visible here", path.display())]
    NoMount { path: PathBuf },
    /// The server names no path.
    #[error("the server names no path")]
    NoPlaces,
    /// A path is on another kind of file system.
    #[error("{} is on {filesystem}, not on ZFS", path.display())]
    NotOnZfs { path: PathBuf, filesystem: String },
    /// Only a part of the dataset is mounted here.
    #[error("{} shows a part of {dataset}, whose root is mounted nowhere here", path.display())]
    NoRoot { path: PathBuf, dataset: String },
    /// Pools are snapshotted one after the other, which is not one instant.
    #[error("the server's files are in several pools: {}", places.join(", "))]
    SeveralPools { places: Vec<String> },
    /// The option names another dataset than the one that holds the files.
    #[error("option dataset is {given}, and files of the server are on {found}")]
    OtherDataset { given: String, found: String },
    /// ZFS made no snapshot.
    #[error("snapshot {}", datasets.join(" "))]
    Create { datasets: Vec<String>, source: Box<ToolError> },
    /// The snapshot is there, but its directory is not.
    #[error("look into {}", path.display())]
    Invisible { path: PathBuf, source: io::Error },
    /// ZFS refused to destroy it.
    #[error("destroy snapshot {snapshot}")]
    DestroyRefused { snapshot: String, source: Box<ToolError> },
    /// The name of something else than a snapshot.
    #[error("{name} is no snapshot")]
    NotASnapshot { name: String },
    /// A name that this tool does not give.
    #[error("{name} is not ours")]
    Foreign { name: String },
    /// A record that this version cannot read.
    #[error("read the record of a snapshot")]
    Record(#[source] serde_json::Error),
}

impl ZfsError {
    /// A tool's failure, with what it was run for.
    pub(crate) fn tool(step: &'static str) -> impl FnOnce(ToolError) -> Self {
        move |source| Self::Tool { step, source: Box::new(source) }
    }

    /// ZFS has no other sign of it than its words, which are English here.
    fn is_denied(source: &ToolError) -> bool {
        let said = source.stderr().unwrap_or_default().to_ascii_lowercase();
        said.contains("permission denied")
    }
}

impl Classify for ZfsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shared(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Create { source, .. } | Self::DestroyRefused { source, .. }
                if Self::is_denied(source) =>
            {
                ErrorCode::PRIVILEGE
            }
            Self::Tool { source, .. }
            | Self::Create { source, .. }
            | Self::DestroyRefused { source, .. } => source.code(),
            Self::Mounts(_) | Self::Invisible { .. } => ErrorCode::SOURCE_IO,
            Self::NoMount { .. }
            | Self::NoPlaces
            | Self::NotOnZfs { .. }
            | Self::NoRoot { .. }
            | Self::SeveralPools { .. } => ErrorCode::PRECONDITION,
            Self::OtherDataset { .. } => ErrorCode::CONFIG,
            Self::NotASnapshot { .. } | Self::Foreign { .. } => ErrorCode::SAFETY,
            Self::Record(_) => ErrorCode::UNSUPPORTED,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shared(error) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::Lock(error) => return error.hint(),
            Self::Tool { source, .. } if source.is_missing() => {
                "install the package zfsutils-linux"
            }
            Self::Tool { source, .. } if Self::is_denied(source) => {
                "run dbbackup as root, or let everybody open /dev/zfs (chmod 666 /dev/zfs)"
            }
            Self::NotOnZfs { .. } => "move the server's files to ZFS, or use another engine",
            Self::NoRoot { .. } => "mount the dataset itself, where dbbackup runs",
            Self::SeveralPools { .. } => {
                "snapshots of several pools are not of one instant: keep all files of the server in \
                 one, or use another engine"
            }
            Self::OtherDataset { .. } => {
                "leave the option out, or name a dataset above all of them"
            }
            Self::Create { datasets, source } if Self::is_denied(source) => {
                let first = datasets.first().map(String::as_str).unwrap_or_default();
                return Some(format!(
                    "zfs allow -u USER create,snapshot,mount,destroy {first}, for the account that \
                     runs dbbackup"
                ));
            }
            Self::Invisible { .. } => {
                "run dbbackup where the dataset is mounted, not in a container"
            }
            Self::DestroyRefused { snapshot, .. } => {
                return Some(format!(
                    "run zfs holds {snapshot}; the backup is complete, and dbbackup cleanup removes \
                     the snapshot later"
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
            Self::Lock(error) => error.is_retryable(),
            _ => false,
        }
    }
}
