//! Entries on their way to the host: text gathered into chunks that it takes over without a copy.

use crate::{
    EntryWriter, HostError, Sink,
    document::{
        entry::{EntryKind, EntryMeta},
        path::EntryPath,
    },
};

/// Bounds of the size of a chunk, whatever the host prefers.
const CHUNK_BYTES: std::ops::RangeInclusive<usize> = 64 * 1024..=1024 * 1024;

/// One open entry.
pub struct Output {
    writer: EntryWriter,
    buffer: Vec<u8>,
    chunk_bytes: usize,
    written_bytes: u64,
}

impl Output {
    /// Opens a stream entry; `path` is below `root`.
    ///
    /// # Errors
    /// The host refuses it.
    pub fn open(sink: &Sink, root: &str, path: &str) -> Result<Self, HostError> {
        let wanted = usize::try_from(sink.limits()?.chunk_bytes).unwrap_or(usize::MAX);
        let meta = EntryMeta::new(EntryKind::Stream, root, EntryPath::from(path));
        let chunk_bytes = wanted.clamp(*CHUNK_BYTES.start(), *CHUNK_BYTES.end());
        Ok(Self {
            writer: sink.open_entry(&meta)?,
            buffer: Vec::with_capacity(chunk_bytes + chunk_bytes / 8),
            chunk_bytes,
            written_bytes: 0,
        })
    }

    /// The chunk being filled; call [`Output::flush_full`] now and then.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Appends text.
    ///
    /// # Errors
    /// The host takes no more: the run failed or was cancelled.
    pub fn put(&mut self, text: impl AsRef<[u8]>) -> Result<(), HostError> {
        self.buffer.extend_from_slice(text.as_ref());
        self.flush_full()
    }

    /// Hands the chunk over if it is full.
    ///
    /// # Errors
    /// As [`Output::put`].
    #[inline]
    pub fn flush_full(&mut self) -> Result<(), HostError> {
        if self.buffer.len() < self.chunk_bytes { Ok(()) } else { self.flush() }
    }

    /// Bytes of the entry so far.
    #[inline]
    pub fn position(&self) -> u64 {
        self.written_bytes + self.buffer.len() as u64
    }

    /// Ends the entry; answers its size in bytes.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn finish(mut self) -> Result<u64, HostError> {
        self.flush()?;
        self.writer.finish()?;
        Ok(self.written_bytes)
    }

    fn flush(&mut self) -> Result<(), HostError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(self.chunk_bytes + self.chunk_bytes / 8);
        let full = std::mem::replace(&mut self.buffer, next);
        self.written_bytes += full.len() as u64;
        self.writer.write_chunk(full)
    }
}

/// A name as one component of a path: letters, digits, `_`, `-` and `$` stand for themselves, every
/// other byte as `%` and two digits, so that no name can lead anywhere else.
pub fn path_component(name: &str) -> String {
    let mut component = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$') {
            component.push(char::from(byte));
        } else {
            component.push_str(&format!("%{byte:02X}"));
        }
    }
    component
}
