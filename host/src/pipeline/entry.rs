//! Writers of single entries, and what all containers check of them.
use super::{cancel::Latch, error::PipelineError, progress::Progress};
use dbbackup_plugin_api::{
    chunk::Chunk,
    document::{entry::EntryMeta, manifest::FileRecord, path::EntryPath},
};
use std::sync::Arc;

/// What a container does with the bytes of an open entry.
pub(super) trait OpenEntry: Send {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError>;
    /// Ends the entry.
    fn finish(&mut self) -> Result<(), PipelineError>;
}

/// Takes the bytes of one entry. Dropped without [`finish`](EntryWriter::finish), it fails the run.
pub struct EntryWriter {
    open: Box<dyn OpenEntry>,
    path: EntryPath,
    latch: Arc<Latch>,
    progress: Arc<Progress>,
    finished: bool,
}

impl EntryWriter {
    pub(super) fn new(
        open: Box<dyn OpenEntry>,
        path: EntryPath,
        latch: Arc<Latch>,
        progress: Arc<Progress>,
    ) -> Self {
        Self { open, path, latch, progress, finished: false }
    }

    /// Name of the entry in the artefact: root, `/`, path.
    pub fn path(&self) -> &EntryPath {
        &self.path
    }

    /// Writes bytes; blocks while the pipeline is full.
    ///
    /// # Errors
    /// The first error of the pipeline, [`PipelineError::EntryTooLong`] among them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        let _call = self.progress.call();
        self.latch.check()?;
        if self.finished {
            return Err(PipelineError::EntryAbandoned { path: self.path.clone() });
        }
        self.open.write(bytes).map_err(|error| self.latch.fail(error))
    }

    /// Writes bytes that the pipeline may keep; blocks while the pipeline is full.
    ///
    /// # Errors
    /// As [`write`](EntryWriter::write).
    pub fn write_chunk(&mut self, chunk: &Chunk) -> Result<(), PipelineError> {
        // Blocks are compressed and hashed as a whole, so that one copy into them is needed.
        self.write(chunk.as_slice())
    }

    /// Ends the entry; a second call does nothing.
    ///
    /// # Errors
    /// The first error of the pipeline, [`PipelineError::EntryTooShort`] among them.
    pub fn finish(&mut self) -> Result<(), PipelineError> {
        let _call = self.progress.call();
        self.latch.check()?;
        if self.finished {
            return Ok(());
        }
        self.finished = true;
        self.open.finish().map_err(|error| self.latch.fail(error))
    }
}

impl Drop for EntryWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.latch.fail(PipelineError::EntryAbandoned { path: self.path.clone() });
        }
    }
}

/// Name of an entry in the artefact: root, `/`, path.
pub(super) fn full_path(meta: &EntryMeta) -> Result<EntryPath, PipelineError> {
    let mut bytes = meta.root.clone().into_bytes();
    if !bytes.is_empty() {
        bytes.push(b'/');
    }
    bytes.extend_from_slice(meta.path.as_bytes());
    let path = EntryPath::from_bytes(bytes);
    if path.is_safe() { Ok(path) } else { Err(PipelineError::UnsafePath { path }) }
}

/// Record of a member that starts.
pub(super) fn new_record(path: EntryPath, meta: &EntryMeta) -> FileRecord {
    FileRecord {
        kind: meta.kind,
        path,
        size_bytes: 0,
        sha256: String::new(),
        mode: meta.mode,
        uid: meta.uid,
        gid: meta.gid,
        piece: None,
        seek: None,
        page_check: meta.pages,
        pages: None,
    }
}

/// Size that a file entry must state.
pub(super) fn required_size(path: &EntryPath, meta: &EntryMeta) -> Result<u64, PipelineError> {
    meta.size_bytes.ok_or_else(|| PipelineError::SizeMissing { path: path.clone() })
}

/// Bytes that an entry has promised and got.
#[derive(Debug)]
pub(super) struct PromisedSize {
    path: EntryPath,
    size_bytes: u64,
    written_bytes: u64,
}

impl PromisedSize {
    pub(super) fn new(path: EntryPath, size_bytes: u64) -> Self {
        Self { path, size_bytes, written_bytes: 0 }
    }

    /// Counts bytes in, unless they are more than promised.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), PipelineError> {
        let written_bytes = self.written_bytes.saturating_add(bytes as u64);
        if written_bytes > self.size_bytes {
            let (path, size_bytes) = (self.path.clone(), self.size_bytes);
            return Err(PipelineError::EntryTooLong { path, size_bytes });
        }
        self.written_bytes = written_bytes;
        Ok(())
    }

    /// Checks that all promised bytes came.
    pub(super) fn check_complete(&self) -> Result<(), PipelineError> {
        if self.written_bytes == self.size_bytes {
            return Ok(());
        }
        Err(PipelineError::EntryTooShort {
            path: self.path.clone(),
            written_bytes: self.written_bytes,
            size_bytes: self.size_bytes,
        })
    }
}

/// Name of a piece of a stream: `orders.sql` becomes `orders.00001.sql`.
pub(super) fn piece_path(stream: &EntryPath, number: u32) -> EntryPath {
    let bytes = stream.as_bytes();
    let name_start = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    // A dot in front is part of a hidden file's name, no extension.
    let extension = bytes
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|dot| *dot > name_start)
        .unwrap_or(bytes.len());
    let (stem, extension) = bytes.split_at(extension);
    let mut piece = stem.to_vec();
    piece.extend_from_slice(format!(".{number:05}").as_bytes());
    piece.extend_from_slice(extension);
    EntryPath::from_bytes(piece)
}

#[cfg(test)]
mod tests;
