//! Which bytes of a page its format covers: the tables of `docs/innodb-pages.md` written down a
//! second time, apart from the check itself.

use dbbackup::pipeline::pages::{Layout, TablespaceFormat};
use std::io::Read as _;
use std::ops::Range;

/// What a page is, as far as coverage goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    Plain,
    CompressedRows,
    NoChecksum,
    NoChecksumCompressedRows,
    Empty,
    MysqlCompressed,
    MysqlEncrypted,
    MysqlCompressedEncrypted,
    MariadbCompressed,
    MariadbCompressedEncrypted,
    MariadbEncrypted,
    MariadbEncryptedCompressedRows,
    FullCrc32,
    FullCrc32Encrypted,
    FullCrc32Compressed,
}

impl PageKind {
    pub(super) fn of(format: &TablespaceFormat, page: &[u8]) -> Self {
        let is_zip = format.zip_size_bytes.is_some();
        if format.layout == Layout::FullCrc32 {
            return match (u16_at(page, 24) & 0x8000, u32_at(page, 0)) {
                (0, 0) => Self::FullCrc32,
                (0, _) => Self::FullCrc32Encrypted,
                _ => Self::FullCrc32Compressed,
            };
        }
        match u16_at(page, 24) {
            _ if page.iter().all(|&byte| byte == 0) => Self::Empty,
            14 => Self::MysqlCompressed,
            15 | 17 => Self::MysqlEncrypted,
            16 => Self::MysqlCompressedEncrypted,
            34354 => Self::MariadbCompressed,
            37401 => Self::MariadbCompressedEncrypted,
            // R-tree pages of MySQL count their splits in these bytes, far below 2^32.
            _ if u32_at(page, 26) != 0 && is_zip => Self::MariadbEncryptedCompressedRows,
            _ if u32_at(page, 26) != 0 => Self::MariadbEncrypted,
            _ if u32_at(page, 0) == 0xDEAD_BEEF && is_zip => Self::NoChecksumCompressedRows,
            _ if u32_at(page, 0) == 0xDEAD_BEEF => Self::NoChecksum,
            _ if is_zip => Self::CompressedRows,
            _ => Self::Plain,
        }
    }

    /// Whether pages of this kind say by a checksum that they are what was written.
    pub(super) fn has_checksum(self) -> bool {
        !matches!(self, Self::NoChecksum | Self::NoChecksumCompressedRows)
    }

    /// Whether a page is of this kind, for the kinds that a table is made for.
    pub(super) fn is_kind_of(self, page: &[u8]) -> bool {
        let page_type = u16_at(page, 24);
        let in_use = page.iter().any(|&byte| byte != 0);
        match self {
            Self::MysqlCompressed => page_type == 14,
            Self::MysqlEncrypted => page_type == 15 || page_type == 17,
            Self::MysqlCompressedEncrypted => page_type == 16,
            Self::MariadbCompressed => page_type == 34354,
            Self::MariadbCompressedEncrypted => page_type == 37401,
            Self::MariadbEncrypted => u32_at(page, 26) != 0,
            Self::FullCrc32Compressed => page_type & 0x8000 != 0,
            Self::FullCrc32Encrypted => u32_at(page, 0) != 0,
            Self::NoChecksum => u32_at(page, 0) == 0xDEAD_BEEF,
            _ => in_use,
        }
    }

    pub(super) fn covers(self, page: &[u8], at: usize) -> bool {
        self.covered(page).iter().any(|range| range.contains(&at))
    }

    fn covered(self, page: &[u8]) -> Vec<Range<usize>> {
        let size = page.len();
        match self {
            Self::Plain | Self::Empty => vec![0..26, 34..size],
            Self::CompressedRows => vec![0..16, 24..26, 34..size],
            Self::NoChecksum => vec![0..8, 20..24, 34..38, size - 8..size],
            Self::NoChecksumCompressedRows => vec![0..8, 34..38],
            Self::MysqlCompressed => up_to(38 + usize::from(u16_at(page, 32))),
            Self::MysqlEncrypted => vec![4..8, 24..26, 34..38],
            Self::MysqlCompressedEncrypted => vec![4..8, 24..28, 30..32, 34..38],
            Self::MariadbCompressed => up_to(40 + usize::from(u16_at(page, 38))),
            Self::MariadbCompressedEncrypted => {
                vec![0..26, 30..42 + usize::from(u16_at(page, 38))]
            }
            Self::MariadbEncrypted => vec![0..26, 30..size],
            Self::MariadbEncryptedCompressedRows => vec![4..16, 24..26, 30..size],
            Self::FullCrc32 | Self::FullCrc32Encrypted => up_to(size),
            Self::FullCrc32Compressed => up_to(usize::from(u16_at(page, 24) & 0x7FFF) * 256),
        }
    }

    /// Whether a page and its damaged twin hold streams that decompress to the same bytes: the
    /// flip hit padding, or a distance into a run of equal bytes, which nothing covers.
    pub(super) fn opens_alike(self, page: &[u8], twin: &[u8]) -> bool {
        let (stream, size, algorithm) = match self {
            Self::MysqlCompressed => (38, u16_at(page, 32), u16_at(page, 26) & 0xFF),
            Self::MariadbCompressed => (40, u16_at(page, 38), u16_at(page, 32)),
            _ => return false,
        };
        let end = stream + usize::from(size);
        let opened = |page: &[u8]| opened(algorithm, &page[stream..end], page.len());
        page[..stream] == twin[..stream] && opened(page).is_some() && opened(page) == opened(twin)
    }
}

fn up_to(end: usize) -> Vec<Range<usize>> {
    std::iter::once(0..end).collect()
}

fn opened(algorithm: u16, stream: &[u8], page_bytes: usize) -> Option<Vec<u8>> {
    if algorithm == 2 {
        return lz4_flex::block::decompress(stream, page_bytes).ok();
    }
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(stream).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn u16_at(page: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([page[at], page[at + 1]])
}

fn u32_at(page: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]])
}
