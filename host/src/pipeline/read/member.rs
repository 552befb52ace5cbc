//! Members of an artefact in their order, each checked against its record while it is read.
use super::{
    ReadError,
    content::ContentReader,
    error::Damage,
    header::{MemberHeader, ParsedHeader, next_header},
};
use crate::pipeline::{Container, digest::ZEROS, digest::hex, header::padding, sparse::DataRange};
use dbbackup_plugin_api::document::{manifest::FileRecord, path::EntryPath};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

/// Bytes of empty records that end an archive.
const ARCHIVE_END_BYTES: u64 = 1024;

/// Reads members one after the other.
pub struct Members {
    content: ContentReader,
    container: Container,
    /// Records by name, taken out as their members are met; all that are left at the end are
    /// missing.
    expected: HashMap<EntryPath, FileRecord>,
    /// Records in order, which alone say how a text is divided.
    texts: VecDeque<FileRecord>,
    current: Option<Current>,
    /// Where the last header that was looked for starts: at the end, the first empty record.
    archive_end: u64,
    ended: bool,
    /// True if nothing behind the first member belongs to it.
    alone: bool,
}

/// The member that is being read.
struct Current {
    header: MemberHeader,
    expected: Option<FileRecord>,
    sha256: Sha256,
    segments: VecDeque<Segment>,
    /// Offset in the member's own content.
    offset: u64,
    padding: u64,
}

/// A stretch of a member's content.
#[derive(Clone, Copy, Debug)]
enum Segment {
    Data(u64),
    Hole(u64),
    /// Data up to the end of the artefact: a text without records.
    Rest,
}

/// A stretch of content that is at hand.
enum Stretch<'a> {
    Data(&'a [u8]),
    Hole(u64),
}

impl Members {
    pub(super) fn new(
        content: ContentReader,
        container: Container,
        records: Option<&[FileRecord]>,
    ) -> Self {
        let records = records.unwrap_or_default();
        let expected = records.iter().map(|record| (record.path.clone(), record.clone())).collect();
        let texts = records.iter().cloned().collect();
        Self {
            content,
            container,
            expected,
            texts,
            current: None,
            archive_end: 0,
            ended: false,
            alone: false,
        }
    }

    /// The one member at which `content` stands.
    pub(super) fn one(content: ContentReader, container: Container, record: &FileRecord) -> Self {
        let mut members = Self::new(content, container, Some(std::slice::from_ref(record)));
        members.alone = true;
        members
    }

    /// Goes to the next member, over what is left of the current one; none at the end, which is
    /// then checked: every recorded member was there, and the artefact is whole.
    ///
    /// # Errors
    /// The damage that was met, in the member that was passed over or in the artefact.
    pub fn next_member(&mut self) -> Result<Option<&MemberHeader>, ReadError> {
        self.skip_current()?;
        if self.ended {
            return Ok(None);
        }
        self.current = match self.container {
            Container::Sql => self.next_text()?,
            Container::Tar | Container::Directory => self.next_archived()?,
        };
        if self.current.is_none() {
            self.check_end()?;
        }
        self.ended = self.current.is_none() || self.alone;
        Ok(self.current.as_ref().map(|current| &current.header))
    }

    /// Record of the current member, if there are records and it is among them.
    pub fn record(&self) -> Option<&FileRecord> {
        self.current.as_ref().and_then(|current| current.expected.as_ref())
    }

