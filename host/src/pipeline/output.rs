//! The last stage: encryption, hash of the whole output, rate limit, and the target.
use super::{
    block::PooledBytes,
    cancel::Latch,
    digest::hex,
    encrypt::{Encryption, Recipient},
    error::PipelineError,
    progress::Progress,
    rate::RateLimit,
};
use dbbackup_plugin_api::chunk::Chunk;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
};

/// Encrypted bytes are gathered into chunks of at least this size.
const GATHER_BYTES: usize = 1 << 20;

/// Takes the bytes of an artefact in their order. Dropped without `finish`, the artefact is
/// abandoned.
pub trait ChunkWriter: Send {
    /// Appends bytes.
    ///
    /// Should look at the run's cancellation whenever it waits: the pipeline cannot interrupt it.
    ///
    /// # Errors
    /// Whatever the target says; the kind reaches the operator, such as
    /// [`StorageFull`](io::ErrorKind::StorageFull).
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()>;

    /// Bytes that the object being written still takes; what is beyond goes into a further one.
    fn room(&self) -> u64 {
        u64::MAX
    }

    /// Makes the full object durable and goes on with a further one.
    ///
    /// # Errors
    /// Whatever the target says; the artefact is then worthless.
    fn next_object(&mut self) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::FileTooLarge))
    }

    /// Makes all bytes durable.
    ///
    /// # Errors
    /// Whatever the target says; the artefact is then worthless.
    fn finish(&mut self) -> io::Result<()>;
}

/// An open local file: written in order, synced at the end.
impl ChunkWriter for File {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        self.write_all(&chunk)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Standard output or any other stream; a pipe has nothing to sync.
#[derive(Debug)]
pub struct StreamOutput<W>(pub W);

impl<W: Write + Send> ChunkWriter for StreamOutput<W> {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        self.0.write_all(&chunk)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Size and hash of all bytes of an artefact, or of one of the objects that it continues in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputDigest {
    /// Size in bytes.
    pub size_bytes: u64,
    /// sha256, hexadecimal.
    pub sha256: String,
}

/// The stage as it runs.
pub(super) struct OutputStage {
    encryption: Encryption,
}

impl OutputStage {
    pub(super) fn start(
        output: HashedOutput,
        recipients: &[Recipient],
    ) -> Result<Self, PipelineError> {
        Ok(Self { encryption: Encryption::start(recipients, output)? })
    }

    /// Sends a block on its way.
    pub(super) fn write(&mut self, bytes: PooledBytes) -> Result<(), PipelineError> {
        self.encryption.write(bytes)
    }

    /// Ends encryption, makes the target durable and sums up.
    pub(super) fn finish(self) -> Result<Vec<OutputDigest>, PipelineError> {
        let mut output = self.encryption.finish()?;
        output.latch.check()?;
        output.writer.finish().map_err(|error| output.failure(error))?;
        output.end_object();
        Ok(output.objects)
    }
}

/// The target, with everything that is counted in front of it.
pub(super) struct HashedOutput {
    writer: Box<dyn ChunkWriter>,
    /// Hash and size of the object that is being written.
    sha256: Sha256,
    object_bytes: u64,
    /// The objects before it.
    objects: Vec<OutputDigest>,
    written: u64,
    limit: Option<RateLimit>,
    progress: Arc<Progress>,
    latch: Arc<Latch>,
    /// Small writes of the encryption, until they fill a chunk.
    gathered: Vec<u8>,
}

impl HashedOutput {
    pub(super) fn new(
        writer: Box<dyn ChunkWriter>,
        limit: Option<RateLimit>,
        progress: Arc<Progress>,
        latch: Arc<Latch>,
    ) -> Self {
        Self {
            writer,
            sha256: Sha256::new(),
            object_bytes: 0,
            objects: Vec::new(),
            written: 0,
            limit,
            progress,
            latch,
            gathered: Vec::new(),
        }
    }

    /// Gives a chunk to the target, no faster than the limit allows.
    pub(super) fn send(&mut self, chunk: Chunk) -> Result<(), PipelineError> {
        let bytes = chunk.len() as u64;
        if bytes == 0 {
            return Ok(());
        }
        if let Some(limit) = &mut self.limit {
            self.latch.sleep(limit.take(bytes))?;
        }
        self.latch.check()?;
        if bytes <= self.writer.room() { self.put(chunk) } else { self.put_in_pieces(chunk) }
    }

    /// Gives a chunk to the target that fits into the object.
    fn put(&mut self, chunk: Chunk) -> Result<(), PipelineError> {
        let bytes = chunk.len() as u64;
        self.sha256.update(&*chunk);
        self.writer.write_chunk(chunk).map_err(|error| self.failure(error))?;
        self.object_bytes += bytes;
        self.written += bytes;
        self.progress.add_output(bytes);
        Ok(())
    }

    /// Gives a chunk to the target that goes on in a further object.
    fn put_in_pieces(&mut self, chunk: Chunk) -> Result<(), PipelineError> {
        let of = Arc::new(chunk);
        let mut start = 0;
        while start < of.len() {
            if self.writer.room() == 0 {
                self.writer.next_object().map_err(|error| self.failure(error))?;
                self.end_object();
                if self.writer.room() == 0 {
                    let source = Arc::new(io::Error::from(io::ErrorKind::FileTooLarge));
                    return Err(PipelineError::Output { offset: self.written, source });
                }
            }
            let room = usize::try_from(self.writer.room()).unwrap_or(usize::MAX);
            let end = start.saturating_add(room).min(of.len());
            self.put(Chunk::from_owner(ChunkPiece { of: Arc::clone(&of), start, end }))?;
            start = end;
        }
        Ok(())
    }

    /// Closes the books of the object that is being written.
    fn end_object(&mut self) {
        let sha256 = std::mem::take(&mut self.sha256);
        let size_bytes = std::mem::take(&mut self.object_bytes);
        self.objects.push(OutputDigest { size_bytes, sha256: hex(&sha256.finalize()) });
    }

    /// Gives what is gathered to the target.
    pub(super) fn send_gathered(&mut self) -> Result<(), PipelineError> {
        let gathered = std::mem::take(&mut self.gathered);
        self.send(Chunk::from_vec(gathered))
    }

    fn failure(&self, error: io::Error) -> PipelineError {
        PipelineError::Output { offset: self.written, source: Arc::new(error) }
    }
}

/// The side that encryption writes to; its errors carry a [`PipelineError`].
impl Write for HashedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER_BYTES {
            self.send_gathered().map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A part of a chunk, without a copy.
struct ChunkPiece {
    of: Arc<Chunk>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for ChunkPiece {
    fn as_ref(&self) -> &[u8] {
        self.of.get(self.start..self.end).unwrap_or_default()
    }
}
