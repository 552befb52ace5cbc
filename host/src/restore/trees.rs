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
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
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
    /// Looks at what is there; content makes way only if the operator insists.
    pub(super) fn find(layout: Layout, force: bool) -> Result<Self, RestoreError> {
        let mut found = Vec::new();
        for tree in layout.trees() {
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
    /// aside. After an error everything is as it was.
    pub(super) fn put_in_place(
        &self,
        staged: &Staged,
        journal: &mut Journal,
    ) -> Result<Vec<(PathBuf, PathBuf)>, Failure> {
        let mut done = Vec::new();
        for number in (0..self.found.len()).rev() {
            let Some(step) = self.step(staged, number) else { continue };
            if let Err(error) = step.put_in_place() {
                for step in done.iter().rev() {
                    Step::take_back(step)?;
                }
                return Err(error);
            }
            done.push(step);
        }
        for record in &staged.records {
            journal.done(*record)?;
        }
        let aside = done.iter().filter(|step| step.found == Found::Content);
        Ok(aside.map(|step| (step.path.to_owned(), step.aside.clone())).collect())
    }

    fn step<'a>(&'a self, staged: &'a Staged, number: usize) -> Option<Step<'a>> {
        let path = self.layout.trees().get(number)?;
        let temporary = staged.layout.trees().get(number)?;
        let aside = with_ending(path, &format!(".before-{}", staged.run_id));
        Some(Step { path, temporary, aside, found: *self.found.get(number)? })
    }
}

/// One directory on its way from its temporary name to its own.
#[derive(Debug)]
struct Step<'a> {
    path: &'a Path,
    temporary: &'a Path,
    aside: PathBuf,
    found: Found,
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
                durable::rename(self.temporary, self.path, Rename::Exchange)?;
                durable::rename(self.temporary, &self.aside, Rename::New)?;
            }
        }
        Ok(())
    }

    /// Back to the temporary name, which the journal removes.
    fn take_back(&self) -> Result<(), Failure> {
        durable::rename(self.path, self.temporary, Rename::New)?;
        match self.found {
            Found::Nothing => {}
            Found::Empty => fs::create_dir(self.path)
                .map_err(|source| RestoreError::io("create", self.path, source))?,
            Found::Content => durable::rename(&self.aside, self.path, Rename::New)?,
        }
        Ok(())
    }
}

fn look_at(directory: &Path) -> Result<Found, RestoreError> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(if entries.next().is_none() { Found::Empty } else { Found::Content }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(source) => Err(RestoreError::io("look at", directory, source)),
    }
}
