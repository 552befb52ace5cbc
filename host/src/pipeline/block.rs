//! Blocks: the unit of reading, compression and hashing, in buffers that are used again and again.
use super::cancel::lock;
use crossbeam_channel::Sender;
use dbbackup_plugin_api::document::{entry::PageCheck, manifest::FileRecord};
use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// Bytes of a block before compression. Twice as much gains 0.06 % of size and costs memory on every
/// core; half as much loses 0.12 %.
pub(super) const BLOCK_BYTES: usize = 2 << 20;

/// Bytes of archive in the making, and what they mean, in order.
#[derive(Debug)]
pub(super) struct Block {
    buffer: Vec<u8>,
    used: usize,
    parts: Vec<Part>,
}

/// A stretch of a block, or a mark between stretches.
#[derive(Debug)]
pub(super) enum Part {
    /// A member starts here, its header included.
    Begin(Box<MemberStart>),
    /// Bytes of the container: headers, padding, trailer.
    Framing(usize),
    /// Content of the current member, already in the buffer.
    Content(usize),
    /// Content of the current member that a worker reads into its place.
    File(FileRange),
    /// Zeros of the current member that take no bytes in the container.
    Hole(u64),
    /// The current member ends here.
    End,
    /// Told when everything before it is hashed.
    Barrier(Sender<()>),
}

/// What is known of a member when it starts.
#[derive(Debug)]
pub(super) struct MemberStart {
    /// Its record, without size, hash, seek position and page sums.
    pub(super) record: FileRecord,
    /// How its pages may be checked.
    pub(super) pages: PageCheck,
}

/// A local file that is being read.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) size_bytes: u64,
}

/// A range of a local file.
#[derive(Debug)]
pub(super) struct FileRange {
    pub(super) source: Arc<SourceFile>,
    pub(super) offset: u64,
    pub(super) len: usize,
}

impl Block {
    /// Bytes that still fit.
    pub(super) fn room(&self) -> usize {
        self.buffer.len().saturating_sub(self.used)
    }

    /// Bytes taken, those that a worker will read included.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// True if the block carries neither bytes nor marks.
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0 && self.parts.is_empty()
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.used).unwrap_or_default()
    }

    /// Takes the parts out and leaves the bytes.
    pub(super) fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// Adds a mark.
    pub(super) fn mark(&mut self, part: Part) {
        self.parts.push(part);
    }

    /// Copies as much of `bytes` as fits, and answers how much that was.
    pub(super) fn copy_framing(&mut self, bytes: &[u8]) -> usize {
        let taken = self.copy(bytes);
        match self.parts.last_mut() {
            Some(Part::Framing(len)) => *len += taken,
            _ => self.parts.push(Part::Framing(taken)),
        }
        taken
    }

    /// Copies as much of `bytes` as fits, and answers how much that was.
    pub(super) fn copy_content(&mut self, bytes: &[u8]) -> usize {
        let taken = self.copy(bytes);
        match self.parts.last_mut() {
            Some(Part::Content(len)) => *len += taken,
            _ => self.parts.push(Part::Content(taken)),
        }
        taken
    }

    /// Reserves room for a range of a file, which must fit.
    pub(super) fn reserve_file(&mut self, range: FileRange) {
        self.used += range.len;
        self.parts.push(Part::File(range));
    }

    /// The ranges that are still to be read, each with its place in the buffer.
    pub(super) fn unread(&mut self) -> impl Iterator<Item = (&FileRange, &mut [u8])> {
        let mut rest = self.buffer.as_mut_slice();
        self.parts.iter().filter_map(move |part| {
            let len = part.len();
            let (place, behind) = std::mem::take(&mut rest).split_at_mut_checked(len)?;
            rest = behind;
            match part {
                Part::File(range) => Some((range, place)),
                _ => None,
            }
        })
    }

    fn copy(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        let end = self.used + taken;
        if let (Some(place), Some(bytes)) =
            (self.buffer.get_mut(self.used..end), bytes.get(..taken))
        {
            place.copy_from_slice(bytes);
        }
        self.used = end;
        taken
    }
}

impl Part {
    /// Bytes that the part takes in the block.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Framing(len) | Self::Content(len) => *len,
            Self::File(range) => range.len,
            Self::Begin(_) | Self::Hole(_) | Self::End | Self::Barrier(_) => 0,
        }
    }
}

/// Buffers that wait for their next use. How many are in use is bounded by the queues.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    raw: Mutex<Vec<Vec<u8>>>,
    packed: Mutex<Vec<Vec<u8>>>,
}

impl BufferPool {
    /// An empty block.
    pub(super) fn block(&self) -> Block {
        // A buffer keeps its full length and its old bytes: zeroing a megabyte costs more than it
        // is worth when every byte is overwritten before it is read.
        let buffer = lock(&self.raw).pop().unwrap_or_else(|| vec![0; BLOCK_BYTES]);
        Block { buffer, used: 0, parts: Vec::new() }
    }

    /// An empty vector for compressed bytes.
    pub(super) fn packed(&self) -> Vec<u8> {
        lock(&self.packed).pop().unwrap_or_default()
    }

    /// Takes back the buffer of a block.
    pub(super) fn recycle(&self, block: Block) {
        lock(&self.raw).push(block.buffer);
    }

    /// Takes back a vector of compressed bytes.
    fn recycle_packed(&self, packed: Vec<u8>) {
        lock(&self.packed).push(packed);
    }
}

/// Bytes of the output that go back to their pool when the target has done with them.
#[derive(Debug)]
pub(super) struct PooledBytes {
    bytes: Bytes,
    pool: Arc<BufferPool>,
}

#[derive(Debug)]
enum Bytes {
    Raw(Option<Block>),
    Packed(Vec<u8>),
}

impl PooledBytes {
    /// An uncompressed block.
    pub(super) fn raw(block: Block, pool: Arc<BufferPool>) -> Self {
        Self { bytes: Bytes::Raw(Some(block)), pool }
    }

    /// A compressed block.
    pub(super) fn packed(packed: Vec<u8>, pool: Arc<BufferPool>) -> Self {
        Self { bytes: Bytes::Packed(packed), pool }
    }
}

impl AsRef<[u8]> for PooledBytes {
    fn as_ref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Raw(Some(block)) => block.bytes(),
            Bytes::Raw(None) => &[],
            Bytes::Packed(packed) => packed,
        }
    }
}

impl Drop for PooledBytes {
    fn drop(&mut self) {
        match &mut self.bytes {
            Bytes::Raw(block) => {
                if let Some(block) = block.take() {
                    self.pool.recycle(block);
                }
            }
            Bytes::Packed(packed) => self.pool.recycle_packed(std::mem::take(packed)),
        }
    }
}
