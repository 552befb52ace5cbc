//! Extraction of files: safe names, contents checked against their records, owner, mode, time.
//!
//! The directory is fresh and this user's own, and nothing but directories and plain files is ever
//! created in it, so that no name can lead through a link to somewhere else.
use super::{error::RestoreError, is_ours, layout::Layout, select::Selection};
use crate::{
    artefact::{ArtefactMembers, Member},
    exit::Failure,
    supervisor::{Observer, RunEvent, event::FlowEvent},
    target::{INNER_MANIFEST, durable::create_new},
};
use dbbackup_plugin_api::document::{entry::EntryKind, path::EntryPath};
use rustix::{fs::syncfs, process::geteuid};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, FileTimes, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Permission bits that are restored: never set-user-id and the like.
const PERMISSIONS: u32 = 0o777;
/// Members of the host's own, which nobody needs in a restored directory.
const HOST_MEMBERS: [&str; 2] = [INNER_MANIFEST, ".dbbackup/RESTORE.txt"];
/// Bytes between two reports of progress.
const REPORT_BYTES: u64 = 64 << 20;

/// What was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extracted {
    /// Files written.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// Extracts the wanted files of an artefact into empty directories; what its engine keeps for itself is
/// not counted. Nothing is durable before [`make_durable`].
pub(crate) fn extract(
    members: &mut ArtefactMembers,
    layout: &Layout,
    selection: &Selection,
    observer: &dyn Observer,
) -> Result<Extracted, Failure> {
    let mut extraction = Extraction {
        layout,
        directories: BTreeMap::new(),
        done: Extracted::default(),
        reported_bytes: 0,
        is_root: geteuid().is_root(),
    };
    while let Some(member) = members.next_member()? {
        if !is_wanted(&member.path, selection) {
            continue;
        }
        match member.kind {
            EntryKind::Directory => extraction.directory(&member)?,
            EntryKind::File => extraction.file(&member, members, observer)?,
            EntryKind::Stream => {}
        }
    }
    if let Some(patterns) = selection.patterns().filter(|_| extraction.done.files == 0) {
        return Err(RestoreError::NothingFits { patterns: patterns.to_owned() }.into());
    }
    extraction.finish()
}

/// True for members that belong into the restored directory, or that the engine needs there.
pub(crate) fn is_wanted(path: &EntryPath, selection: &Selection) -> bool {
    let is_hosts = HOST_MEMBERS.iter().any(|name| name.as_bytes() == path.as_bytes());
    !is_hosts && (is_ours(path.as_bytes()) || selection.takes(path))
}

struct Extraction<'a> {
    layout: &'a Layout,
    /// Directories of the artefact with what they get at the end: files could not be created in a
    /// directory that is not writable.
    directories: BTreeMap<PathBuf, Member>,
    done: Extracted,
    reported_bytes: u64,
    is_root: bool,
}

impl Extraction<'_> {
    fn place(&self, member: &Member) -> Result<PathBuf, RestoreError> {
        self.layout
            .path(&member.path)
            .ok_or_else(|| RestoreError::UnsafeName { member: member.path.clone() })
    }

    fn directory(&mut self, member: &Member) -> Result<(), RestoreError> {
        let path = self.place(member)?;
        create_directories(&path)?;
        self.directories.insert(path, member.clone());
        Ok(())
    }

    fn file(
        &mut self,
        member: &Member,
        members: &mut ArtefactMembers,
        observer: &dyn Observer,
    ) -> Result<(), Failure> {
        let path = self.place(member)?;
        if let Some(parent) = path.parent() {
            create_directories(parent)?;
        }
        let file = create_new(&path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => RestoreError::Twice { member: member.path.clone() },
            _ => RestoreError::io("create", &path, source),
        })?;
        let bytes = members.copy_to_file(&file, &path)?;
        self.dress(&file, &path, member)?;
        if is_ours(member.path.as_bytes()) {
            return Ok(());
        }
        self.done.files += 1;
        self.done.bytes += bytes;
        if self.done.bytes - self.reported_bytes >= REPORT_BYTES {
            self.reported_bytes = self.done.bytes;
            let bytes = self.done.bytes;
            let flow = FlowEvent { bytes_in: bytes, bytes_out: bytes, ..FlowEvent::default() };
            observer.event(&RunEvent::Flow(flow));
        }
        Ok(())
    }

    /// Owner, mode and time, in this order: a change of the owner clears bits of the mode.
    fn dress(&self, file: &File, path: &Path, member: &Member) -> Result<(), RestoreError> {
        if self.is_root && (member.uid.is_some() || member.gid.is_some()) {
            fchown(file, member.uid, member.gid)
                .map_err(|source| RestoreError::io("change the owner of", path, source))?;
        }
        if let Some(mode) = member.mode {
            file.set_permissions(Permissions::from_mode(mode & PERMISSIONS))
                .map_err(|source| RestoreError::io("change the mode of", path, source))?;
        }
        if let Some(seconds) = member.modified_unix {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_times(FileTimes::new().set_modified(time))
                .map_err(|source| RestoreError::io("change the time of", path, source))?;
        }
        Ok(())
    }

    /// Dresses the directories, deepest first.
    fn finish(self) -> Result<Extracted, Failure> {
        for (path, member) in self.directories.iter().rev() {
            let open = File::open(path).map_err(|e| RestoreError::io("open", path, e))?;
            self.dress(&open, path, member)?;
        }
        Ok(self.done)
    }
}

/// Makes everything in the directories durable.
pub(super) fn make_durable(trees: &[PathBuf]) -> Result<(), RestoreError> {
    for tree in trees {
        let root = File::open(tree).map_err(|e| RestoreError::io("open", tree, e))?;
        syncfs(&root).map_err(|errno| RestoreError::io("sync", tree, errno.into()))?;
    }
    Ok(())
}

fn create_directories(path: &Path) -> Result<(), RestoreError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(path)
        .map_err(|source| RestoreError::io("create", path, source))
}

/// Gives a fresh directory owner and mode of the one whose place it takes.
pub(crate) fn dress_like(fresh: &Path, old: &Path) -> Result<(), RestoreError> {
    use std::os::unix::fs::MetadataExt;
    let failed = |source| RestoreError::io("look at", old, source);
    let facts = fs::metadata(old).map_err(failed)?;
    let open = File::open(fresh).map_err(|e| RestoreError::io("open", fresh, e))?;
    if geteuid().is_root() {
        fchown(&open, Some(facts.uid()), Some(facts.gid()))
            .map_err(|source| RestoreError::io("change the owner of", fresh, source))?;
    }
    open.set_permissions(Permissions::from_mode(facts.mode() & PERMISSIONS))
        .map_err(|source| RestoreError::io("change the mode of", fresh, source))
}

#[cfg(test)]
mod tests;
