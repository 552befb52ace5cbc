//! Reading artefacts: decrypt, decompress on all cores, go through the members or take one alone.
//!
//! Damage never panics and is never passed on as content: a block that does not fit its checksum, a
//! member that does not fit its record, or an artefact that does not fit its digest is an error
//! that names the artefact and the offset.
mod content;
mod decompress;
mod decrypt;
mod error;
mod header;
mod member;
mod source;
mod split;

pub use decrypt::{Identities, IdentityError};
pub use error::{Damage, ReadError};
pub use header::MemberHeader;
pub use member::Members;
pub use source::{LocalFile, RangedRead};

use super::{CancelFlag, Encoding, MOST_DEFAULT_THREADS, OutputDigest, block::BLOCK_BYTES};
use content::{ContentReader, ContentSpec};
use dbbackup_plugin_api::document::manifest::FileRecord;
use source::{CheckedStream, RangedStream, SharedStream};
use std::{
    io::{BufReader, Read, Seek, SeekFrom},
    num::NonZeroUsize,
    sync::Arc,
    thread::available_parallelism,
};

/// Reads of the artefact are gathered to at least this size.
const READ_BYTES: usize = 256 << 10;
/// Bytes that the headers of a member may take besides a sparse map, which takes less than the
/// holes it describes: name records, header, padding.
const HEADER_SLACK_BYTES: u64 = 64 << 10;
/// Most bytes that a block of the artefact takes, headers included.
const BLOCK_SLACK: u64 = (BLOCK_BYTES as u64) + (64 << 10);
/// A member that is read alone and needs fewer blocks than this is not worth more threads.
const BYTES_PER_THREAD: u64 = 4 << 20;

/// What is known of an artefact that is to be read.
#[derive(Clone, Debug)]
pub struct ReadSpec {
    /// Name for errors.
    pub name: String,
    /// How it is written. A directory is no artefact of one stream and is read by other means.
    pub encoding: Encoding,
    /// Keys, for an encrypted one.
    pub identities: Identities,
    /// Decompressing threads; one a core by default, 16 at most.
    pub threads: Option<NonZeroUsize>,
    /// Ends every wait when it is set.
    pub cancel: CancelFlag,
    /// Size and hash of the whole, or of the objects that it continues in, compared in a sequential
    /// read; empty if nothing is known of them.
    pub digests: Vec<OutputDigest>,
    /// Records of the members, compared with each of them; they alone divide a text. Members
    /// without a record are read all the same.
    pub records: Option<Vec<FileRecord>>,
}

impl ReadSpec {
    /// An artefact of which nothing but its encoding is known.
    pub fn new(name: impl Into<String>, encoding: Encoding) -> Self {
        Self {
            name: name.into(),
            encoding,
            identities: Identities::default(),
            threads: None,
            cancel: CancelFlag::new(),
            digests: Vec::new(),
            records: None,
        }
    }

    /// Reads all members from the start of a stream.
    ///
    /// # Errors
    /// [`ReadError::Decrypt`] and [`ReadError::IdentityMissing`], or what reading gives.
    pub fn members(&self, stream: impl Read + Send + 'static) -> Result<Members, ReadError> {
        let checked = SharedStream::new(CheckedStream::new(stream, self.digests.clone()));
        let (name, last) = (self.name.clone(), checked.clone());
        let finish = move || last.finish(&name);
        let input = BufReader::with_capacity(READ_BYTES, checked);
        let content = if self.encoding.is_encrypted() {
            let plain = self.identities.decrypt(&self.name, input)?;
            ContentReader::start(self.content_spec(self.threads()), plain, finish)
        } else {
            ContentReader::start(self.content_spec(self.threads()), input, finish)
        }?;
        Ok(Members::new(content, self.encoding.container(), self.records.as_deref()))
    }

