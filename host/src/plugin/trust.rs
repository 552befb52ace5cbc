//! Trust by owner and mode: a file that no one but root and the running user can change.
//!
//! Checked are the file itself and every directory on its path, as typed and with links resolved.
//! A directory that all can write into is accepted in the middle of the path if it is sticky
//! (`/tmp`): there, nobody else can replace an entry of ours, and the entry itself is checked next.
//! The plugin directory itself must not be such a directory, because anyone could add to it.
use super::Reason;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What makes a plugin trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrustPolicy {
    /// Owner and mode; where the lock file has an entry, it must match.
    #[default]
    Owner,
    /// As `owner`, and the lock file must have an entry.
    Locked,
    /// Any regular file, for those who build plugins. Owner, mode and lock file are not looked at.
    Dev,
}

/// A path that others can change, and the command that ends that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionProblem {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// The command.
    pub mend: String,
}

impl fmt::Display for PermissionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not trusted: {} {}", self.path.display(), self.what)
    }
}

/// Opens a regular file without following a link in its last component, and never blocks on it.
///
/// # Errors
/// [`Reason::Permission`] for a link, [`Reason::Format`] for anything that is no regular file,
/// [`Reason::Unreadable`] else.
pub(super) fn open_regular(path: &Path) -> Result<(File, Metadata), Reason> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow.bits().cast_signed())
        .open(path)
        .map_err(|error| unopened(path, error))?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Reason::Format { what: "it is no regular file".to_owned() });
    }
    Ok((file, metadata))
}

/// Checks an opened file by owner and mode, and all directories above it.
///
/// # Errors
/// [`Reason::Permission`] with the first path that others can change.
pub(super) fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), Reason> {
    check_file(path, metadata)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    check_directory(directory)
}

/// Checks an opened file alone.
///
/// # Errors
/// As for [`check_owner`].
pub(super) fn check_file(path: &Path, metadata: &Metadata) -> Result<(), Reason> {
    check_one(path, metadata, Place::Leaf)
}

/// Checks a plugin directory and all directories above it.
///
/// # Errors
/// As for [`check_owner`].
pub(super) fn check_directory(directory: &Path) -> Result<(), Reason> {
    let typed = std::path::absolute(directory).map_err(unreadable)?;
    let resolved = typed.canonicalize().map_err(unreadable)?;
    for path in [&typed, &resolved] {
        for (depth, part) in path.ancestors().enumerate() {
            let metadata = part.metadata().map_err(unreadable)?;
            let place = if depth == 0 { Place::Leaf } else { Place::Above };
            check_one(part, &metadata, place)?;
        }
        if typed == resolved {
            break;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The file, or the directory that plugins lie in.
    Leaf,
    /// A directory further up.
    Above,
}

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

fn check_one(path: &Path, metadata: &Metadata, place: Place) -> Result<(), Reason> {
    let user = rustix::process::geteuid().as_raw();
    let quoted = super::mend::shell_quoted(path);
    let problem = |what: String, mend: String| {
        Err(Reason::Permission(PermissionProblem { path: path.to_owned(), what, mend }))
    };
    if metadata.uid() != 0 && metadata.uid() != user {
        let what = format!("belongs to user {}, neither root nor user {user}", metadata.uid());
        return problem(what, format!("chown root {quoted}"));
    }
    let mode = metadata.mode();
    if place == Place::Above && mode & STICKY != 0 {
        return Ok(());
    }
    if mode & OTHERS_WRITE != 0 {
        let what = format!("can be written by everyone (mode {:04o})", mode & 0o7777);
        return problem(what, format!("chmod go-w {quoted}"));
    }
    // The group of root holds nobody who is not root already.
    if mode & GROUP_WRITE != 0 && metadata.gid() != 0 {
        let what =
            format!("can be written by group {} (mode {:04o})", metadata.gid(), mode & 0o7777);
        return problem(what, format!("chmod g-w {quoted}"));
    }
    Ok(())
}

fn unopened(path: &Path, error: io::Error) -> Reason {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        let quoted = super::mend::shell_quoted(path);
        return Reason::Permission(PermissionProblem {
            path: path.to_owned(),
            what: "is a symbolic link".to_owned(),
            mend: format!("cp --remove-destination \"$(readlink -f {quoted})\" {quoted}"),
        });
    }
    unreadable(error)
}

pub(super) fn unreadable(error: io::Error) -> Reason {
    Reason::Unreadable { source: Arc::new(error) }
}
