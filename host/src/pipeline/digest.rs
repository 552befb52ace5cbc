//! The stage that sees every byte in order: content hashes, page checks, records and seek positions.
use super::{
    block::{Block, MemberStart, Part},
    pages::{FileHint, PageChecker},
    progress::Progress,
    records::{FinishedMember, RecordKeeper},
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, PageCheck},
    manifest::{FileRecord, SeekRecord},
};
use sha2::{Digest, Sha256};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};

/// Zeros to hash for holes.
pub(super) static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Follows the blocks of an archive.
pub(super) struct DigestStage {
    records: Arc<RecordKeeper>,
    progress: Arc<Progress>,
    open: Option<OpenMember>,
    /// Offset in the output, before encryption, of the next block.
    offset: u64,
}

/// The member whose content is passing.
struct OpenMember {
    record: FileRecord,
    digest: ContentDigest,
}

impl DigestStage {
    pub(super) fn new(records: Arc<RecordKeeper>, progress: Arc<Progress>) -> Self {
        Self { records, progress, open: None, offset: 0 }
    }

    /// Takes in a block that becomes `packed_bytes` of output.
    pub(super) fn take(&mut self, block: &mut Block, packed_bytes: u64) {
        let parts = block.take_parts();
        let mut rest = block.bytes();
        let mut position: u64 = 0;
        for part in parts {
            let (bytes, behind) = rest.split_at_checked(part.len()).unwrap_or((rest, &[]));
            rest = behind;
            self.part(part, bytes, position);
            position += bytes.len() as u64;
        }
        self.offset += packed_bytes;
    }

    fn part(&mut self, part: Part, bytes: &[u8], position: u64) {
        match part {
            Part::Begin(start) => self.begin(*start, position),
            Part::Content(_) | Part::File(_) => {
                if let Some(open) = &mut self.open {
                    open.digest.update(bytes);
                    self.progress.add_content(bytes.len() as u64);
                }
            }
            Part::Hole(len) => {
                if let Some(open) = &mut self.open {
                    open.digest.hole(len);
                    self.progress.add_content(len);
                }
            }
            Part::End => {
                if let Some(open) = self.open.take() {
                    let member = open.digest.finish(open.record);
                    self.progress.add_member(member.bad_pages());
                    self.records.add(member);
                }
            }
            // Whoever waits may have given up; there is no one left to tell.
            Part::Barrier(reached) => drop(reached.try_send(())),
            Part::Framing(_) => {}
        }
    }

    fn begin(&mut self, start: MemberStart, position: u64) {
        let seek = SeekRecord { block_offset: self.offset, offset_in_block: position };
        let digest = ContentDigest::new(&start);
        let record = FileRecord { seek: Some(seek), ..start.record };
        self.open = Some(OpenMember { record, digest });
    }
}

/// Hash and page check of one member's content.
pub(super) struct ContentDigest {
    sha256: Sha256,
    size_bytes: u64,
    pages: Option<PageChecker>,
}

impl ContentDigest {
    pub(super) fn new(start: &MemberStart) -> Self {
        let wants_pages = start.pages != PageCheck::None && start.record.kind == EntryKind::File;
        let pages = wants_pages.then(|| {
            let path = OsStr::from_bytes(start.record.path.as_bytes());
            PageChecker::new(start.pages, FileHint::new(path))
        });
        Self { sha256: Sha256::new(), size_bytes: 0, pages }
    }

    /// The next bytes of the content.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(pages) = &mut self.pages {
            pages.push(bytes);
        }
        self.size_bytes += bytes.len() as u64;
    }

    /// The next `len` bytes of the content are zeros.
    pub(super) fn hole(&mut self, len: u64) {
        let mut left = len;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
            self.update(ZEROS.get(..now).unwrap_or_default());
            left -= now as u64;
        }
    }

    /// Writes what was found into the record.
    pub(super) fn finish(self, mut record: FileRecord) -> FinishedMember {
        if record.kind != EntryKind::Directory {
            record.size_bytes = self.size_bytes;
            record.sha256 = hex(&self.sha256.finalize());
        }
        FinishedMember { record, report: self.pages.map(PageChecker::finish) }
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
        text
    })
}
