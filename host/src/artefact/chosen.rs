//! Some members of an archive, each read where it lies: no more of the archive than holds them.
use super::{ArtefactError, Member, of_archive};
use crate::pipeline::read::{Members, RangedRead, ReadSpec};
use dbbackup_plugin_api::document::manifest::FileRecord;
use std::{collections::VecDeque, fs::File, path::Path, sync::Arc};

/// Chosen members, in the order of the archive.
pub(crate) struct ChosenMembers {
    spec: ReadSpec,
    bytes: Arc<dyn RangedRead>,
    left: VecDeque<FileRecord>,
    current: Option<Members>,
}

impl ChosenMembers {
    /// Members with these records, each of which says where it lies.
    pub(super) fn new(
        spec: ReadSpec,
        bytes: Arc<dyn RangedRead>,
        records: VecDeque<FileRecord>,
    ) -> Self {
        Self { spec, bytes, left: records, current: None }
    }

    pub(super) fn next_member(&mut self) -> Result<Option<Member>, ArtefactError> {
        let Some(record) = self.left.pop_front() else { return Ok(None) };
        // One reader at a time: two would fetch each other's ranges anew.
        self.current = None;
        let mut alone = self.spec.member_alone(Arc::clone(&self.bytes), &record)?;
        let wrong = |what| ArtefactError::Member { path: record.path.to_string().into(), what };
        let member = of_archive(&mut alone)?.ok_or_else(|| wrong("is missing".to_owned()))?;
        // A member of another name has no record, and nothing else of it would be compared.
        if member.path != record.path {
            return Err(wrong(format!("the member {} lies in its place", member.path)));
        }
        self.current = Some(alone);
        Ok(Some(member))
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArtefactError> {
        match &mut self.current {
            Some(members) => Ok(members.read(buffer)?),
            None => Ok(0),
        }
    }

    pub(super) fn copy_to_file(&mut self, file: &File, path: &Path) -> Result<u64, ArtefactError> {
        match &mut self.current {
            Some(members) => Ok(members.copy_to_file(file, path)?),
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests;
