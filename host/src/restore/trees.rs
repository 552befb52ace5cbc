//! The directories that a restore makes: looked at first, filled under temporary names, and given
//! their own names all or none.
use super::{error::RestoreError, extract::dress_like, layout::Layout};
use crate::{
    exit::Failure,
    lock::RunLock,
    supervisor::{host_record::HostRecord, journal::Journal, message::RecordOwner},
    target::{
        TargetError,
        durable::{self, Rename},
        with_ending,
    },
};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// What is under a directory's name before the restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Empty,
    Content,
}

/// The directories under their own names, and what is there now.
#[derive(Debug)]
pub(super) struct Trees {
    layout: Layout,
    found: Vec<Found>,
}

/// The same directories under temporary names, each with its journal record.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) layout: Layout,
    run_id: String,
    records: Vec<u64>,
}

impl Trees {
    /// Looks at what is there; content makes way only if the operator insists, and a mount point
    /// never can.
    pub(super) fn find(layout: Layout, force: bool) -> Result<Self, RestoreError> {
        let mut found = Vec::new();
        for tree in layout.trees() {
            if is_mount_point(tree) {
                return Err(RestoreError::MountPoint { path: tree.clone() });
            }
            let what = look_at(tree)?;
            if what == Found::Content && !force {
                return Err(RestoreError::NotEmpty { path: tree.clone() });
            }
            found.push(what);
        }
        Ok(Self { layout, found })
    }

    /// Where things go in the end.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Keeps other runs away from all of them.
    pub(super) fn lock(&self) -> Result<Vec<RunLock>, TargetError> {
        let mut locks = Vec::new();
        for tree in self.layout.trees() {
            // The directory that `--map` names may be a new one.
            let parent = durable::parent_of(tree);
            fs::create_dir_all(&parent)
                .map_err(|source| TargetError::io("create", &parent, source))?;
            locks.push(RunLock::acquire(tree)?);
        }
        Ok(locks)
    }

    /// Makes them under temporary names, each named in the journal beforehand.
    pub(super) fn stage(&self, run_id: &str, journal: &mut Journal) -> Result<Staged, Failure> {
        let layout = self.layout.staged(run_id);
        let mut records = Vec::new();
        for path in layout.trees() {
            let undo = HostRecord::RestoreDirectory { path: path.clone() };
            records.push(journal.record(RecordOwner::Host, undo.to_undo_record()?)?);
            let made = DirBuilder::new().mode(0o700).create(path);
            made.map_err(|source| RestoreError::io("create", path, source))?;
        }
        Ok(Staged { layout, run_id: run_id.to_owned(), records })
    }

    /// Gives all of them their own names, the operator's own directory last; what was there is kept
    /// aside. After an error everything is as it was, or the error says what could not be taken
    /// back: [`RestoreError::KeptAside`] where the operator's data has another name now.
    pub(super) fn put_in_place(
        &self,
        staged: &Staged,
        journal: &mut Journal,
    ) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
        let mut begun = Vec::new();
        for number in (0..self.found.len()).rev() {
            let Some(step) = self.step(staged, number) else { continue };
            let placed = step.put_in_place();
            // What has failed may be half done, too.
            begun.push(step);
            if let Err(failure) = placed {
                return Err(take_back(&begun, failure));
            }
        }
        for record in &staged.records {
            // The temporary names are gone: a record that stays open undoes nothing.
            if let Err(error) = journal.done(*record) {
                tracing::warn!(%error, "tick off a directory that is in its place");
            }
        }
        let aside = begun.iter().filter(|step| step.found == Found::Content);
        Ok(aside.map(|step| (step.path.to_owned(), step.aside.clone())).collect())
    }

    fn step<'a>(&'a self, staged: &'a Staged, number: usize) -> Option<Step<'a>> {
        let path = self.layout.trees().get(number)?;
        let temporary = staged.layout.trees().get(number)?;
        let aside = with_ending(path, &format!(".before-{}", staged.run_id));
        let new = identity(temporary);
        Some(Step { path, temporary, aside, found: *self.found.get(number)?, new })
    }
}