    /// Reads content of the current member, zeros for its holes; 0 at its end, and only after its
    /// size and sha256 were found to fit its record.
    ///
    /// # Errors
    /// [`ReadError::WrongMember`], or the damage that was met.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len() as u64;
        let read = self.stretch(most, |stretch| match stretch {
            Stretch::Data(bytes) => {
                if let Some(place) = buffer.get_mut(..bytes.len()) {
                    place.copy_from_slice(bytes);
                }
                Ok(bytes.len())
            }
            Stretch::Hole(len) => {
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                buffer.get_mut(..len).unwrap_or_default().fill(0);
                Ok(len)
            }
        })?;
        Ok(read.unwrap_or_default())
    }

    /// Writes the content of the current member into an empty file, holes as holes, and answers
    /// only after its size and sha256 were found to fit its record. Mode, owner, time and sync are
    /// the caller's.
    ///
    /// # Errors
    /// [`ReadError::WriteFile`] names `path`; else as [`read`](Members::read).
    pub fn copy_to_file(&mut self, file: &File, path: &Path) -> Result<u64, ReadError> {
        let mut offset = 0;
        let failed = |error: io::Error| ReadError::WriteFile {
            path: path.to_path_buf(),
            source: Arc::new(error),
        };
        while let Some(len) = self.stretch(u64::MAX, |stretch| match stretch {
            Stretch::Data(bytes) => {
                file.write_all_at(bytes, offset).map_err(failed)?;
                Ok(bytes.len() as u64)
            }
            Stretch::Hole(len) => Ok(len),
        })? {
            offset += len;
        }
        file.set_len(offset).map_err(failed)?;
        Ok(offset)
    }

    /// Reads what is left and checks all of it.
    ///
    /// # Errors
    /// The first damage that is met.
    pub fn finish(mut self) -> Result<(), ReadError> {
        while self.next_member()?.is_some() {}
        Ok(())
    }

    /// Reads and checks the rest of the current member.
    fn skip_current(&mut self) -> Result<(), ReadError> {
        while self.stretch(u64::MAX, |_| Ok(()))?.is_some() {}
        Ok(())
    }

    /// Gives the next stretch of the current member, of at most `most` bytes, to `take`; none at
    /// its end, where the member is checked and left.
    fn stretch<T>(
        &mut self,
        most: u64,
        take: impl FnOnce(Stretch<'_>) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        let Some(current) = &mut self.current else { return Ok(None) };
        let most = match current.segments.front() {
            None => return self.leave_member().map(|()| None),
            Some(Segment::Hole(len)) => {
                let len = most.min(*len);
                let taken = take(Stretch::Hole(len))?;
                current.pass_hole(len);
                return Ok(Some(taken));
            }
            Some(Segment::Data(len)) => most.min(*len),
            Some(Segment::Rest) => most,
        };
        let chunk = self.content.chunk()?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let bytes = chunk.get(..most).unwrap_or(chunk);
        if bytes.is_empty() {
            return self.content_ended();
        }
        let taken = take(Stretch::Data(bytes))?;
        current.pass_data(bytes);
        let len = bytes.len();
        self.content.consume(len);
        Ok(Some(taken))
    }

    fn content_ended<T>(&mut self) -> Result<Option<T>, ReadError> {
        match &mut self.current {
            Some(current) if matches!(current.segments.front(), Some(Segment::Rest)) => {
                current.header.size_bytes = current.offset;
                current.segments.clear();
                self.leave_member().map(|()| None)
            }
            _ => {
                let (name, offset) = (self.content.name().to_owned(), self.content.position());
                Err(ReadError::CutOff { name, offset })
            }
        }
    }

    fn leave_member(&mut self) -> Result<(), ReadError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        let mut padding = current.padding;
        while padding > 0 {
            let chunk = self.content.chunk()?;
            let len = chunk.len().min(usize::try_from(padding).unwrap_or(usize::MAX));
            if len == 0 {
                let (name, offset) = (self.content.name().to_owned(), self.content.position());
                return Err(ReadError::CutOff { name, offset });
            }
            self.content.consume(len);
            padding -= len as u64;
        }
        current.check(self.content.name())
    }

    fn next_archived(&mut self) -> Result<Option<Current>, ReadError> {
        self.archive_end = self.content.position();
        let Some(parsed) = next_header(&mut self.content)? else { return Ok(None) };
        let ParsedHeader { header, stored_bytes, ranges } = parsed;
        let expected = self.expected.remove(&header.path);
        let segments = segments(stored_bytes, ranges);
        let padding = padding(stored_bytes).len() as u64;
        Ok(Some(Current { header, expected, sha256: Sha256::new(), segments, offset: 0, padding }))
    }

    fn next_text(&mut self) -> Result<Option<Current>, ReadError> {
        let record = self.texts.pop_front();
        if record.is_none() && self.content.chunk()?.is_empty() {
            return Ok(None);
        }
        let (path, segment) = match &record {
            Some(record) => {
                self.expected.remove(&record.path);
                (record.path.clone(), Segment::Data(record.size_bytes))
            }
            None => (EntryPath::from("dump.sql"), Segment::Rest),
        };
        let size_bytes = record.as_ref().map_or(0, |record| record.size_bytes);
        let header = MemberHeader::stream(path, size_bytes);
        let segments = if size_bytes == 0 && record.is_some() {
            VecDeque::new()
        } else {
            VecDeque::from([segment])
        };
        let sha256 = Sha256::new();
        Ok(Some(Current { header, expected: record, sha256, segments, offset: 0, padding: 0 }))
    }

    /// Reads to the end of the content, so that the threads check the artefact's, and looks at the
    /// end of an archive.
    fn check_end(&mut self) -> Result<(), ReadError> {
        while !self.content.chunk()?.is_empty() {
            let len = self.content.chunk()?.len();
            self.content.consume(len);
        }
        let name = || self.content.name().to_owned();
        let end_bytes = self.content.position() - self.archive_end;
        let is_archive = self.container == Container::Tar;
        // A whole archive ends in empty records and nothing else.
        let is_ended = end_bytes >= ARCHIVE_END_BYTES && self.content.trailing_zeros() >= end_bytes;
        if is_archive && !is_ended {
            let offset = self.archive_end;
            return Err(ReadError::Damaged { name: name(), offset, source: Damage::ArchiveEnd });
        }
        match self.expected.keys().min() {
            None => Ok(()),
            Some(path) => Err(ReadError::MissingMember { name: name(), path: path.clone() }),
        }
    }
}

