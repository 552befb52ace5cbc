//! Failures of the engine, each with its class and what the operator can do.

use std::{io, path::PathBuf};

use dbbackup_sdk::{
    Classify, ErrorCode, HostError, ToolError, ToolLockError, snapshot::SnapshotError,
};

/// Everything that ends a backup or an undo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LvmError {
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
    /// The answer of `lvs` is no report.
    #[error("read the report of lvs")]
    Report(#[source] serde_json::Error),
    /// A value in it is none.
    #[error("read the report of lvs: {column} is {value:?}")]
    Value { column: &'static str, value: String },
    /// The mounts of this machine are unknown.
    #[error("read the mounts of this machine")]
    Mounts(#[source] io::Error),
    /// A path has no mount in this namespace.
    #[error("{} is on no mount that is visible here", path.display())]
    NoMount { path: PathBuf },
    /// The server names no path.
    #[error("the server names no path")]
    NoPlaces,
    /// A path is on something else than a logical volume.
    #[error("{} is on {source_device}, which is no logical volume", path.display())]
    NotOnVolume { path: PathBuf, source_device: String },
    /// Volumes are snapshotted one after the other, which is not one instant.
    #[error("the server's files are on several logical volumes: {}", places.join(", "))]
    Several { places: Vec<String> },
    /// Its copy cannot be mounted beside it.
    #[error("{volume} holds {filesystem}, whose snapshots this engine does not mount")]
    Filesystem { volume: String, filesystem: String },
    /// LVM makes no snapshots of snapshots.
    #[error("{volume} is a snapshot itself")]
    IsSnapshot { volume: String },
    /// The option names another volume group than the one that holds the files.
    #[error("option volume_group is {given}, and the server's files are on {found}")]
    OtherGroup { given: String, found: String },
    /// The volume group has no room for the snapshot.
    #[error(
        "volume group {group} has {} free, and the snapshot of {volume} needs {}",
        mebibytes(*free_bytes), mebibytes(*needed_bytes)
    )]
    NoSpace { volume: String, group: String, needed_bytes: u64, free_bytes: u64 },
    /// A snapshot makes the server's writes take new room in the pool.
    #[error("thin pool {pool} is {percent:.1} % full")]
    PoolFull { pool: String, percent: f64 },
    /// The server changed more than the snapshot had room for.
    #[error(
        "snapshot {snapshot} has overflowed: more changed during the copy than its {} hold",
        mebibytes(*bytes)
    )]
    Overflowed { snapshot: String, bytes: u64 },
    /// The pool takes no more data.
    #[error("thin pool {pool} of snapshot {snapshot} has failed or is full")]
    PoolFailed { snapshot: String, pool: String },
    /// Somebody has removed it.
    #[error("snapshot {snapshot} is gone")]
    Gone { snapshot: String },
    /// The mount point cannot be made.
    #[error("make directory {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// LVM refused to remove it.
    #[error("remove snapshot {snapshot}")]
    Destroy { snapshot: String, source: Box<ToolError> },
    /// What is there under the name is not what this tool has made.
    #[error("{what} is not ours: {why}")]
    Foreign { what: String, why: &'static str },
    /// A record that this version cannot read.
    #[error("read the record of a snapshot")]
    Record(#[source] serde_json::Error),
    /// A record of another kind.
    #[error("a record of kind {kind:?} is not ours")]
    UnknownRecord { kind: String },
}

impl LvmError {
    /// A tool's failure, with what it was run for.
    pub(crate) fn tool(step: &'static str) -> impl FnOnce(ToolError) -> Self {
        move |source| Self::Tool { step, source: Box::new(source) }
    }
}

impl Classify for LvmError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shared(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::Tool { source, .. } | Self::Destroy { source, .. } => source.code(),
            Self::Report(_) | Self::Value { .. } => ErrorCode::TOOL,
            Self::Mounts(_) | Self::Directory { .. } | Self::Gone { .. } => ErrorCode::SOURCE_IO,
            Self::NoMount { .. }
            | Self::NoPlaces
            | Self::NotOnVolume { .. }
            | Self::Several { .. }
            | Self::Filesystem { .. }
            | Self::IsSnapshot { .. } => ErrorCode::PRECONDITION,
            Self::OtherGroup { .. } => ErrorCode::CONFIG,
            Self::NoSpace { .. }
            | Self::PoolFull { .. }
            | Self::Overflowed { .. }
            | Self::PoolFailed { .. } => ErrorCode::NO_SPACE,
            Self::Foreign { .. } => ErrorCode::SAFETY,
            Self::Record(_) | Self::UnknownRecord { .. } => ErrorCode::UNSUPPORTED,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Shared(error) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::Lock(error) => return error.hint(),
            Self::Tool { source, .. } if source.is_missing() => "install the package lvm2",
            Self::NotOnVolume { .. } => {
                "move the server's files to a logical volume, or use another engine"
            }
            Self::Several { .. } => {
                "snapshots of several volumes are not of one instant: keep all files of the server \
                 on one, or use another engine"
            }
            Self::Filesystem { .. } => "use btrfs-snapshot for Btrfs, or another engine",
            Self::OtherGroup { .. } => "leave the option out, or name the volume group found",
            Self::NoSpace { volume, group, free_bytes, .. } => {
                return Some(format!(
                    "vgs {group} shows the free space, vgextend {group} DEVICE adds to it; or ask \
                     for less: --engine-option snapshot_bytes={free_bytes} holds what changes on \
                     {volume} during the copy"
                ));
            }
            Self::PoolFull { pool, .. } => return Some(format!("lvextend -L +10G {pool}")),
            Self::PoolFailed { pool, .. } => {
                return Some(format!("vgs shows the free space, lvextend -L +10G {pool} uses it"));
            }
            Self::Overflowed { .. } => {
                "give it more room with backup.snapshot.lvm.snapshot_size (vgs shows what is free), \
                 or run it when the server writes less"
            }
            Self::Destroy { snapshot, .. } => {
                return Some(format!(
                    "dbbackup cleanup tries it again; by hand: lvremove {snapshot}"
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

#[allow(clippy::cast_precision_loss, reason = "a figure for people, with one decimal")]
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}
