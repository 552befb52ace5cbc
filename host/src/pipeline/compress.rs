//! One block to one gzip member or zstd frame, and back. Stock `gzip` and `zstd` open a sequence of
//! them; ours ends in a mark, so that an artefact cut between two blocks is not taken for whole.
use super::encoding::{Compression, Container, Encoding};
use std::io;
use zstd::zstd_safe::{CParameter, Strategy};

mod texture;

use texture::{Probe, Texture};

/// libdeflate's level 5 stays within 2 % of `pigz` in size on InnoDB pages of text, at four times its
/// speed per core; level 4 does not stay within 3 % there. On noisy pages level 4 stays within 2.1 %,
/// and is 1.4 times as fast as level 5.
const GZIP_LEVEL_OF_FILES: i32 = 5;
/// A dump leaves less time for compression, because its server and its reader need the same cores:
/// level 4 saves a fifth of the work for 4 % of the size. So do noisy pages.
const GZIP_LEVEL_LESS: i32 = 4;
/// zstd's level 3 with smaller tables, which stay in the processor's caches: 1.6 % larger on text. On
/// noise one table of repetitions of at least six bytes is 2 % smaller than that, and 1.5 times as fast.
const ZSTD_LEVEL: i32 = 3;
const ZSTD_TEXT: [CParameter; 4] = [
    CParameter::Strategy(Strategy::ZSTD_dfast),
    CParameter::MinMatch(5),
    CParameter::HashLog(16),
    CParameter::ChainLog(14),
];
const ZSTD_NOISE: [CParameter; 4] = [
    CParameter::Strategy(Strategy::ZSTD_fast),
    CParameter::MinMatch(6),
    CParameter::HashLog(15),
    CParameter::ChainLog(14),
];

/// Bytes before the deflate data of our gzip members: fixed header and one extra subfield.
pub(super) const GZIP_HEADER_BYTES: usize = 20;
/// Bytes behind the deflate data: CRC-32 and length of the content.
pub(super) const GZIP_TRAILER_BYTES: usize = 8;
/// Header up to the member's size: magic, deflate, FEXTRA, no time, no hints, unknown system, eight
/// bytes of extra field, subfield `DB` of four bytes.
const GZIP_PREFIX: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, b'D', b'B', 4, 0];
/// An empty deflate stream: one final block of fixed codes.
const EMPTY_DEFLATE: [u8; 2] = [3, 0];
/// A zstd skippable frame with eight bytes of content; decoders pass over it.
pub(super) const ZSTD_END: [u8; 16] = *b"\x5d\x2a\x4d\x18\x08\x00\x00\x00dbbackup";

/// Compressor of one thread.
pub(super) enum Compressor {
    /// Blocks stay as they are.
    None,
    /// gzip members.
    Gzip(Box<Gzip>),
    /// zstd frames.
    Zstd(Zstd),
}

/// Two levels, one for each texture.
pub(super) struct Gzip {
    probe: Probe,
    text: libdeflater::Compressor,
    noise: libdeflater::Compressor,
}

/// One level, with a search for each texture.
pub(super) struct Zstd {
    probe: Probe,
    zstd: zstd::bulk::Compressor<'static>,
}

impl Compressor {
    /// A compressor at the level that is right for all data of a container.
    pub(super) fn new(encoding: Encoding) -> io::Result<Self> {
        Ok(match encoding.compression() {
            Compression::None => Self::None,
            Compression::Gzip => {
                let text = match encoding.container() {
                    Container::Sql => GZIP_LEVEL_LESS,
                    Container::Tar | Container::Directory => GZIP_LEVEL_OF_FILES,
                };
                let (probe, text) = (Probe::new()?, deflate(text)?);
                Self::Gzip(Box::new(Gzip { probe, text, noise: deflate(GZIP_LEVEL_LESS)? }))
            }
            Compression::Zstd => {
                let mut zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
                zstd.set_parameter(CParameter::ChecksumFlag(true))?;
                zstd.set_parameter(CParameter::ContentSizeFlag(true))?;
                Self::Zstd(Zstd { probe: Probe::new()?, zstd })
            }
        })
    }