/// Takes back the steps, the last one first, and answers what the operator must know first: where
/// data is that has lost its name, or else why the steps were taken back.
fn take_back(begun: &[Step<'_>], mut failure: Failure) -> Failure {
    for step in begun.iter().rev() {
        if let Err(worse) = step.take_back() {
            let error = failure.chain();
            tracing::warn!(error, "a directory could not be put in its place, nor taken back");
            failure = worse.into();
        }
    }
    failure
}

/// One directory on its way from its temporary name to its own.
#[derive(Debug)]
struct Step<'a> {
    path: &'a Path,
    /// The journal removes what has this name: never what was there before the restore.
    temporary: &'a Path,
    aside: PathBuf,
    found: Found,
    /// Device and inode of the new directory, which is known by them under any name.
    new: Option<(u64, u64)>,
}

impl Step<'_> {
    fn put_in_place(&self) -> Result<(), Failure> {
        if self.found != Found::Nothing {
            dress_like(self.temporary, self.path)?;
        }
        match self.found {
            Found::Nothing => durable::rename(self.temporary, self.path, Rename::New)?,
            Found::Empty => durable::rename(self.temporary, self.path, Rename::Replace)?,
            Found::Content => {
                // A crash in between leaves what was there whole under its other name.
                self.set_aside()?;
                durable::rename(self.temporary, self.path, Rename::New)?;
            }
        }
        Ok(())
    }

    fn set_aside(&self) -> Result<(), TargetError> {
        durable::rename(self.path, &self.aside, Rename::New)
    }

    /// The new directory back to the temporary name, which the journal removes, and what was there
    /// back to its own; however far the step has come. A rename that could not be made durable has
    /// failed, and is done nevertheless.
    fn take_back(&self) -> Result<(), RestoreError> {
        let new_back = if self.is_new(self.path) {
            durable::rename(self.path, self.temporary, Rename::New)
        } else {
            Ok(())
        };
        let old_back = match self.found {
            _ if is_there(self.path) => Ok(()),
            Found::Nothing => Ok(()),
            Found::Empty => self.make_empty(),
            Found::Content => {
                durable::rename(&self.aside, self.path, Rename::New).map_err(RestoreError::from)
            }
        };
        let Err(error) = new_back.map_err(RestoreError::from).and(old_back) else {
            return Ok(());
        };
        if !self.is_new(self.path) && is_there(self.path) == (self.found != Found::Nothing) {
            tracing::warn!(%error, "make durable that a directory is as it was");
            return Ok(());
        }
        if self.found == Found::Content && is_there(&self.aside) {
            let (path, aside) = (self.path.to_owned(), self.aside.clone());
            return Err(RestoreError::KeptAside { path, aside, source: Box::new(error) });
        }
        Err(error)
    }

    /// The empty directory that the new one has replaced.
    fn make_empty(&self) -> Result<(), RestoreError> {
        fs::create_dir(self.path)
            .map_err(|source| RestoreError::io("create", self.path, source))?;
        dress_like(self.path, self.temporary)
    }

    fn is_new(&self, path: &Path) -> bool {
        self.new.is_some() && identity(path) == self.new
    }
}

/// Device and inode; none where nothing can be seen.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let facts = fs::symlink_metadata(path).ok()?;
    Some((facts.dev(), facts.ino()))
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// True for what no directory can take the place of by a rename. A subvolume that is no mount point
/// has a device of its own, too, and gives way like any directory: the device says nothing. False
/// where the system cannot tell.
fn is_mount_point(directory: &Path) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let Ok(facts) = statx(CWD, directory, flags, StatxFlags::empty()) else { return false };
    facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

fn look_at(directory: &Path) -> Result<Found, RestoreError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(if entries.next().is_none() { Found::Empty } else { Found::Content }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(source) => Err(RestoreError::io("look at", directory, source)),
    }
}

#[cfg(test)]
mod tests;
