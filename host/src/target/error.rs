//! What a target on this machine can refuse, each with its exit code.
use crate::exit::{Classified, Exit};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a target cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Something is there already.
    #[error("{} exists", path.display())]
    Exists {
        /// The artefact or manifest.
        path: PathBuf,
    },
    /// Something is there that is no backup, so that not even `--force` replaces it.
    #[error("{} is not empty and no backup", path.display())]
    NotABackup {
        /// The directory.
        path: PathBuf,
    },
    /// Another run writes to it.
    #[error("another run writes to {}", path.display())]
    Locked {
        /// The artefact.
        path: PathBuf,
    },
    /// The backup would not fit.
    #[error(
        "{} has {} free, and the backup needs about {}",
        path.display(), megabytes(*free_bytes), megabytes(*needed_bytes)
    )]
    NoSpace {
        /// The directory.
        path: PathBuf,
        /// What the run needs at least.
        needed_bytes: u64,
        /// What there is.
        free_bytes: u64,
    },
    /// The system refused a step.
    #[error("{what} {}", path.display())]
    Io {
        /// The step, a verb.
        what: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The old backup cannot be kept aside while the new one takes its place.
    #[error("{} cannot be replaced safely: this file system has no hard links", path.display())]
    NotReplaceable {
        /// The artefact.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The manifest of the old backup cannot be read, so that it cannot be kept aside.
    #[error("read the manifest of the backup that is to be replaced")]
    OldManifest {
        /// What is wrong with it.
        source: crate::manifest::ManifestError,
    },
    /// The directory that it should lie in is not there.
    #[error("there is no directory {}", path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The artefact has no name or no parent directory.
    #[error("{} is no name for a backup", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
}

impl TargetError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

/// Expects the directory that a target is to lie in.
pub(super) fn expect_directory(path: &Path) -> Result<(), TargetError> {
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_dir() => Ok(()),
        Ok(_) => Err(TargetError::NoDirectory { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(TargetError::NoDirectory { path: path.to_owned() })
        }
        Err(source) => Err(TargetError::io("look at", path, source)),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// Exit code of an input or output error at a target.
pub(crate) fn exit_of_io(kind: io::ErrorKind) -> Exit {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Exit::NoSpace
        }
        _ => Exit::Target,
    }
}

impl Classified for TargetError {
    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } | Self::NotABackup { .. } | Self::NotReplaceable { .. } => {
                Exit::Refused
            }
            Self::OldManifest { .. } => Exit::Refused,
            Self::Locked { .. } => Exit::Locked,
            Self::NoSpace { .. } => Exit::NoSpace,
            Self::Io { source, .. } => exit_of_io(source.kind()),
            Self::NoDirectory { .. } => Exit::Target,
            Self::NoName { .. } => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Exists { .. } => "choose another name, or replace it with --force",
            Self::NotABackup { .. } => "choose another directory, or empty this one yourself",
            Self::Locked { .. } => "wait for the other run, or choose another name",
            Self::NoSpace { .. } => "free some space, or choose another place with --output",
            Self::NotReplaceable { .. } | Self::OldManifest { .. } => {
                "remove the old backup yourself, or choose another name"
            }
            Self::NoDirectory { path } => return Some(format!("mkdir -p {}", path.display())),
            Self::Io { source, path, .. } => {
                return (source.kind() == io::ErrorKind::PermissionDenied)
                    .then(|| format!("make {} writable for this user", path.display()));
            }
            Self::NoName { .. } => "end the output in a file name, or in / for a directory",
        };
        Some(text.to_owned())
    }

    fn code(&self) -> String {
        let code = match self {
            Self::Exists { .. } => "E-TARGET-EXISTS",
            Self::NotABackup { .. } => "E-TARGET-NOT-EMPTY",
            Self::Locked { .. } => "E-RUN-LOCKED",
            Self::NoSpace { .. } => "E-TARGET-NO-SPACE",
            Self::Io { source, .. } => match exit_of_io(source.kind()) {
                Exit::NoSpace => "E-TARGET-NO-SPACE",
                _ => "E-TARGET-IO",
            },
            Self::NotReplaceable { .. } => "E-TARGET-REPLACE",
            Self::OldManifest { .. } => "E-TARGET-OLD-MANIFEST",
            Self::NoDirectory { .. } => "E-TARGET-DIRECTORY",
            Self::NoName { .. } => "E-TARGET-NAME",
        };
        code.to_owned()
    }
}
