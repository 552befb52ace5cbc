//! Where the bytes of an artefact come from.
use super::{OutputDigest, ReadError};
use crate::pipeline::{cancel::lock, digest::hex};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
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

/// Any stream, hashed on its way if there is a digest to compare with.
pub(super) struct CheckedStream<R> {
    inner: R,
    expected: Option<(OutputDigest, Sha256)>,
    size_bytes: u64,
}

impl<R: Read> CheckedStream<R> {
    pub(super) fn new(inner: R, expected: Option<OutputDigest>) -> Self {
        let expected = expected.map(|digest| (digest, Sha256::new()));
        Self { inner, expected, size_bytes: 0 }
    }

    /// Reads what is left and compares.
    pub(super) fn finish(&mut self, name: &str) -> Result<(), ReadError> {
        let drained = io::copy(self, &mut io::sink());
        drained.map_err(|source| ReadError::Source {
            name: name.to_owned(),
            offset: self.size_bytes,
            source: Arc::new(source),
        })?;
        let Some((expected, sha256)) = self.expected.take() else { return Ok(()) };
        let found = OutputDigest { size_bytes: self.size_bytes, sha256: hex(&sha256.finalize()) };
        if found == expected {
            return Ok(());
        }
        Err(ReadError::WrongDigest {
            name: name.to_owned(),
            expected_bytes: expected.size_bytes,
            expected: expected.sha256,
            found_bytes: found.size_bytes,
            found: found.sha256,
        })
    }
}

impl<R: Read> Read for CheckedStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if let Some((_, sha256)) = &mut self.expected {
            sha256.update(buffer.get(..read).unwrap_or_default());
        }
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
