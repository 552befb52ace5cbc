//! What can go wrong around a snapshot, whichever technology makes it.

use std::{ffi::OsString, io, path::PathBuf};

use dbbackup_plugin_api::{document::assessment::Blocker, error::ErrorCode};

use crate::{
    failure::{Classify, HostError},
    server::{ReplicaError, SessionError},
};

/// Failures of the steps that all snapshot engines share.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A session failed, or a lock was not to be had within its budget.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// The server is a replica that is not current.
    #[error(transparent)]
    Replica(Box<ReplicaError>),
    /// The host refused something: the run failed elsewhere, or was cancelled.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No thread for the cancellation.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// Something stands in the way of a backup, as the assessment says too.
    #[error("{}", blockers.iter().map(|blocker| blocker.what.as_str()).collect::<Vec<_>>().join("; "))]
    Blocked {
        /// All of it.
        blockers: Vec<Blocker>,
    },
    /// It is not known where the server keeps its files.
    #[error("the server does not say where its data directory is")]
    NoServer,
    /// A path of the server is not on this machine.
    #[error("the server's {role} path is not on this machine")]
    NotHere {
        /// What it is for.
        role: String,
    },
    /// A path is not proven to be that of the server on the connection.
    #[error("{} is not proven to belong to the server on the connection", path.display())]
    NotProven {
        /// The path.
        path: PathBuf,
    },
    /// A directory of the server lies where this engine cannot follow.
    #[error("{variable} is {}, outside of the data directory", path.display())]
    Outside {
        /// The server's variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// Files without redo log are lost in a crash, and a snapshot is one.
    #[error("the server's redo log is disabled")]
    RedoDisabled,
    /// A path of the server is not inside of the snapshot.
    #[error("{} is not inside of the snapshot", path.display())]
    Uncovered {
        /// The path.
        path: PathBuf,
    },
    /// A tablespace was put into a directory that was not known when the run began.
    #[error("tablespace {} lies in a directory that was not known when the run began", path.display())]
    NewDirectory {
        /// The tablespace.
        path: PathBuf,
    },
    /// A link leads out of the snapshot, where files go on changing.
    #[error("{} is a symbolic link, which leads out of the snapshot", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another file system or subvolume is inside of a directory of the snapshot.
    #[error("{} is a file system or subvolume of its own, and no part of the snapshot", path.display())]
    Boundary {
        /// Where it begins.
        path: PathBuf,
    },
    /// The binlog's index names no file.
    #[error("binlog index {} names no binlog", path.display())]
    EmptyIndex {
        /// The index.
        path: PathBuf,
    },
    /// A crash recovery would begin in a binlog that is not there any more.
    #[error(
        "recovery reads from binlog {} on, which the index {} does not name",
        name.display(),
        path.display()
    )]
    NeededBinlog {
        /// The binlog.
        name: OsString,
        /// The index.
        path: PathBuf,
    },
    /// A file or directory cannot be read.
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

impl SnapshotError {
    pub(super) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

impl From<SessionError> for SnapshotError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl From<ReplicaError> for SnapshotError {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(Box::new(error))
    }
}

impl Classify for SnapshotError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Session(error) => error.code(),
            Self::Replica(error) => error.code(),
            Self::Host(error) => error.code(),
            Self::Thread(_) => ErrorCode::INTERNAL,
            Self::Blocked { .. }
            | Self::NoServer
            | Self::NotHere { .. }
            | Self::NotProven { .. }
            | Self::Outside { .. }
            | Self::RedoDisabled
            | Self::Uncovered { .. }
            | Self::Link { .. }
            | Self::Boundary { .. } => ErrorCode::PRECONDITION,
            Self::NewDirectory { .. }
            | Self::EmptyIndex { .. }
            | Self::NeededBinlog { .. }
            | Self::Io { .. } => ErrorCode::SOURCE_IO,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Session(error) => return error.hint(),
            Self::Replica(error) => return error.hint(),
            Self::Host(error) => return error.hint(),
            Self::Blocked { blockers } => {
                let remedies = blockers.iter().filter_map(|blocker| blocker.remedy.as_ref());
                let texts: Vec<&str> = remedies.map(|remedy| remedy.text()).collect();
                return (!texts.is_empty()).then(|| texts.join("; "));
            }
            Self::NotHere { .. } => "run dbbackup on the machine that the server runs on",
            Self::NotProven { .. } => {
                "run dbbackup on the machine that the server runs on, as root or as the server's \
                 user, and connect to the server that owns the directory"
            }
            Self::RedoDisabled => "ALTER INSTANCE ENABLE INNODB REDO_LOG",
            Self::NewDirectory { .. } => "run it again",
            Self::Link { .. } => {
                "keep the file itself in the data directory, or use another engine"
            }
            Self::Outside { .. } | Self::Uncovered { .. } | Self::Boundary { .. } => {
                "keep everything that the server uses in one volume, or use another engine"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Session(error) => error.is_retryable(),
            Self::Replica(error) => error.is_retryable(),
            Self::Host(error) => error.is_retryable(),
            Self::NewDirectory { .. } => true,
            _ => false,
        }
    }
}
