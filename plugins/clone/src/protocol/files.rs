//! The files of a donor: what they are called, where they go in the artefact, and what DDL does to them.

use std::collections::{BTreeMap, BTreeSet};

use dbbackup_sdk::plugin_api::document::path::EntryPath;

use crate::{
    artefact::{Change, ChangeKind, ClonedFile, DATA_ROOT, RedoFile, Stage},
    error::CloneError,
    rpc::{FileMeta, State},
};

/// Space id of the list of the buffer pool's pages, which is no tablespace.
pub(crate) const NO_TABLESPACE: u32 = u32::MAX;

/// Every file that the donor has named.
#[derive(Debug, Default)]
pub(crate) struct FileTable {
    /// Encrypted tablespaces are taken as they are.
    pub(crate) keeps_encrypted: bool,
    files: BTreeMap<u32, ClonedFile>,
    /// Those of the system tablespace.
    system: BTreeSet<u32>,
    /// Names that DDL has given since, by index; nothing for a dropped file.
    now: BTreeMap<u32, Option<EntryPath>>,
    changes: Vec<Change>,
    redo: BTreeMap<u32, u64>,
    /// Directories outside of the data directory, in the order in which they came.
    external: Vec<Vec<u8>>,
}

/// Where a file goes in the artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `data` or `external/<n>`.
    pub(crate) root: String,
    /// Below it.
    pub(crate) path: EntryPath,
}

impl Place {
    fn member(&self) -> EntryPath {
        let mut bytes = self.root.clone().into_bytes();
        bytes.push(b'/');
        bytes.extend_from_slice(self.path.as_bytes());
        EntryPath::from_bytes(bytes)
    }
}

/// Id of the system tablespace.
const SYSTEM_SPACE: u32 = 0;

impl FileTable {
    /// Takes over what the donor says of a file while our stage is `current`. Redo files have no name;
    /// any connection may name them, and say that a file was dropped while it was copying it.
    ///
    /// # Errors
    /// It makes no sense, its name leads out of the artefact, or it is encrypted.
    pub(crate) fn notice(&mut self, meta: &FileMeta, current: State) -> Result<(), CloneError> {
        if meta.name.is_none() {
            // Switched on since the beginning: headers and descriptions of redo files would bring
            // the log's key in clear.
            if meta.flags.is_encrypted() {
                return Err(CloneError::EncryptedLogs { setting: "innodb_redo_log_encrypt" });
            }
            let size = self.redo.entry(meta.index).or_default();
            *size = meta.size_bytes.max(*size);
            return Ok(());
        }
        if meta.flags.is_encrypted() && !self.keeps_encrypted {
            return Err(CloneError::Encrypted { what: shown(meta) });
        }
        let stage = match meta.state {
            State::FileCopy => Stage::FileCopy,
            State::PageCopy => Stage::PageCopy,
            State::RedoCopy => Stage::RedoCopy,
            _ => return Err(CloneError::order("a file", "a descriptor of this stage")),
        };
        let is_known = self.files.contains_key(&meta.index);
        if meta.state == current && current == State::FileCopy {
            return if is_known { self.same_stage(meta) } else { self.add(meta) };
        }
        self.change(meta, stage)
    }

    /// A file that is going to be copied.
    fn add(&mut self, meta: &FileMeta) -> Result<(), CloneError> {
        let mut file = self.described(meta)?;
        file.deleted = meta.flags.is_deleted();
        if !file.deleted {
            self.place(&file.name)?;
        }
        self.now.insert(meta.index, (!file.deleted).then(|| file.name.clone()));
        self.insert(file);
        Ok(())
    }

    /// Said again after a cut, or dropped while it is copied.
    fn same_stage(&mut self, meta: &FileMeta) -> Result<(), CloneError> {
        if meta.flags.is_deleted() {
            if let Some(file) = self.files.get_mut(&meta.index) {
                file.deleted = true;
            }
            self.now.insert(meta.index, None);
            return Ok(());
        }
        if meta.flags.is_renamed() {
            return self.change(meta, Stage::PageCopy);
        }
        Ok(())
    }

    /// What DDL did since the file copy began; said twice after a cut, it counts once.
    fn change(&mut self, meta: &FileMeta, stage: Stage) -> Result<(), CloneError> {
        let from = self.now.get(&meta.index).cloned();
        let to = if meta.flags.is_deleted() { None } else { meta.name.clone() };
        let kind = match (&from, &to) {
            (None, _) => ChangeKind::Create,
            (Some(_), None) => ChangeKind::Delete,
            (Some(_), Some(_)) if meta.flags.is_renamed() => ChangeKind::Rename,
            (Some(_), Some(_)) => ChangeKind::Attributes,
        };
        if meta.flags.is_encrypted()
            && to.is_some()
            && matches!(kind, ChangeKind::Create | ChangeKind::Attributes)
            && let Some(name) = &meta.name
        {
            // Its key would come in clear, and nothing of the file copy is there to take its place.
            return Err(CloneError::EncryptedMeanwhile { name: name.clone() });
        }
        if !self.files.contains_key(&meta.index) {
            let mut file = self.described(meta)?;
            (file.size_bytes, file.created, file.deleted) = (0, true, to.is_none());
            self.insert(file);
        }
        if kind == ChangeKind::Rename
            && let Some(file) = self.files.get_mut(&meta.index)
        {
            file.final_size_bytes = file.final_size_bytes.max(meta.size_bytes);
        }
        self.now.insert(meta.index, to.clone());
        let is_new = match kind {
            ChangeKind::Create => to.is_some(),
            ChangeKind::Delete | ChangeKind::Rename => from.as_ref() != Some(&to),
            ChangeKind::Attributes => true,
        };
        if !is_new {
            return Ok(());
        }
        let member = match &to {
            Some(name) => Some(self.place(name)?.member()),
            None => None,
        };
        self.changes.push(Change {
            kind,
            index: meta.index,
            stage,
            space_id: meta.space_id,
            from: from.flatten(),
            to,
            member,
            size_bytes: meta.size_bytes,
            fsp_flags: meta.fsp_flags,
            flags: meta.flags.attributes(),
        });
        Ok(())
    }

