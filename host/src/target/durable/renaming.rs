//! Renames that refuse or swap what has the new name: by the flags of `renameat2`, and in smaller
//! steps where the file system has none (NFS, 9p, many FUSE file systems, old OpenZFS).
use super::sync_parent;
use crate::target::{error::TargetError, location::with_ending};
use rustix::{
    fs::{self, AtFlags, CWD, FileType, Mode, RenameFlags},
    io::Errno,
};
use std::path::{Path, PathBuf};

/// What a rename does with something of the new name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rename {
    /// Fails with [`TargetError::Exists`].
    New,
    /// Replaces it in one step.
    Replace,
    /// Swaps both: in one step, or in three where the file system cannot. A crash between those
    /// leaves what had the new name whole under that name with `.old-NUMBER` at its end, which
    /// nothing of ours removes.
    Exchange,
}

/// Renames and makes it durable.
pub(crate) fn rename(from: &Path, to: &Path, how: Rename) -> Result<(), TargetError> {
    rename_by(&Kernel, from, to, how)?;
    sync_parent(to)
}

/// The system calls that not every file system can serve.
trait Calls {
    fn rename(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        if flags.is_empty() {
            fs::rename(from, to)
        } else {
            fs::renameat_with(CWD, from, CWD, to, flags)
        }
    }

    /// Links a symbolic link itself, as a rename would move it.
    fn link(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        fs::linkat(CWD, from, CWD, to, AtFlags::empty())
    }
}

struct Kernel;

impl Calls for Kernel {}

fn rename_by(calls: &dyn Calls, from: &Path, to: &Path, how: Rename) -> Result<(), TargetError> {
    let flags = match how {
        Rename::New => RenameFlags::NOREPLACE,
        Rename::Replace => RenameFlags::empty(),
        Rename::Exchange => RenameFlags::EXCHANGE,
    };
    match (how, calls.rename(from, to, flags)) {
        (Rename::New, Err(errno)) if lacks_flags(errno) => move_new(calls, from, to),
        (Rename::Exchange, Err(errno)) if lacks_flags(errno) => exchange(calls, from, to),
        (_, renamed) => renamed.map_err(|errno| refused(to, errno)),
    }
}

fn refused(to: &Path, errno: Errno) -> TargetError {
    match errno {
        Errno::EXIST => TargetError::Exists { path: to.to_owned() },
        errno => TargetError::io("rename to", to, errno.into()),
    }
}

/// True for what a file system, or a kernel, answers that does not know the flags.
fn lacks_flags(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

/// [`Rename::New`] without flags.
fn move_new(calls: &dyn Calls, from: &Path, to: &Path) -> Result<(), TargetError> {
    let moved = fs::lstat(from).and_then(|facts| match FileType::from_raw_mode(facts.st_mode) {
        FileType::Directory => move_new_directory(calls, from, to),
        _ => move_new_file(calls, from, to),
    });
    moved.map_err(|errno| refused(to, errno))
}

/// A link refuses what is there, and the file is never without a name: a crash in between leaves it
/// both.
fn move_new_file(calls: &dyn Calls, from: &Path, to: &Path) -> Result<(), Errno> {
    match calls.link(from, to) {
        Ok(()) => {}
        // No links here, or no more of this file. All that is left is to look and then to rename,
        // which would replace what appears in between: the run lock keeps runs of ours from that,
        // and nothing can keep others from it.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            return match fs::lstat(to) {
                Ok(_) => Err(Errno::EXIST),
                Err(Errno::NOENT) => calls.rename(from, to, RenameFlags::empty()),
                Err(errno) => Err(errno),
            };
        }
        Err(errno) => return Err(errno),
    }
    match fs::unlink(from) {
        // A server may have done it, and have been asked twice.
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => {
            if let Err(error) = fs::unlink(to) {
                tracing::warn!(path = %to.display(), %error, "remove the second name of a file");
            }
            Err(errno)
        }
    }
}

/// Making a directory refuses what is there, and a rename replaces a directory only while it is
/// empty. A crash in between leaves an empty one.
fn move_new_directory(calls: &dyn Calls, from: &Path, to: &Path) -> Result<(), Errno> {
    fs::mkdir(to, Mode::RWXU)?;
    calls.rename(from, to, RenameFlags::empty()).map_err(|errno| {
        // One that somebody has put something into stays.
        if let Err(error) = fs::rmdir(to) {
            tracing::warn!(path = %to.display(), %error, "remove a directory that was made");
        }
        match errno {
            Errno::NOTEMPTY => Errno::EXIST,
            errno => errno,
        }
    })
}

/// [`Rename::Exchange`] without flags. What has the name `to` is first put aside, and not given the
/// name `from` before the other durably has its own: what has that name may be removed after a
/// crash. After an error everything is as it was, or the error names where the old one is.
fn exchange(calls: &dyn Calls, from: &Path, to: &Path) -> Result<(), TargetError> {
    let aside = free_sibling(to)?;
    let (old, name) = (aside.display(), to.display());
    // For who looks for it after a crash.
    tracing::info!(%old, %name, "nothing can be swapped here: the old one is put aside meanwhile");
    let mut done = Vec::new();
    for (source, destination) in [(to, aside.as_path()), (from, to), (aside.as_path(), from)] {
        let moved = sync_parent(to).and_then(|()| move_new(calls, source, destination));
        if let Err(error) = moved {
            return Err(take_back(calls, &done, &aside, error));
        }
        done.push((source, destination));
    }
    Ok(())
}

/// Takes back the moves, the last one first, and answers what the operator must know first.
fn take_back(
    calls: &dyn Calls,
    done: &[(&Path, &Path)],
    aside: &Path,
    error: TargetError,
) -> TargetError {
    for (source, destination) in done.iter().rev() {
        if let Err(worse) = move_new(calls, destination, source) {
            tracing::warn!(%error, %worse, "two names could not be swapped, nor that taken back");
            let source = std::io::Error::other(worse);
            return TargetError::io("bring back what was put aside as", aside, source);
        }
    }
    if let Err(error) = sync_parent(aside) {
        tracing::warn!(%error, "make durable that everything is as it was");
    }
    error
}

/// A name that no run of ours, clean-up or recovery takes for a leftover; no longer than others that
/// a run makes of the same one.
fn free_sibling(path: &Path) -> Result<PathBuf, TargetError> {
    const MAX_KEPT: u32 = 999;
    for number in 1..=MAX_KEPT {
        let sibling = with_ending(path, &format!(".old-{number}"));
        match fs::lstat(&sibling) {
            Ok(_) => {}
            Err(Errno::NOENT) => return Ok(sibling),
            Err(errno) => return Err(TargetError::io("look at", &sibling, errno.into())),
        }
    }
    Err(TargetError::Exists { path: with_ending(path, &format!(".old-{MAX_KEPT}")) })
}

#[cfg(test)]
mod tests;
