//! One gzip member or zstd frame back to its block.
use super::error::Damage;
use crate::pipeline::{
    compress::{GZIP_HEADER_BYTES, GZIP_TRAILER_BYTES},
    encoding::Compression,
};
use std::io;

/// Decompressor of one thread for whole members and frames.
pub(super) enum Decompressor {
    /// Blocks as they are.
    None,
    /// gzip members of ours.
    Gzip(libdeflater::Decompressor),
    /// zstd frames that state their length.
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Decompressor {
    pub(super) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip(libdeflater::Decompressor::new()),
            Compression::Zstd => Self::Zstd(zstd::bulk::Decompressor::new()?),
        })
    }

    /// Decompresses one whole member or frame, whose content is `content.len()` bytes long.
    pub(super) fn decompress(&mut self, packed: &[u8], content: &mut [u8]) -> Result<(), Damage> {
        match self {
            Self::None => {
                if packed.len() != content.len() {
                    return Err(Damage::ContentLength);
                }
                content.copy_from_slice(packed);
                Ok(())
            }
            Self::Gzip(gzip) => gunzip(gzip, packed, content),
            Self::Zstd(zstd) => {
                let len = zstd
                    .decompress_to_buffer(packed, content)
                    .map_err(|error| Damage::Decoder { reason: error.to_string() })?;
                if len == content.len() { Ok(()) } else { Err(Damage::ContentLength) }
            }
        }
    }
}

fn gunzip(
    gzip: &mut libdeflater::Decompressor,
    member: &[u8],
    content: &mut [u8],
) -> Result<(), Damage> {
    let end = member.len().saturating_sub(GZIP_TRAILER_BYTES);
    let deflate = member.get(GZIP_HEADER_BYTES..end).ok_or(Damage::ContentLength)?;
    let (crc, content_bytes) = gzip_trailer(member).ok_or(Damage::ContentLength)?;
    if usize::try_from(content_bytes) != Ok(content.len()) {
        return Err(Damage::ContentLength);
    }
    let len = gzip.deflate_decompress(deflate, content).map_err(|_| Damage::Compressed)?;
    if len != content.len() {
        return Err(Damage::ContentLength);
    }
    if libdeflater::crc32(content) == crc { Ok(()) } else { Err(Damage::Checksum) }
}

/// CRC-32 and length of the content, as the member's last eight bytes state them.
pub(super) fn gzip_trailer(member: &[u8]) -> Option<(u32, u32)> {
    let (rest, content_bytes) = member.split_last_chunk::<4>()?;
    let (_, crc) = rest.split_last_chunk::<4>()?;
    Some((u32::from_le_bytes(*crc), u32::from_le_bytes(*content_bytes)))
}
