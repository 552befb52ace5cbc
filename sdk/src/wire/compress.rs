//! Protocol compression: the stream of packets, cut anywhere, inside compressed ones.
//!
//! A compressed packet begins with seven bytes: its length (3), its number, and the length of what is
//! in it (3), where 0 says that its content is not compressed. Compression begins after the login and
//! lies below the packets and above TLS.

use std::io::{self, Read, Write};

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};
use serde::{Deserialize, Serialize};
use zstd::bulk;

/// Bytes before the content.
const HEADER: usize = 7;
/// Less is sent as it is: the header alone would be a good part of it.
const LEAST_BYTES: usize = 50;
/// Content is compressed when so much has come together, or when it must go.
const COLLECT_BYTES: usize = 256 * 1024;
/// zstd's level, which the server is told for its side. Higher ones cost it more than the network.
pub(crate) const ZSTD_LEVEL: u8 = 3;
/// zlib's own default, and what servers use.
const ZLIB_LEVEL: u32 = 6;

/// How packets are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Every server has it. Slower than most networks of a data centre.
    Zlib,
    /// MySQL 8.0.18 and later.
    Zstd,
}

impl Compression {
    /// As the server's `protocol_compression_algorithms` spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}

/// Opens what the server sends.
pub(crate) struct Inflater {
    algorithm: Decoder,
    packet: Vec<u8>,
    content: Vec<u8>,
    taken: usize,
}

enum Decoder {
    Zlib(Decompress),
    Zstd(bulk::Decompressor<'static>),
}

impl Inflater {
    pub(crate) fn new(compression: Compression) -> io::Result<Self> {
        let algorithm = match compression {
            Compression::Zlib => Decoder::Zlib(Decompress::new(true)),
            Compression::Zstd => Decoder::Zstd(bulk::Decompressor::new()?),
        };
        Ok(Self { algorithm, packet: Vec::new(), content: Vec::new(), taken: 0 })
    }

    /// As [`Read::read`]; `number` gets the number of each compressed packet on the way.
    ///
    /// # Errors
    /// Those of `from`, and `InvalidData` for what is no compressed packet.
    pub(crate) fn read(
        &mut self,
        from: &mut impl Read,
        buffer: &mut [u8],
        number: &mut u8,
    ) -> io::Result<usize> {
        // An empty packet is legal, and no end of the stream.
        while self.taken == self.content.len() && !buffer.is_empty() {
            *number = self.next(from)?;
        }
        let mut left = self.content.get(self.taken..).unwrap_or_default();
        let count = left.read(buffer)?;
        self.taken += count;
        Ok(count)
    }

    fn next(&mut self, from: &mut impl Read) -> io::Result<u8> {
        let mut header = [0; HEADER];
        from.read_exact(&mut header)?;
        let [a, b, c, number, d, e, f] = header;
        let length = |low, middle, high| usize::from_le_bytes([low, middle, high, 0, 0, 0, 0, 0]);
        let (packet_bytes, content_bytes) = (length(a, b, c), length(d, e, f));
        self.packet.resize(packet_bytes, 0);
        from.read_exact(&mut self.packet)?;
        self.taken = 0;
        if content_bytes == 0 {
            std::mem::swap(&mut self.packet, &mut self.content);
            return Ok(number);
        }
        // The buffer is never longer than three bytes can say.
        self.content.resize(content_bytes, 0);
        let found = self.algorithm.decode(&self.packet, &mut self.content);
        if found == Some(content_bytes) {
            return Ok(number);
        }
        self.content.clear();
        Err(io::Error::new(io::ErrorKind::InvalidData, "a compressed packet that cannot be opened"))
    }
}

impl Decoder {
    /// Bytes of the content, if `packet` is one whole piece of compressed content that fits.
    fn decode(&mut self, packet: &[u8], content: &mut [u8]) -> Option<usize> {
        match self {
            Self::Zlib(zlib) => {
                zlib.reset(true);
                let status = zlib.decompress(packet, content, FlushDecompress::Finish).ok()?;
                let is_whole =
                    status == Status::StreamEnd && zlib.total_in() == packet.len() as u64;
                is_whole.then(|| usize::try_from(zlib.total_out()).ok()).flatten()
            }
            Self::Zstd(zstd) => zstd.decompress_to_buffer(packet, content).ok(),
        }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflater")
    }
}

/// Packs what we send. The login is over when it begins, so that it sees no password of ours.
pub(crate) struct Deflater {
    algorithm: Encoder,
    content: Vec<u8>,
    packed: Vec<u8>,
}

enum Encoder {
    Zlib(Compress),
    Zstd(bulk::Compressor<'static>),
}

impl Deflater {
    pub(crate) fn new(compression: Compression) -> io::Result<Self> {
        let algorithm = match compression {
            Compression::Zlib => {
                Encoder::Zlib(Compress::new(flate2::Compression::new(ZLIB_LEVEL), true))
            }
            Compression::Zstd => Encoder::Zstd(bulk::Compressor::new(i32::from(ZSTD_LEVEL))?),
        };
        Ok(Self { algorithm, content: Vec::new(), packed: Vec::new() })
    }

    /// Takes bytes, and sends them once enough have come together.
    pub(crate) fn write(
        &mut self,
        to: &mut impl Write,
        bytes: &[u8],
        number: &mut u8,
    ) -> io::Result<()> {
        for part in bytes.chunks(COLLECT_BYTES) {
            self.content.extend_from_slice(part);
            if self.content.len() >= COLLECT_BYTES {
                self.send(to, number)?;
            }
        }
        Ok(())
    }

    /// Sends what is left.
    pub(crate) fn flush(&mut self, to: &mut impl Write, number: &mut u8) -> io::Result<()> {
        if !self.content.is_empty() {
            self.send(to, number)?;
        }
        to.flush()
    }

    fn send(&mut self, to: &mut impl Write, number: &mut u8) -> io::Result<()> {
        let is_packed = self.content.len() >= LEAST_BYTES
            && self.algorithm.encode(&self.content, &mut self.packed)?
            && self.packed.len() < self.content.len();
        let (body, content_bytes) = match is_packed {
            true => (&self.packed, self.content.len()),
            false => (&self.content, 0),
        };
        let [a, b, c, ..] = body.len().to_le_bytes();
        let [d, e, f, ..] = content_bytes.to_le_bytes();
        to.write_all(&[a, b, c, *number, d, e, f])?;
        *number = number.wrapping_add(1);
        to.write_all(body)?;
        self.content.clear();
        Ok(())
    }
}

impl Encoder {
    /// Whether the content fitted into its own length: else it is not worth it.
    fn encode(&mut self, content: &[u8], packed: &mut Vec<u8>) -> io::Result<bool> {
        packed.clear();
        match self {
            Self::Zlib(zlib) => {
                zlib.reset();
                packed.reserve(content.len());
                let status = zlib.compress_vec(content, packed, FlushCompress::Finish)?;
                Ok(status == Status::StreamEnd)
            }
            Self::Zstd(zstd) => {
                *packed = zstd.compress(content)?;
                Ok(true)
            }
        }
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflater")
    }
}

#[cfg(test)]
mod tests;
