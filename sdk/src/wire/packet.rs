//! Packets: a header of three length bytes and a sequence number before each piece of a payload.
//!
//! A payload of 16 MiB - 1 or more comes in several pieces. The reader hands out a whole payload as
//! one slice of its buffer: what fits into one piece is never copied after the socket filled it.

use std::{
    io::{self, Read, Write},
    ops::Range,
};

use zeroize::Zeroize;

use crate::wire::WireError;

/// Longest piece; exactly this length says that another one follows.
pub(crate) const MAX_PIECE: usize = 0xff_ffff;
const HEADER: usize = 4;
/// Room of the receive buffer before a longer packet makes it grow.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// Slices shorter than this are gathered before they are written.
const GATHER_BYTES: usize = 64 * 1024;
/// Largest payload accepted: the largest `max_allowed_packet` is 1 GiB, and a row may exceed it a
/// little by its length bytes.
pub(crate) const MAX_PAYLOAD_BYTES: usize = (1 << 30) + (1 << 24);

/// How sequence numbers run in the dialogue that the connection is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SequenceRule {
    /// From 0 at each command, then one up for each packet of either side: the plain protocol.
    #[default]
    Command,
    /// From 0 at every payload, in both directions: the clone protocol.
    EachPayload,
    /// Sent as under `Command`, not checked when received: semi-synchronous replication.
    Unchecked,
}

/// The sequence number that comes next.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) rule: SequenceRule,
    /// Under compression the server numbers packets anew whenever it has sent some.
    pub(crate) compressed: bool,
    next: u8,
}

impl Sequence {
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    fn begin_payload(&mut self) {
        if self.rule == SequenceRule::EachPayload {
            self.next = 0;
        }
    }

    fn take(&mut self) -> u8 {
        let current = self.next;
        self.next = current.wrapping_add(1);
        current
    }

    /// An error packet may come at any time, for instance when the server shuts down.
    #[inline]
    fn check(&mut self, received: u8, is_error: bool) -> Result<(), WireError> {
        let expected = self.next;
        self.next = received.wrapping_add(1);
        let is_checked = self.rule != SequenceRule::Unchecked && !self.compressed;
        if received == expected || is_error || !is_checked {
            return Ok(());
        }
        Err(WireError::malformed("packet sequence"))
    }
}

/// Why the stream under the packets failed.
#[derive(Debug)]
pub(crate) enum FrameError {
    Io(io::Error),
    Wire(WireError),
}

impl From<WireError> for FrameError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// Reads payloads through one growing buffer.
#[derive(Debug)]
pub(crate) struct PacketReader {
    buffer: Vec<u8>,
    /// First byte not handed out yet, and first byte not filled yet.
    start: usize,
    end: usize,
    limit: usize,
}

impl PacketReader {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; READ_BUFFER_BYTES], start: 0, end: 0, limit: MAX_PAYLOAD_BYTES }
    }

    /// Refuses payloads over `bytes` from now on.
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Whether bytes were received that nobody has read yet.
    pub(crate) fn has_unread(&self) -> bool {
        self.start < self.end
    }

    /// Where the next payload lies in the buffer, whole, until the next read.
    #[inline]
    pub(crate) fn read<T: Read>(
        &mut self,
        from: &mut T,
        sequence: &mut Sequence,
    ) -> Result<Range<usize>, FrameError> {
        sequence.begin_payload();
        self.ensure(from, HEADER)?;
        let (length, number) = self.header(self.start)?;
        self.ensure(from, HEADER + length)?;
        let first = self.start + HEADER;
        sequence.check(number, self.buffer.get(first) == Some(&0xff))?;
        if length == MAX_PIECE {
            return self.read_continued(from, sequence);
        }
        self.start = first + length;
        Ok(first..first + length)
    }

    /// Closes the gaps that the headers of the further pieces leave.
    fn read_continued<T: Read>(
        &mut self,
        from: &mut T,
        sequence: &mut Sequence,
    ) -> Result<Range<usize>, FrameError> {
        let mut length = MAX_PIECE;
        loop {
            self.ensure(from, HEADER + length + HEADER)?;
            let gap = self.start + HEADER + length;
            let (piece, number) = self.header(gap)?;
            sequence.check(number, false)?;
            // Moved before the piece is awaited: only what is buffered already has to move.
            self.buffer.copy_within(gap + HEADER..self.end, gap);
            self.end -= HEADER;
            length += piece;
            self.ensure(from, HEADER + length)?;
            if piece < MAX_PIECE {
                let first = self.start + HEADER;
                self.start = first + length;
                return Ok(first..first + length);
            }
        }
    }

    #[inline]
    fn header(&self, at: usize) -> Result<(usize, u8), WireError> {
        let Some([a, b, c, number]) = self.buffer.get(at..).and_then(|rest| rest.first_chunk())
        else {
            return Err(WireError::malformed("packet header"));
        };
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        Ok((length, *number))
    }

    #[inline]
    pub(crate) fn slice(&self, range: Range<usize>) -> Result<&[u8], WireError> {
        self.buffer.get(range).ok_or(WireError::Malformed { what: "packet" })
    }

    /// Makes sure that `count` bytes from `start` on are received.
    #[inline]
    fn ensure<T: Read>(&mut self, from: &mut T, count: usize) -> Result<(), FrameError> {
        if self.end - self.start >= count {
            return Ok(());
        }
        self.fill(from, count)
    }

    #[cold]
    fn fill<T: Read>(&mut self, from: &mut T, count: usize) -> Result<(), FrameError> {
        if count > self.limit {
            let bytes = count as u64;
            let limit_bytes = self.limit as u64;
            return Err(WireError::PacketTooLarge { bytes, limit_bytes }.into());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count.next_multiple_of(READ_BUFFER_BYTES), 0);
        }
        while self.end < count {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match from.read(room) {
                Ok(0) => return Err(FrameError::Io(io::ErrorKind::UnexpectedEof.into())),
                Ok(received) => self.end += received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        Ok(())
    }
}

