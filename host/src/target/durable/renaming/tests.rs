//! Where the file system knows no flags, a rename still refuses, swaps and takes back.
use super::{Calls, Rename, rename_by};
use crate::{supervisor::host_record::HostRecord, target::error::TargetError};
use rustix::{
    fs::{AtFlags, CWD, RenameFlags},
    io::Errno,
};
use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

/// A file system that answers flags, and maybe links and one of the plain renames, with an error.
struct Poor {
    flags: Errno,
    link: Option<Errno>,
    /// Which plain renames fail, the first one being 0.
    failing: &'static [u32],
    renamed: Cell<u32>,
}

impl Calls for Poor {
    fn rename(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        if !flags.is_empty() {
            return Err(self.flags);
        }
        let number = self.renamed.replace(self.renamed.get() + 1);
        if self.failing.contains(&number) {
            return Err(Errno::IO);
        }
        rustix::fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        match self.link {
            Some(errno) => Err(errno),
            None => rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()),
        }
    }
}

fn no_flags() -> Poor {
    Poor { flags: Errno::INVAL, link: None, failing: &[], renamed: Cell::new(0) }
}

const UNSUPPORTED: [Errno; 3] = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];

/// A directory with two names in it that may be used.
fn scratch() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let (from, to) = (scratch.path().join("dump.partial"), scratch.path().join("dump"));
    (scratch, from, to)
}

fn file(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
}

fn tree(path: &Path, content: &str) {
    fs::create_dir(path).unwrap();
    file(&path.join("file"), content);
}

/// Names and contents, of files and of the file in each directory.
fn there(directory: &Path) -> Vec<(String, String)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mut path = entry.path();
            if path.is_dir() {
                path.push("file");
            }
            let content = fs::read_to_string(path).unwrap_or_else(|_| "nothing".to_owned());
            (entry.file_name().into_string().unwrap(), content)
        })
        .collect();
    found.sort();
    found
}

fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

#[test]
fn a_file_gets_a_new_name_with_links_and_without() {
    let links = [None, Some(Errno::PERM), Some(Errno::OPNOTSUPP), Some(Errno::MLINK)];
    for (flags, link) in UNSUPPORTED.into_iter().flat_map(|f| links.map(|link| (f, link))) {
        let (scratch, from, to) = scratch();
        file(&from, "new");
        let poor = Poor { flags, link, ..no_flags() };
        rename_by(&poor, &from, &to, Rename::New).unwrap();
        assert_eq!(there(scratch.path()), named(&[("dump", "new")]), "{flags} {link:?}");
    }
}

#[test]
fn a_file_does_not_replace_one_and_both_stay() {
    for link in [None, Some(Errno::PERM), Some(Errno::OPNOTSUPP), Some(Errno::MLINK)] {
        let (scratch, from, to) = scratch();
        file(&from, "new");
        file(&to, "old");
        let poor = Poor { link, ..no_flags() };
        let refused = rename_by(&poor, &from, &to, Rename::New).unwrap_err();
        assert!(matches!(&refused, TargetError::Exists { path } if *path == to), "{refused}");
        let both = named(&[("dump", "old"), ("dump.partial", "new")]);
        assert_eq!(there(scratch.path()), both, "{link:?}");
    }
}

#[test]
fn a_directory_gets_a_new_name_and_replaces_nothing_not_even_an_empty_one() {
    let (scratch, from, to) = scratch();
    tree(&from, "new");
    fs::create_dir(&to).unwrap();
    let refused = rename_by(&no_flags(), &from, &to, Rename::New).unwrap_err();
    assert!(matches!(&refused, TargetError::Exists { path } if *path == to), "{refused}");
    let both = named(&[("dump", "nothing"), ("dump.partial", "new")]);
    assert_eq!(there(scratch.path()), both);
    fs::remove_dir(&to).unwrap();
    rename_by(&no_flags(), &from, &to, Rename::New).unwrap();
    assert_eq!(there(scratch.path()), named(&[("dump", "new")]));
}

#[test]
fn a_directory_that_cannot_be_renamed_leaves_nothing_under_the_new_name() {
    let (scratch, from, to) = scratch();
    tree(&from, "new");
    let poor = Poor { failing: &[0], ..no_flags() };
    rename_by(&poor, &from, &to, Rename::New).unwrap_err();
    assert_eq!(there(scratch.path()), named(&[("dump.partial", "new")]));
}

#[test]
fn files_and_directories_are_swapped() {
    for (make, flags) in [file as fn(&Path, &str), tree]
        .into_iter()
        .flat_map(|make| UNSUPPORTED.map(|flags| (make, flags)))
    {
        let (scratch, from, to) = scratch();
        make(&from, "new");
        make(&to, "old");
        let poor = Poor { flags, ..no_flags() };
        rename_by(&poor, &from, &to, Rename::Exchange).unwrap();
        let swapped = named(&[("dump", "new"), ("dump.partial", "old")]);
        assert_eq!(there(scratch.path()), swapped, "{flags}");
    }
}

#[test]
fn a_swap_that_cannot_go_on_is_taken_back() {
    for failing in [&[0_u32], &[1], &[2]] {
        let (scratch, from, to) = scratch();
        tree(&from, "new");
        tree(&to, "old");
        let poor = Poor { failing, ..no_flags() };
        rename_by(&poor, &from, &to, Rename::Exchange).unwrap_err();
        let before = named(&[("dump", "old"), ("dump.partial", "new")]);
        assert_eq!(there(scratch.path()), before, "{failing:?}");
    }
    let (scratch, from, to) = scratch();
    file(&to, "old");
    rename_by(&no_flags(), &from, &to, Rename::Exchange).unwrap_err();
    assert_eq!(there(scratch.path()), named(&[("dump", "old")]));
}

#[test]
fn what_cannot_be_taken_back_is_told_and_survives_the_journal_and_the_next_swap() {
    let (scratch, from, to) = scratch();
    tree(&from, "new");
    tree(&to, "old");
    let poor = Poor { failing: &[1, 2], ..no_flags() };
    let error = rename_by(&poor, &from, &to, Rename::Exchange).unwrap_err();
    assert!(error.to_string().contains("dump.old-1"), "{error}");
    let aside = named(&[("dump.old-1", "old"), ("dump.partial", "new")]);
    assert_eq!(there(scratch.path()), aside);
    // As after a crash there.
    HostRecord::DirectoryOutput { directory: to.clone() }.undo().unwrap();
    assert_eq!(there(scratch.path()), named(&[("dump.old-1", "old")]));
    tree(&from, "new");
    tree(&to, "newer");
    rename_by(&no_flags(), &from, &to, Rename::Exchange).unwrap();
    let swapped = named(&[("dump", "new"), ("dump.old-1", "old"), ("dump.partial", "newer")]);
    assert_eq!(there(scratch.path()), swapped);
}

#[test]
fn other_errors_are_answered_as_they_are() {
    for how in [Rename::New, Rename::Exchange] {
        let (scratch, from, to) = scratch();
        file(&from, "new");
        let poor = Poor { flags: Errno::ACCESS, ..no_flags() };
        let error = rename_by(&poor, &from, &to, how).unwrap_err();
        let TargetError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.raw_os_error(), Some(Errno::ACCESS.raw_os_error()));
        assert_eq!(there(scratch.path()), named(&[("dump.partial", "new")]));
    }
}
