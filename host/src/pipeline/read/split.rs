//! Cuts a compressed stream into the members or frames that are decompressed in parallel, without
//! decompressing anything.
use super::{ReadError, decompress::gzip_trailer, error::Damage};
use crate::pipeline::{
    block::BLOCK_BYTES,
    compress::{GZIP_HEADER_BYTES, GZIP_TRAILER_BYTES, ZSTD_END, end_mark, gzip_member_bytes},
    encoding::Compression,
};
use std::{
    io::{self, Read},
    sync::Arc,
};
use zstd::zstd_safe;

/// Largest content of a block that is taken; more than any version writes.
const MOST_CONTENT_BYTES: u64 = 16 << 20;
/// Largest compressed block that is taken.
const MOST_PACKED_BYTES: u64 = 2 * MOST_CONTENT_BYTES;
/// Magic of a zstd frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Bits of a frame's descriptor that are the same in all of ours: one segment, checksum, neither
/// dictionary nor reserved bits. The others say how long the length field is.
const ZSTD_FIXED_BITS: u8 = 0b0011_1111;
const ZSTD_OUR_BITS: u8 = 0b0010_0100;

/// The next piece of a stream.
pub(super) enum Piece {
    /// A compressed block.
    Packed {
        /// Where it starts.
        offset: u64,
        /// Length of its content.
        content_bytes: usize,
    },
    /// Content as it is.
    Plain,
    /// The stream is complete.
    End,
}

/// How the stream is cut.
enum Shape {
    /// Not known before the first bytes.
    Unknown,
    /// Blocks that this program wrote.
    Ours,
    /// Anything else that a stock decoder opens: decoded here, in one thread.
    Foreign(Box<dyn Read + Send>),
}

/// Cuts one stream; `buffer` takes each piece's bytes.
pub(super) struct Splitter<R> {
    name: String,
    compression: Compression,
    shape: Shape,
    input: Option<R>,
    offset: u64,
}

