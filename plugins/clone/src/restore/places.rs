//! Where the members of the artefact lie in the directory that is being made.

use std::{collections::BTreeMap, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf};

use dbbackup_sdk::document::{path::EntryPath, restore::RestoreRequest};

use crate::{artefact::DATA_ROOT, restore::RestoreError};

/// The directory of each root.
#[derive(Debug)]
pub(super) struct Places {
    directory: PathBuf,
    roots: BTreeMap<String, PathBuf>,
}

impl Places {
    /// The places that the host names.
    pub(super) fn new(request: &RestoreRequest) -> Result<Self, RestoreError> {
        let directory = super::directory(request)?.to_owned();
        Ok(Self { directory, roots: request.places.clone() })
    }

    /// Makes the directory of every root: DDL may lead to one in which no member lies, and of a file
    /// that is made there the first thing to come may be a page.
    pub(super) fn create(&self) -> Result<(), RestoreError> {
        self.roots.values().try_for_each(|directory| {
            fs::create_dir_all(directory)
                .map_err(|source| RestoreError::io("create", directory, source))
        })
    }

    /// The data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.root(DATA_ROOT).unwrap_or_else(|| self.directory.join(DATA_ROOT))
    }

    /// Where a member lies.
    pub(super) fn path(&self, member: &EntryPath) -> Result<PathBuf, RestoreError> {
        if !member.is_safe() {
            return Err(RestoreError::UnsafeName { name: member.clone() });
        }
        let (root, rest) = self.split(member)?;
        Ok(root.join(OsStr::from_bytes(rest)))
    }

    /// The directory of a member's root: on one file system with the member.
    pub(super) fn root_of(&self, member: &EntryPath) -> Result<PathBuf, RestoreError> {
        Ok(self.split(member)?.0)
    }

    fn root(&self, name: &str) -> Option<PathBuf> {
        self.roots.get(name).cloned()
    }

    /// The longest root that the member lies below, and the rest of its name. A server would not find
    /// a file that lies below no root: it is told of the roots alone.
    fn split<'m>(&self, member: &'m EntryPath) -> Result<(PathBuf, &'m [u8]), RestoreError> {
        let bytes = member.as_bytes();
        let below = |root: &String| bytes.strip_prefix(root.as_bytes())?.strip_prefix(b"/");
        let fitting = self.roots.iter().filter_map(|(root, path)| Some((path, below(root)?)));
        match fitting.min_by_key(|(_, rest)| rest.len()) {
            Some((path, rest)) => Ok((path.clone(), rest)),
            // A host that names no places leaves every member under its own name.
            None if self.roots.is_empty() => Ok((self.directory.clone(), bytes)),
            None => Err(RestoreError::NoPlace { name: member.clone() }),
        }
    }
}