impl Current {
    fn pass_data(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.pass(bytes.len() as u64);
    }

    fn pass_hole(&mut self, len: u64) {
        // Without a record there is nothing to compare a hash with.
        let mut left = if self.expected.is_some() { len } else { 0 };
        while left > 0 {
            let now = left.min(ZEROS.len() as u64);
            let zeros = usize::try_from(now).ok().and_then(|now| ZEROS.get(..now));
            self.sha256.update(zeros.unwrap_or_default());
            left -= now;
        }
        self.pass(len);
    }

    fn pass(&mut self, len: u64) {
        self.offset += len;
        if let Some(Segment::Data(left) | Segment::Hole(left)) = self.segments.front_mut() {
            *left -= len;
            if *left == 0 {
                self.segments.pop_front();
            }
        }
    }

    /// Compares what was read with the record.
    fn check(self, name: &str) -> Result<(), ReadError> {
        let Some(expected) = self.expected else { return Ok(()) };
        let found = hex(&self.sha256.finalize());
        let fits = expected.sha256.is_empty() || expected.sha256 == found;
        if fits && expected.size_bytes == self.offset {
            return Ok(());
        }
        Err(ReadError::WrongMember {
            name: name.to_owned(),
            path: expected.path,
            expected_bytes: expected.size_bytes,
            expected: expected.sha256,
            found_bytes: self.offset,
            found,
        })
    }
}

/// The stretches of a member's content, none of them empty.
fn segments(stored_bytes: u64, ranges: Option<Vec<DataRange>>) -> VecDeque<Segment> {
    let ranges = ranges.unwrap_or_else(|| vec![DataRange { offset: 0, len: stored_bytes }]);
    let mut segments = VecDeque::with_capacity(ranges.len());
    let mut position = 0;
    for range in ranges {
        if range.offset > position {
            segments.push_back(Segment::Hole(range.offset - position));
        }
        if range.len > 0 {
            segments.push_back(Segment::Data(range.len));
        }
        position = range.offset.saturating_add(range.len);
    }
    segments
}