impl<R: Read + Send + 'static> Splitter<R> {
    /// A splitter of `input`, which starts at a block that is `offset` bytes into the artefact.
    pub(super) fn new(name: String, compression: Compression, input: R, offset: u64) -> Self {
        // A stream that is entered in the middle has blocks of ours: only those have offsets.
        let shape = if offset > 0 { Shape::Ours } else { Shape::Unknown };
        Self { name, compression, shape, input: Some(input), offset }
    }

    /// Puts the next piece into `buffer`.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Piece, ReadError> {
        buffer.clear();
        if let Shape::Foreign(decoder) = &mut self.shape {
            let decoded = decoder.take(BLOCK_BYTES as u64).read_to_end(buffer);
            decoded.map_err(|error| self.foreign_error(error))?;
            return Ok(if buffer.is_empty() { Piece::End } else { Piece::Plain });
        }
        let start = self.offset;
        let piece = match self.compression {
            Compression::None => self.next_plain(buffer),
            Compression::Gzip => self.next_member(buffer),
            Compression::Zstd => self.next_frame(buffer),
        }?;
        match piece {
            Some(piece) => {
                self.shape = Shape::Ours;
                Ok(piece)
            }
            None if matches!(self.shape, Shape::Unknown) => {
                self.turn_foreign(std::mem::take(buffer))?;
                self.next(buffer)
            }
            None => Err(self.damaged(start, Damage::BlockHeader)),
        }
    }

    fn next_plain(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Piece>, ReadError> {
        self.append(buffer, BLOCK_BYTES as u64)?;
        Ok(Some(if buffer.is_empty() { Piece::End } else { Piece::Plain }))
    }

    /// A gzip member of ours; none if its header is not.
    fn next_member(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Piece>, ReadError> {
        let offset = self.offset;
        self.append(buffer, GZIP_HEADER_BYTES as u64)?;
        let Some(header) = buffer.first_chunk::<GZIP_HEADER_BYTES>() else {
            return self.short_header(buffer);
        };
        let Some(member_bytes) = gzip_member_bytes(header) else { return Ok(None) };
        let rest = u64::from(member_bytes).checked_sub(GZIP_HEADER_BYTES as u64);
        let rest = rest.filter(|rest| *rest > GZIP_TRAILER_BYTES as u64);
        let rest = rest.ok_or_else(|| self.damaged(offset, Damage::ContentLength))?;
        self.append_exactly(buffer, rest, offset)?;
        if *buffer == end_mark(Compression::Gzip) {
            return self.check_nothing_follows().map(Some);
        }
        let (_, content_bytes) = gzip_trailer(buffer).unwrap_or_default();
        self.packed(offset, u64::from(content_bytes)).map(Some)
    }

    /// A zstd frame of ours; none if its header is not.
    fn next_frame(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Piece>, ReadError> {
        let offset = self.offset;
        // Magic, descriptor, and the shortest length field.
        self.append(buffer, 6)?;
        if buffer.is_empty() || buffer.len() < 6 {
            return self.short_header(buffer);
        }
        if ZSTD_END.starts_with(buffer) {
            self.append(buffer, (ZSTD_END.len() - 6) as u64)?;
            if *buffer != ZSTD_END {
                return Err(self.cut_or_damaged(buffer.len(), ZSTD_END.len(), offset));
            }
            return self.check_nothing_follows().map(Some);
        }
        let descriptor = buffer.get(4).copied().unwrap_or_default();
        if !buffer.starts_with(&ZSTD_MAGIC) || descriptor & ZSTD_FIXED_BITS != ZSTD_OUR_BITS {
            return Ok(None);
        }
        let more = match descriptor >> 6 {
            0 => 0,
            1 => 1,
            2 => 3,
            _ => 7,
        };
        self.append_exactly(buffer, more, offset)?;
        let content_bytes = zstd_safe::get_frame_content_size(buffer).ok().flatten();
        let content_bytes =
            content_bytes.ok_or_else(|| self.damaged(offset, Damage::BlockHeader))?;
        self.append_frame_blocks(buffer, offset)?;
        self.packed(offset, content_bytes).map(Some)
    }

    /// Follows the headers of a frame's inner blocks to its end.
    fn append_frame_blocks(&mut self, buffer: &mut Vec<u8>, offset: u64) -> Result<(), ReadError> {
        const RAW: u32 = 0;
        const RUN: u32 = 1;
        const COMPRESSED: u32 = 2;
        loop {
            self.append_exactly(buffer, 3, offset)?;
            let header = buffer.last_chunk::<3>().copied().unwrap_or_default();
            let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
            let (is_last, kind, size) = (header & 1 == 1, (header >> 1) & 3, header >> 3);
            let stored = match kind {
                RAW | COMPRESSED => u64::from(size),
                RUN => 1,
                _ => return Err(self.damaged(offset, Damage::Compressed)),
            };
            self.append_exactly(buffer, stored, offset)?;
            if is_last {
                // The checksum of the content.
                return self.append_exactly(buffer, 4, offset);
            }
        }
    }

    fn packed(&self, offset: u64, content_bytes: u64) -> Result<Piece, ReadError> {
        if content_bytes > MOST_CONTENT_BYTES {
            return Err(self.damaged(offset, Damage::BlockSize { bytes: content_bytes }));
        }
        let content_bytes = usize::try_from(content_bytes).unwrap_or(usize::MAX);
        Ok(Piece::Packed { offset, content_bytes })
    }

    /// The stream ends inside a header: a cut, unless it is short and foreign.
    fn short_header(&self, buffer: &[u8]) -> Result<Option<Piece>, ReadError> {
        if !buffer.is_empty() && matches!(self.shape, Shape::Unknown) {
            return Ok(None);
        }
        Err(ReadError::CutOff { name: self.name.clone(), offset: self.offset })
    }

    fn check_nothing_follows(&mut self) -> Result<Piece, ReadError> {
        let end = self.offset;
        let mut behind = Vec::new();
        self.append(&mut behind, 1)?;
        if behind.is_empty() {
            return Ok(Piece::End);
        }
        Err(self.damaged(end, Damage::BytesBehindEnd))
    }

    fn append_exactly(
        &mut self,
        buffer: &mut Vec<u8>,
        bytes: u64,
        start: u64,
    ) -> Result<(), ReadError> {
        let total = (buffer.len() as u64).saturating_add(bytes);
        if total > MOST_PACKED_BYTES {
            return Err(self.damaged(start, Damage::BlockSize { bytes: total }));
        }
        self.append(buffer, bytes)?;
        if buffer.len() as u64 == total {
            return Ok(());
        }
        Err(ReadError::CutOff { name: self.name.clone(), offset: self.offset })
    }

    /// Reads up to `bytes` more bytes; fewer only at the end of the stream.
    fn append(&mut self, buffer: &mut Vec<u8>, bytes: u64) -> Result<(), ReadError> {
        let Some(input) = &mut self.input else { return Ok(()) };
        let read = input.take(bytes).read_to_end(buffer).map_err(|error| {
            let (name, offset) = (self.name.clone(), self.offset);
            ReadError::from_io(error, |error| source_error(name, offset, error))
        })?;
        self.offset += read as u64;
        Ok(())
    }

    /// Goes on with a stock decoder, from the bytes that are read already.
    fn turn_foreign(&mut self, read: Vec<u8>) -> Result<(), ReadError> {
        let Some(input) = self.input.take() else { return Ok(()) };
        let whole = NotOurs::new(io::Cursor::new(read).chain(input), self.compression);
        let buffered = io::BufReader::with_capacity(BLOCK_BYTES, whole);
        let decoder: Box<dyn Read + Send> = match self.compression {
            Compression::None => Box::new(buffered),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered)),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(buffered);
                Box::new(decoder.map_err(|error| self.foreign_error(error))?)
            }
        };
        self.shape = Shape::Foreign(decoder);
        Ok(())
    }

    fn foreign_error(&self, error: io::Error) -> ReadError {
        let (name, offset) = (self.name.clone(), self.offset);
        ReadError::from_io(error, |error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::CutOff { name, offset },
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
                let source = Damage::Decoder { reason: error.to_string() };
                ReadError::Damaged { name, offset, source }
            }
            _ => source_error(name, offset, error),
        })
    }

    fn cut_or_damaged(&self, found: usize, wanted: usize, start: u64) -> ReadError {
        if found < wanted {
            return ReadError::CutOff { name: self.name.clone(), offset: self.offset };
        }
        self.damaged(start, Damage::BlockHeader)
    }

    fn damaged(&self, offset: u64, source: Damage) -> ReadError {
        ReadError::Damaged { name: self.name.clone(), offset, source }
    }
}

