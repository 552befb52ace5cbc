//! Where the bytes of an artefact come from.
use super::{OutputDigest, ReadError};
use crate::pipeline::{cancel::lock, digest::hex};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex},
};

/// Bytes that can be read from any offset, by any thread.
pub trait RangedRead: Send + Sync {
    /// Length in bytes.
    fn size_bytes(&self) -> u64;

    /// Fills the front of `buffer` from `offset`, and answers how much of it; 0 only at the end.
    ///
    /// # Errors
    /// Whatever the store says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Says what will be read next, in its order: a store far away may begin to fetch it.
    fn expect(&self, _range: Range<u64>) {}
}

/// A file of this machine.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    size_bytes: u64,
}

impl LocalFile {
    /// Opens a file.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { file, size_bytes })
    }
}

impl RangedRead for LocalFile {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

/// Ranged reads as a stream with a position.
pub(super) struct RangedStream {
    source: Arc<dyn RangedRead>,
    position: u64,
}

impl RangedStream {
    pub(super) fn new(source: Arc<dyn RangedRead>) -> Self {
        Self { source, position: 0 }
    }
}

impl Read for RangedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read_at(self.position, buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for RangedStream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.source.size_bytes().checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// Any stream, hashed on its way if there are digests to compare with: one for all of it, or one for
/// each of the objects that it was joined from.
pub(super) struct CheckedStream<R> {
    inner: R,
    expected: VecDeque<OutputDigest>,
    sha256: Sha256,
    /// Bytes of the object that is being read.
    object_bytes: u64,
    /// The first object that was not as expected, and what it was.
    wrong: Option<(OutputDigest, OutputDigest)>,
    size_bytes: u64,
}

impl<R: Read> CheckedStream<R> {
    pub(super) fn new(inner: R, expected: Vec<OutputDigest>) -> Self {
        Self {
            inner,
            expected: expected.into(),
            sha256: Sha256::new(),
            object_bytes: 0,
            wrong: None,
            size_bytes: 0,
        }
    }

    /// Reads what is left and compares.
    pub(super) fn finish(&mut self, name: &str) -> Result<(), ReadError> {
        let drained = io::copy(self, &mut io::sink());
        drained.map_err(|source| ReadError::Source {
            name: name.to_owned(),
            offset: self.size_bytes,
            source: Arc::new(source),
        })?;
        while !self.expected.is_empty() {
            self.end_object();
        }
        let Some((expected, found)) = self.wrong.take() else { return Ok(()) };
        Err(ReadError::WrongDigest {
            name: name.to_owned(),
            expected_bytes: expected.size_bytes,
            expected: expected.sha256,
            found_bytes: found.size_bytes,
            found: found.sha256,
        })
    }

    /// Hashes bytes, each into the object that it belongs to; what is beyond all of them belongs to the
    /// last.
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let (Some(current), false) = (self.expected.front(), rest.is_empty()) {
            let left = current.size_bytes.saturating_sub(self.object_bytes);
            let is_last = self.expected.len() == 1;
            let room =
                if is_last { rest.len() } else { usize::try_from(left).unwrap_or(usize::MAX) };
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.sha256.update(now);
            self.object_bytes += now.len() as u64;
            rest = later;
            if !is_last && room == now.len() {
                self.end_object();
            }
        }
    }

    /// Compares the object that is being read.
    fn end_object(&mut self) {
        let Some(expected) = self.expected.pop_front() else { return };
        let sha256 = hex(&std::mem::take(&mut self.sha256).finalize());
        let found = OutputDigest { size_bytes: std::mem::take(&mut self.object_bytes), sha256 };
        if found != expected && self.wrong.is_none() {
            self.wrong = Some((expected, found));
        }
    }
}

impl<R: Read> Read for CheckedStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.take(buffer.get(..read).unwrap_or_default());
        self.size_bytes += read as u64;
        Ok(read)
    }
}

/// A stream that is read in one place and finished in another.
pub(super) struct SharedStream<R>(Arc<Mutex<CheckedStream<R>>>);

impl<R: Read> SharedStream<R> {
    pub(super) fn new(stream: CheckedStream<R>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// As [`CheckedStream::finish`].
    pub(super) fn finish(&self, name: &str) -> Result<(), ReadError> {
        lock(&self.0).finish(name)
    }
}

impl<R> Clone for SharedStream<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Read> Read for SharedStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.0).read(buffer)
    }
}
