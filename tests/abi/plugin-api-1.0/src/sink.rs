//! The data path: what an engine writes a backup into, and reads it back from.
use crate::{chunk::Chunk, document::Doc, error::AbiResult};
use abi_stable::{
    sabi_trait,
    std_types::{RBox, ROption, RSlice, RSliceMut},
};

/// Takes the entries of a backup. `[any thread]`
#[sabi_trait]
pub trait ArchiveSink: Send + Sync + 'static {
    /// Limits of this run: a [`SinkLimits`](crate::document::entry::SinkLimits) document.
    fn limits(&self) -> Doc;
    /// Opens an [`EntryMeta`](crate::document::entry::EntryMeta); several may be open at once, up
    /// to the stated limit; one more is an error, never a wait.
    fn open_entry(&self, meta: Doc) -> AbiResult<EntryWriterBox>;
    /// Hands over [`LocalEntries`](crate::document::entry::LocalEntries): files that the host reads
    /// itself, in parallel. Returns when all are read, so that a snapshot may go afterwards.
    #[sabi(last_prefix_field)]
    fn local_entries(&self, entries: Doc) -> AbiResult<()>;
}

/// A sink as it crosses the boundary.
pub type SinkBox = ArchiveSink_TO<RBox<()>>;

/// Writer of one entry. Dropped without `finish`, it fails the run. `[one thread at a time]`
#[sabi_trait]
pub trait EntryWriter: Send + 'static {
    /// Writes bytes without a copy; blocks while the pipeline is full.
    fn write(&mut self, chunk: Chunk) -> AbiResult<()>;
    /// Writes borrowed bytes; they are copied once.
    fn write_slice(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()>;
    /// Ends the entry; for a file, all promised bytes must have come.
    #[sabi(last_prefix_field)]
    fn finish(&mut self) -> AbiResult<()>;
}

/// An entry writer as it crosses the boundary.
pub type EntryWriterBox = EntryWriter_TO<RBox<()>>;

/// Entries of a backup in their order. `[one thread at a time]`
#[sabi_trait]
pub trait ArchiveReader: Send + 'static {
    /// Goes to the next entry: its [`EntryMeta`](crate::document::entry::EntryMeta), or none.
    fn next_entry(&mut self) -> AbiResult<ROption<Doc>>;
    /// Reads bytes of the current entry; 0 at its end, and only after its sha256 was found good.
    #[sabi(last_prefix_field)]
    fn read(&mut self, buffer: RSliceMut<'_, u8>) -> AbiResult<usize>;
}

/// A reader as it crosses the boundary.
pub type ReaderBox = ArchiveReader_TO<RBox<()>>;