    fn insert(&mut self, file: ClonedFile) {
        if file.space_id == SYSTEM_SPACE {
            self.system.insert(file.index);
        }
        self.files.insert(file.index, file);
    }

    fn described(&self, meta: &FileMeta) -> Result<ClonedFile, CloneError> {
        let name = meta.name.clone().ok_or_else(|| CloneError::order("no name", "a file"))?;
        Ok(ClonedFile {
            index: meta.index,
            space_id: meta.space_id,
            name,
            member: None,
            size_bytes: meta.size_bytes,
            final_size_bytes: meta.size_bytes,
            fsp_flags: meta.fsp_flags,
            flags: meta.flags.attributes(),
            fs_block_bytes: meta.fs_block_bytes,
            deleted: false,
            created: false,
        })
    }

    /// Where a file of this name goes; outside of the data directory, each directory is a root.
    pub(crate) fn place(&mut self, name: &EntryPath) -> Result<Place, CloneError> {
        let unsafe_name = || CloneError::UnsafeName { name: name.clone() };
        let bytes = name.as_bytes();
        let place = match bytes.strip_prefix(b"/") {
            None => {
                let path = bytes.strip_prefix(b"./").unwrap_or(bytes);
                Place { root: DATA_ROOT.to_owned(), path: EntryPath::from_bytes(path) }
            }
            Some(_) => {
                let slash = bytes.iter().rposition(|byte| *byte == b'/').ok_or_else(unsafe_name)?;
                let (directory, file) = bytes.split_at(slash);
                let file = file.get(1..).unwrap_or_default();
                let known = self.external.iter().position(|other| other == directory);
                let number = known.unwrap_or(self.external.len());
                if known.is_none() {
                    self.external.push(directory.to_vec());
                }
                let root = format!("external/{}", number + 1);
                Place { root, path: EntryPath::from_bytes(file) }
            }
        };
        if place.path.is_safe() { Ok(place) } else { Err(unsafe_name()) }
    }

    /// A file by its number.
    pub(crate) fn get(&self, index: u32) -> Option<&ClonedFile> {
        self.files.get(&index)
    }

    /// All files.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClonedFile> {
        self.files.values()
    }

    /// Number of files.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Remembers where a file went.
    pub(crate) fn stored(&mut self, index: u32, place: &Place) {
        if let Some(file) = self.files.get_mut(&index) {
            file.member = Some(place.member());
        }
    }

    /// The tablespace of a file has this size now. The system tablespace may consist of several
    /// files, of which the last alone grows: a server does not start if another one did.
    pub(crate) fn grown(&mut self, index: u32, size_bytes: u64) {
        let (index, size_bytes) = match self.system.last() {
            Some(last) if self.system.contains(&index) => {
                (*last, size_bytes.saturating_sub(self.system_bytes_before(*last)))
            }
            _ => (index, size_bytes),
        };
        if let Some(file) = self.files.get_mut(&index) {
            file.final_size_bytes = file.final_size_bytes.max(size_bytes);
        }
    }

    /// Bytes of the system tablespace in front of its last file.
    fn system_bytes_before(&self, last: u32) -> u64 {
        let others = self.system.range(..last).filter_map(|index| self.files.get(index));
        others.map(|file| file.size_bytes).sum()
    }

    /// Whether a file is still there on the donor, as far as it has told.
    pub(crate) fn exists(&self, index: u32) -> bool {
        self.now.get(&index).is_some_and(Option::is_some)
    }

    /// Whether the donor has named a redo file of this number.
    pub(crate) fn has_redo(&self, index: u32) -> bool {
        self.redo.contains_key(&index)
    }

    /// The roots outside of the data directory, with their original paths.
    pub(crate) fn external_roots(&self) -> BTreeMap<String, String> {
        let numbered = self.external.iter().enumerate();
        numbered
            .map(|(number, directory)| {
                let path = String::from_utf8_lossy(directory).into_owned();
                (format!("external/{}", number + 1), path)
            })
            .collect()
    }

    /// The parts of `clone.json`.
    pub(crate) fn into_parts(self) -> (Vec<ClonedFile>, Vec<Change>, Vec<RedoFile>) {
        let redo = self.redo.into_iter().map(|(index, size_bytes)| RedoFile { index, size_bytes });
        (self.files.into_values().collect(), self.changes, redo.collect())
    }
}

/// A file in errors.
fn shown(meta: &FileMeta) -> String {
    meta.name.as_ref().map_or_else(|| format!("file {}", meta.index), ToString::to_string)
}

#[cfg(test)]
pub(crate) mod tests;
