//! Why a restore is refused or fails in the host's own part.
use crate::{
    artefact::ArtefactError,
    exit::{Classified, Exit},
    target::TargetError,
};
use dbbackup_plugin_api::document::path::EntryPath;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a restore is refused or fails in the host's own part.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The artefact has no manifest that fits it.
    #[error("the artefact cannot be trusted")]
    Untrusted {
        /// What is wrong with it.
        source: Box<ArtefactError>,
    },
    /// Files cannot be restored into a running server.
    #[error("{member} is a file: it cannot go into a running server")]
    FilesIntoServer {
        /// One of the files.
        member: EntryPath,
    },
    /// The directory has something in it.
    #[error("{} is not empty", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// Nothing can be put in the place of a mount point.
    #[error("{} is a mount point, which no directory can take the place of", path.display())]
    MountPoint {
        /// The directory.
        path: PathBuf,
    },
    /// A member's name would lead out of the directory.
    #[error("the member name {member:?} is not a safe one")]
    UnsafeName {
        /// The name.
        member: EntryPath,
    },
    /// Two members have one name.
    #[error("the artefact holds {member} twice")]
    Twice {
        /// The name.
        member: EntryPath,
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
    /// The directory cannot be claimed or put in its place.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// What was in the directory could not be given its name back.
    #[error("what was in {} is now {}, and cannot be taken back", path.display(), aside.display())]
    KeptAside {
        /// The directory.
        path: PathBuf,
        /// Where its content is, whole.
        aside: PathBuf,
        /// Why it is still there.
        source: Box<RestoreError>,
    },
    /// A pattern of `--only` cannot be understood.
    #[error("{pattern:?} is no pattern")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        source: globset::Error,
    },
    /// Nothing in the backup fits the patterns.
    #[error("nothing in the backup fits {patterns}")]
    NothingFits {
        /// The patterns.
        patterns: String,
    },
    /// `--map` names nothing of the backup.
    #[error("--map {old} names no root of the backup: {roots}", roots = if roots.is_empty() { "there is none beside the data directory" } else { roots.as_str() })]
    NoSuchRoot {
        /// What it names.
        old: String,
        /// Roots that there are.
        roots: String,
    },
    /// A link of the server leads to a table that is not in the backup.
    #[error("{link} leads to {}, which is not in the backup", path.display())]
    LeadsOut {
        /// The link file.
        link: EntryPath,
        /// Where it leads.
        path: PathBuf,
    },
    /// A server on the result would open the system tablespace of the source.
    #[error("file {} of the system tablespace is in no root of the backup", path.display())]
    SystemFile {
        /// The file.
        path: PathBuf,
    },
    /// The thread that waits for the disk panicked.
    #[error("the thread that makes the files durable ended")]
    SyncDied,
    /// A page of the restored files is damaged.
    #[error("{}: {bad} bad pages: {pages}", file.display())]
    BadPages {
        /// The file, below the directory.
        file: PathBuf,
        /// How many.
        bad: u64,
        /// The first of them.
        pages: String,
    },
}

impl RestoreError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

impl Classified for RestoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::Untrusted { .. } | Self::NotEmpty { .. } | Self::UnsafeName { .. } => {
                Exit::Refused
            }
            Self::MountPoint { .. } => Exit::Refused,
            Self::Twice { .. } | Self::LeadsOut { .. } | Self::SystemFile { .. } => Exit::Refused,
            Self::FilesIntoServer { .. } => Exit::Precondition,
            Self::Io { source, .. } => crate::target::exit_of_io(source.kind()),
            Self::Target(error) => error.exit(),
            Self::KeptAside { source, .. } => source.exit(),
            Self::Pattern { .. } | Self::NothingFits { .. } | Self::NoSuchRoot { .. } => {
                Exit::Usage
            }
            Self::BadPages { .. } => Exit::VerificationFailed,
            Self::SyncDied => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Untrusted { source } => {
                let cause = source.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
                return Some(format!("{cause}--force restores what can be read of it"));
            }
            Self::FilesIntoServer { .. } => "restore it with --target-dir DIRECTORY",
            Self::NotEmpty { path } => {
                return Some(format!(
                    "choose another directory; with --force this one is kept aside as \
                     {}.before-RUN",
                    path.display()
                ));
            }
            Self::MountPoint { path } => {
                let below = path.join("data");
                return Some(format!("restore into a directory in it: {}", below.display()));
            }
            Self::UnsafeName { .. } | Self::Twice { .. } => {
                "dbbackup does not write such names: somebody has changed the artefact"
            }
            Self::Target(error) => return error.hint(),
            Self::KeptAside { path, aside, .. } => {
                let (path, aside) = (path.display(), aside.display());
                return Some(format!(
                    "move {path} away, if it is there, then: mv -T {aside} {path}"
                ));
            }
            Self::NothingFits { .. } => "dbbackup info --files lists what is in it",
            Self::BadPages { .. } => "the directory was not made; restore from another backup",
            Self::Io { .. }
            | Self::SyncDied
            | Self::Pattern { .. }
            | Self::NoSuchRoot { .. }
            | Self::LeadsOut { .. }
            | Self::SystemFile { .. } => return None,
        };
        Some(text.to_owned())
    }

    fn code(&self) -> String {
        let code = match self {
            Self::Untrusted { .. } => "E-RESTORE-UNTRUSTED",
            Self::FilesIntoServer { .. } => "E-RESTORE-FILES",
            Self::NotEmpty { .. } => "E-RESTORE-NOT-EMPTY",
            Self::MountPoint { .. } => "E-RESTORE-MOUNT-POINT",
            Self::UnsafeName { .. } | Self::Twice { .. } => "E-RESTORE-UNSAFE-NAME",
            Self::Io { .. } => "E-RESTORE-IO",
            Self::SyncDied => "E-RESTORE-SYNC",
            Self::Target(error) => return error.code(),
            Self::KeptAside { .. } => "E-RESTORE-KEPT-ASIDE",
            Self::Pattern { .. } => "E-RESTORE-PATTERN",
            Self::NothingFits { .. } => "E-RESTORE-NOTHING",
            Self::NoSuchRoot { .. } => "E-RESTORE-MAP",
            Self::LeadsOut { .. } => "E-RESTORE-LINK",
            Self::SystemFile { .. } => "E-RESTORE-SYSTEM-FILE",
            Self::BadPages { .. } => "E-RESTORE-PAGES",
        };
        code.to_owned()
    }
}