/// An error of the store, or of the decryption that sits on it.
fn source_error(name: String, offset: u64, error: io::Error) -> ReadError {
    match error.kind() {
        // age reports a chunk that does not authenticate, and an end without the final one.
        io::ErrorKind::InvalidData => {
            let source = Damage::Decoder { reason: error.to_string() };
            ReadError::Damaged { name, offset, source }
        }
        io::ErrorKind::UnexpectedEof => ReadError::CutOff { name, offset },
        _ => ReadError::Source { name, offset, source: Arc::new(error) },
    }
}

/// A stream taken for foreign because of its first bytes. If it ends in our mark, those bytes are
/// damaged, which a lenient decoder would not have noticed.
struct NotOurs<R> {
    inner: R,
    mark: Vec<u8>,
    tail: Vec<u8>,
}

impl<R: Read> NotOurs<R> {
    fn new(inner: R, compression: Compression) -> Self {
        Self { inner, mark: end_mark(compression), tail: Vec::new() }
    }
}

impl<R: Read> Read for NotOurs<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0 && !buffer.is_empty() && !self.mark.is_empty() && self.tail == self.mark {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "first header is damaged"));
        }
        let fresh = buffer.get(..read).unwrap_or_default();
        let kept = self.mark.len();
        self.tail.extend_from_slice(fresh.get(read.saturating_sub(kept)..).unwrap_or_default());
        let surplus = self.tail.len().saturating_sub(kept);
        self.tail.drain(..surplus);
        Ok(read)
    }
}