    /// Reads all members of an artefact that can also be read by ranges.
    ///
    /// # Errors
    /// As [`members`](ReadSpec::members).
    pub fn members_of(&self, source: Arc<dyn RangedRead>) -> Result<Members, ReadError> {
        source.expect(0..source.size_bytes());
        self.members(RangedStream::new(source))
    }

    /// Reads one member alone, and no more blocks of the artefact than hold it. The answer is
    /// placed before that member and ends behind it.
    ///
    /// # Errors
    /// [`ReadError::NoSeekPosition`] if the record says nothing about where the member starts;
    /// else as [`members`](ReadSpec::members).
    pub fn member_alone(
        &self,
        source: Arc<dyn RangedRead>,
        record: &FileRecord,
    ) -> Result<Members, ReadError> {
        let seek = record.seek.ok_or_else(|| ReadError::NoSeekPosition {
            name: self.name.clone(),
            path: record.path.clone(),
        })?;
        let wanted = record.size_bytes.saturating_add(HEADER_SLACK_BYTES);
        let most_threads = usize::try_from(wanted / BYTES_PER_THREAD).unwrap_or(usize::MAX);
        let threads = self.threads().min(most_threads.max(1));
        let spec = ContentSpec {
            offset: seek.block_offset,
            limit_bytes: Some(seek.offset_in_block.saturating_add(wanted)),
            ..self.content_spec(threads)
        };
        // Positions are those of the plain bytes: an encrypted artefact has them elsewhere.
        if !self.encoding.is_encrypted() {
            source.expect(seek.block_offset..self.end_of(record, wanted));
        }
        let mut stream = RangedStream::new(source);
        let mut content = if self.encoding.is_encrypted() {
            let mut plain = self.identities.decrypt(&self.name, BufReader::new(stream))?;
            self.seek_to(&mut plain, seek.block_offset)?;
            ContentReader::start(spec, plain, || Ok(()))
        } else {
            self.seek_to(&mut stream, seek.block_offset)?;
            ContentReader::start(spec, BufReader::with_capacity(READ_BYTES, stream), || Ok(()))
        }?;
        content.skip(seek.offset_in_block)?;
        Ok(Members::one(content, self.encoding.container(), record))
    }

    /// Where in the artefact a member ends at the latest. The next member that starts in a later block
    /// tells: a member of one block ends before that one, a longer one in it.
    fn end_of(&self, record: &FileRecord, wanted: u64) -> u64 {
        let Some(seek) = record.seek else { return u64::MAX };
        let later = self.records.iter().flatten().filter_map(|other| other.seek);
        let next = later.map(|other| other.block_offset).filter(|at| *at > seek.block_offset).min();
        let next = next.unwrap_or(u64::MAX);
        if seek.offset_in_block.saturating_add(wanted) <= BLOCK_BYTES as u64 {
            return next.min(seek.block_offset.saturating_add(BLOCK_SLACK));
        }
        // Compressed blocks are hardly larger than what they hold.
        let plain = seek.block_offset.saturating_add(seek.offset_in_block).saturating_add(wanted);
        let plain = plain.saturating_add(wanted / 1000);
        next.min(plain).saturating_add(BLOCK_SLACK)
    }

    fn seek_to(&self, stream: &mut impl Seek, offset: u64) -> Result<(), ReadError> {
        let sought = stream.seek(SeekFrom::Start(offset));
        sought.map(drop).map_err(|source| ReadError::Source {
            name: self.name.clone(),
            offset,
            source: Arc::new(source),
        })
    }

    fn threads(&self) -> usize {
        let cores = || available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(|| cores().min(MOST_DEFAULT_THREADS), NonZeroUsize::get)
    }

    fn content_spec(&self, threads: usize) -> ContentSpec {
        ContentSpec {
            name: self.name.clone(),
            compression: self.encoding.compression(),
            threads,
            cancel: self.cancel.clone(),
            offset: 0,
            limit_bytes: None,
        }
    }
}
