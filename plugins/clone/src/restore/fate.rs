//! What becomes of every data file: where its bytes lie while records are applied, what it is called
//! in the end, and how long it is then.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
};

use dbbackup_sdk::document::{manifest::Manifest, path::EntryPath};

use crate::{
    artefact::{Change, ChangeKind, CloneDocument},
    restore::{RestoreError, places::Places},
};

/// Pages of a new tablespace, and of a new undo tablespace, before anything is in it.
const NEW_PAGES: u64 = 7;
const NEW_UNDO_PAGES: u64 = 1024;
/// Ids of undo tablespaces: 400,000 for each of 127, below those of redo log and data dictionary.
const UNDO_SPACES: std::ops::Range<u32> = 0xFFFF_FFF0 - 127 * 400_000..0xFFFF_FFF0;

/// One data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) space_id: u32,
    pub(super) fsp_flags: u32,
    /// Where its bytes are until the end; none if there never were any.
    pub(super) working: Option<PathBuf>,
    /// Its last place; none if it was dropped.
    pub(super) end: Option<PathBuf>,
    /// Its size in the end, at least.
    pub(super) size_bytes: u64,
    /// It was made during the clone: nothing of it was copied as a file.
    pub(super) is_new: bool,
}

/// All data files by the donor's index.
#[derive(Debug)]
pub(super) struct Fates(BTreeMap<u32, Fate>);

impl Fates {
    /// Follows the changes in the donor's order.
    pub(super) fn of(
        document: &CloneDocument,
        manifest: &Manifest,
        places: &Places,
    ) -> Result<Self, RestoreError> {
        let members: HashSet<&EntryPath> = manifest.files.iter().map(|file| &file.path).collect();
        let mut fates = BTreeMap::new();
        for file in &document.files {
            let working = match &file.member {
                Some(member) if members.contains(member) => Some(places.path(member)?),
                _ => None,
            };
            let fate = Fate {
                space_id: file.space_id,
                fsp_flags: file.fsp_flags,
                end: working.clone().filter(|_| !file.deleted),
                working,
                size_bytes: file.size_bytes.max(file.final_size_bytes),
                is_new: false,
            };
            fates.insert(file.index, fate);
        }
        let mut fates = Self(fates);
        for change in &document.changes {
            fates.follow(change, document, places)?;
        }
        Ok(fates)
    }

    /// The file of an index.
    pub(super) fn get(&self, index: u32) -> Option<&Fate> {
        self.0.get(&index)
    }

    /// All files.
    pub(super) fn all(&self) -> impl Iterator<Item = &Fate> {
        self.0.values()
    }

    fn follow(
        &mut self,
        change: &Change,
        document: &CloneDocument,
        places: &Places,
    ) -> Result<(), RestoreError> {
        let index = change.index;
        let end = change.member.as_ref().map(|member| places.path(member)).transpose()?;
        let known = self.0.get_mut(&index);
        match (change.kind, known) {
            (ChangeKind::Create, Some(fate)) if fate.working.is_some() => {
                let what = "as new, and holds a copy of it";
                return Err(RestoreError::Inconsistent { index, what });
            }
            (ChangeKind::Create, _) => {
                let member = change.member.as_ref();
                let member = member.ok_or(RestoreError::Inconsistent { index, what: NAMELESS })?;
                let working = places.root_of(member)?.join(format!(".dbbackup-{index}"));
                let size_bytes = change.size_bytes.max(least_bytes(change, document));
                let fate = Fate {
                    space_id: change.space_id,
                    fsp_flags: change.fsp_flags,
                    working: Some(working),
                    end,
                    size_bytes,
                    is_new: true,
                };
                self.0.insert(index, fate);
            }
            (ChangeKind::Delete, Some(fate)) => fate.end = None,
            // Dropped before anything of it was seen.
            (ChangeKind::Delete, None) => {}
            (ChangeKind::Rename, Some(fate)) => {
                fate.end = Some(end.ok_or(RestoreError::Inconsistent { index, what: NAMELESS })?);
                fate.size_bytes = fate.size_bytes.max(change.size_bytes);
            }
            (ChangeKind::Attributes, Some(fate)) => {
                fate.fsp_flags = change.fsp_flags;
                fate.size_bytes = fate.size_bytes.max(change.size_bytes);
            }
            (ChangeKind::Rename | ChangeKind::Attributes, None) => {
                let what = "as changed, and does not know it";
                return Err(RestoreError::Inconsistent { index, what });
            }
        }
        Ok(())
    }
}

/// What is wrong with a new or renamed file without a name.
const NAMELESS: &str = "without a name";

/// Size of a file that has just been made.
fn least_bytes(change: &Change, document: &CloneDocument) -> u64 {
    let pages = if UNDO_SPACES.contains(&change.space_id) { NEW_UNDO_PAGES } else { NEW_PAGES };
    let page_bytes = crate::page::physical_bytes(change.fsp_flags, document.page_size_bytes);
    pages * u64::from(page_bytes)
}

/// True for the system tablespace, whose files have exactly the sizes that the settings state.
pub(super) fn is_system(fate: &Fate) -> bool {
    fate.space_id == 0
}

/// True for a file that is no tablespace: the list of the buffer pool's pages.
pub(super) fn is_plain(fate: &Fate) -> bool {
    fate.space_id == u32::MAX
}