    /// Writes `block` compressed into `packed`; answers false if it is to be stored as it is.
    pub(super) fn compress(&mut self, block: &[u8], packed: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Self::None => Ok(false),
            Self::Gzip(gzip) => gzip.compress(block, packed).map(|()| true),
            Self::Zstd(zstd) => zstd.compress(block, packed).map(|()| true),
        }
    }
}

impl Gzip {
    fn compress(&mut self, block: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        let deflate = match self.probe.look(block)? {
            Texture::Repetitive => &mut self.text,
            Texture::Noisy => &mut self.noise,
        };
        gzip_member(deflate, block, packed)
    }
}

impl Zstd {
    fn compress(&mut self, block: &[u8], packed: &mut Vec<u8>) -> io::Result<()> {
        let search = match self.probe.look(block)? {
            Texture::Repetitive => ZSTD_TEXT,
            Texture::Noisy => ZSTD_NOISE,
        };
        search.into_iter().try_for_each(|parameter| self.zstd.set_parameter(parameter))?;
        packed.resize(zstd::zstd_safe::compress_bound(block.len()), 0);
        let len = self.zstd.compress_to_buffer(block, packed.as_mut_slice())?;
        packed.truncate(len);
        Ok(())
    }
}

fn deflate(level: i32) -> io::Result<libdeflater::Compressor> {
    let level = libdeflater::CompressionLvl::new(level)
        .map_err(|error| io::Error::other(format!("{error:?}")))?;
    Ok(libdeflater::Compressor::new(level))
}

/// Bytes that end an artefact: a member or frame without content, marked as ours.
pub(super) fn end_mark(compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => Vec::new(),
        Compression::Zstd => ZSTD_END.to_vec(),
        Compression::Gzip => {
            let mut member = vec![0; GZIP_HEADER_BYTES];
            member.extend(EMPTY_DEFLATE);
            member.extend([0; GZIP_TRAILER_BYTES]);
            fill_gzip_header(&mut member);
            member
        }
    }
}

fn gzip_member(
    gzip: &mut libdeflater::Compressor,
    block: &[u8],
    packed: &mut Vec<u8>,
) -> io::Result<()> {
    let bound = gzip.deflate_compress_bound(block.len());
    packed.resize(GZIP_HEADER_BYTES + bound + GZIP_TRAILER_BYTES, 0);
    let deflate = packed.get_mut(GZIP_HEADER_BYTES..).unwrap_or_default();
    let len = gzip
        .deflate_compress(block, deflate)
        .map_err(|error| io::Error::other(error.to_string()))?;
    packed.truncate(GZIP_HEADER_BYTES + len);
    packed.extend(libdeflater::crc32(block).to_le_bytes());
    let content_bytes = u32::try_from(block.len()).map_err(io::Error::other)?;
    packed.extend(content_bytes.to_le_bytes());
    fill_gzip_header(packed);
    Ok(())
}

/// Writes the header of a complete member, whose own length it carries.
fn fill_gzip_header(member: &mut [u8]) {
    // A block is bounded far below 4 GiB, so that the length always fits.
    let member_bytes = u32::try_from(member.len()).unwrap_or(u32::MAX);
    let header = GZIP_PREFIX.into_iter().chain(member_bytes.to_le_bytes());
    for (place, byte) in member.iter_mut().zip(header) {
        *place = byte;
    }
}

/// Length of the whole member that starts with this header; none if it is not one of ours.
pub(super) fn gzip_member_bytes(header: &[u8; GZIP_HEADER_BYTES]) -> Option<u32> {
    let (prefix, member_bytes) = header.split_last_chunk::<4>()?;
    (prefix == GZIP_PREFIX).then(|| u32::from_le_bytes(*member_bytes))
}
