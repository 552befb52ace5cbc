//! The data path: entries out of a backup, entries back into a restore.
use crate::{failure::HostError, host::unwrap};
use dbbackup_plugin_api::{
    chunk::Chunk,
    document::{
        Doc, Document,
        entry::{EntryMeta, LocalEntries, LocalEntry, SinkLimits},
    },
    error::{EngineError, ErrorCode},
    sink::{EntryWriterBox, ReaderBox, SinkBox},
};
use std::io;

/// Takes the entries of a backup; may be used from several threads.
pub struct Sink(SinkBox);

impl Sink {
    pub(crate) fn new(sink: SinkBox) -> Self {
        Self(sink)
    }

    /// How many entries may be open at once, and which chunks flow best.
    ///
    /// # Errors
    /// [`HostError`] if the host's answer cannot be read.
    pub fn limits(&self) -> Result<SinkLimits, HostError> {
        decode(&self.0.limits())
    }

    /// Opens an entry; one more than the limit is an error, never a wait.
    ///
    /// # Errors
    /// [`HostError`] if the host refuses the entry or the run has failed or been cancelled.
    pub fn open_entry(&self, meta: &EntryMeta) -> Result<EntryWriter, HostError> {
        unwrap(self.0.open_entry(encode(meta)?)).map(EntryWriter)
    }

    /// Hands files over that the host reads itself, in parallel; returns when all are read.
    ///
    /// # Errors
    /// [`HostError`] if a file cannot be read or the run has failed or been cancelled.
    pub fn local_entries(&self, entries: Vec<LocalEntry>) -> Result<(), HostError> {
        let entries = LocalEntries { entries, extra: Default::default() };
        unwrap(self.0.local_entries(encode(&entries)?))
    }
}

/// Writer of one entry. Blocks while the pipeline is full; dropped without
/// [`finish`](EntryWriter::finish), it fails the run.
pub struct EntryWriter(EntryWriterBox);

impl EntryWriter {
    /// Writes bytes without a copy.
    ///
    /// # Errors
    /// [`HostError`] if the run has failed or been cancelled.
    pub fn write_chunk(&mut self, bytes: Vec<u8>) -> Result<(), HostError> {
        unwrap(self.0.write(Chunk::from_vec(bytes)))
    }

    /// Writes borrowed bytes; they are copied once.
    ///
    /// # Errors
    /// As [`write_chunk`](EntryWriter::write_chunk).
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), HostError> {
        unwrap(self.0.write_slice(bytes.into()))
    }

    /// Ends the entry.
    ///
    /// # Errors
    /// [`HostError`] if bytes of a file are missing or the run has failed.
    pub fn finish(mut self) -> Result<(), HostError> {
        unwrap(self.0.finish())
    }
}

impl io::Write for EntryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_bytes(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The entries of a backup in their order.
pub struct EntryReader(ReaderBox);

impl EntryReader {
    pub(crate) fn new(reader: ReaderBox) -> Self {
        Self(reader)
    }

    /// Goes to the next entry, or none at the end. What is left of the current one is skipped.
    ///
    /// # Errors
    /// [`HostError`] if the artefact is damaged or cannot be read.
    pub fn next_entry(&mut self) -> Result<Option<EntryMeta>, HostError> {
        match unwrap(self.0.next_entry())?.into_option() {
            Some(document) => decode(&document).map(Some),
            None => Ok(None),
        }
    }

    /// Reads bytes of the current entry; 0 at its end, and only if its sha256 was good.
    ///
    /// # Errors
    /// As [`next_entry`](EntryReader::next_entry).
    pub fn read_bytes(&mut self, buffer: &mut [u8]) -> Result<usize, HostError> {
        unwrap(self.0.read(buffer.into()))
    }
}

impl io::Read for EntryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_bytes(buffer).map_err(io::Error::other)
    }
}

/// Reads a document of the host.
pub(crate) fn decode<D: Document>(document: &Doc) -> Result<D, HostError> {
    document
        .decode()
        .map_err(|error| HostError::new(EngineError::from_error(ErrorCode::UNSUPPORTED, &error)))
}

/// Writes a document for the host.
pub(crate) fn encode<D: Document>(document: &D) -> Result<Doc, HostError> {
    Doc::encode(document)
        .map_err(|error| HostError::new(EngineError::from_error(ErrorCode::INTERNAL, &error)))
}