/// Writes a payload given as `parts`, in as many pieces as it needs.
pub(crate) fn write_parts<T: Write>(
    to: &mut T,
    sequence: &mut Sequence,
    parts: &[&[u8]],
) -> io::Result<()> {
    sequence.begin_payload();
    let mut left: usize = parts.iter().map(|part| part.len()).sum();
    let mut gathered = Vec::with_capacity(left.min(2 * GATHER_BYTES) + 2 * HEADER);
    let mut piece = put_header(&mut gathered, left, sequence);
    let mut room = piece;
    for part in parts {
        let mut part = *part;
        while !part.is_empty() {
            let (now, later) = part.split_at_checked(room).unwrap_or((part, &[]));
            if now.len() < GATHER_BYTES {
                gathered.extend_from_slice(now);
            } else {
                to.write_all(&gathered)?;
                gathered.clear();
                to.write_all(now)?;
            }
            part = later;
            room -= now.len();
            left -= now.len();
            if gathered.len() >= GATHER_BYTES {
                to.write_all(&gathered)?;
                gathered.clear();
            }
            // A full piece is followed by another one, be it empty.
            if room == 0 && piece == MAX_PIECE {
                piece = put_header(&mut gathered, left, sequence);
                room = piece;
            }
        }
    }
    to.write_all(&gathered)?;
    // A small payload may be a password.
    gathered.zeroize();
    to.flush()
}

/// Appends the header of the next piece of a payload of which `left` bytes remain.
fn put_header(to: &mut Vec<u8>, left: usize, sequence: &mut Sequence) -> usize {
    let length = left.min(MAX_PIECE);
    let [a, b, c, ..] = length.to_le_bytes();
    to.extend([a, b, c, sequence.take()]);
    length
}

/// Collects a payload of unknown length and writes each full piece as soon as it is there.
#[derive(Debug, Default)]
pub(crate) struct PieceBuffer {
    bytes: Vec<u8>,
}

impl PieceBuffer {
    pub(crate) fn push<T: Write>(
        &mut self,
        to: &mut T,
        sequence: &mut Sequence,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        loop {
            let room = MAX_PIECE - self.bytes.len();
            let Some((now, later)) = bytes.split_at_checked(room) else {
                self.bytes.extend_from_slice(bytes);
                return Ok(());
            };
            self.bytes.extend_from_slice(now);
            self.write_piece(to, sequence)?;
            bytes = later;
        }
    }

    /// Writes the last piece, which is shorter than a full one and may be empty.
    pub(crate) fn finish<T: Write>(
        &mut self,
        to: &mut T,
        sequence: &mut Sequence,
    ) -> io::Result<()> {
        self.write_piece(to, sequence)?;
        to.flush()
    }

    fn write_piece<T: Write>(&mut self, to: &mut T, sequence: &mut Sequence) -> io::Result<()> {
        let mut header = Vec::with_capacity(HEADER);
        put_header(&mut header, self.bytes.len(), sequence);
        to.write_all(&header)?;
        to.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
