//! The checksum formulas of InnoDB pages, as the servers' sources state them
//! (`docs/innodb-pages.md` names the source of each and lists what it leaves uncovered).

use super::page::{FIL_PAGE_DATA, FLUSH_LSN, LSN, PAGE_NUMBER, PAGE_TYPE, Page, SPACE_ID};

/// Stored in both checksum fields by `innodb_checksum_algorithm=none`.
pub(super) const NO_CHECKSUM_MAGIC: u32 = 0xDEAD_BEEF;

/// Bytes at the end of a page that the legacy formulas leave out: checksum and LSN trailer.
const LEGACY_TRAILER_BYTES: usize = 8;

/// Bytes of the checksum at the end of a `full_crc32` page.
pub(super) const FULL_CRC32_BYTES: usize = 4;

const HASH_MASK: u32 = 1_463_735_687;
const HASH_MASK_2: u32 = 1_653_893_711;

/// `innodb_checksum_algorithm=crc32`: CRC-32C of the header before the flush LSN, XOR that of
/// the body without its trailer (`buf_calc_page_crc32` in MySQL's buf/checksum.cc).
pub(super) fn crc32(page: Page<'_>) -> u32 {
    let body = page.bytes(FIL_PAGE_DATA, page.len().saturating_sub(LEGACY_TRAILER_BYTES));
    crc32c::crc32c(page.bytes(PAGE_NUMBER, FLUSH_LSN)) ^ crc32c::crc32c(body)
}

/// `innodb_checksum_algorithm=innodb`, header field: the sum of two folds over the same bytes as
/// [`crc32`] (`buf_calc_page_new_checksum`).
pub(super) fn innodb_new(page: Page<'_>) -> u32 {
    let body = page.bytes(FIL_PAGE_DATA, page.len().saturating_sub(LEGACY_TRAILER_BYTES));
    fold(page.bytes(PAGE_NUMBER, FLUSH_LSN)).wrapping_add(fold(body))
}

/// `innodb_checksum_algorithm=innodb`, trailer field: the fold of the header before the flush
/// LSN, header checksum included (`buf_calc_page_old_checksum`).
pub(super) fn innodb_old(page: Page<'_>) -> u32 {
    fold(page.bytes(0, FLUSH_LSN))
}

/// The CRC-32C of a `ROW_FORMAT=COMPRESSED` page: three parts XORed, without the checksum, the
/// page LSN and the flush LSN (`page_zip_calc_checksum`).
pub(super) fn zip_crc32(page: Page<'_>) -> u32 {
    crc32c::crc32c(page.bytes(PAGE_NUMBER, LSN))
        ^ crc32c::crc32c(page.bytes(PAGE_TYPE, FLUSH_LSN))
        ^ crc32c::crc32c(page.bytes(SPACE_ID, page.len()))
}

/// The Adler-32 of a `ROW_FORMAT=COMPRESSED` page over the bytes of [`zip_crc32`], begun at zero
/// instead of one (`page_zip_calc_checksum` for `innodb`).
pub(super) fn zip_innodb(page: Page<'_>) -> u32 {
    let mut adler = AdlerFromZero::default();
    adler.update(page.bytes(PAGE_NUMBER, LSN));
    adler.update(page.bytes(PAGE_TYPE, FLUSH_LSN));
    adler.update(page.bytes(SPACE_ID, page.len()));
    adler.value()
}

/// MariaDB's `full_crc32`: CRC-32C of everything before the last four bytes (`ut_crc32` in
/// `buf_page_is_corrupted`).
pub(super) fn full_crc32(page: Page<'_>) -> u32 {
    crc32c::crc32c(page.bytes(0, page.len().saturating_sub(FULL_CRC32_BYTES)))
}

/// `ut_fold_binary`. The servers compute in machine words and keep the low 32 bits; shifts to
/// the left, sums and XORs never carry downwards, so 32 bits give the same.
fn fold(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0_u32, |folded, &byte| {
        let byte = u32::from(byte);
        ((folded ^ byte ^ HASH_MASK_2).wrapping_shl(8).wrapping_add(folded) ^ HASH_MASK)
            .wrapping_add(byte)
    })
}

/// Adler-32 with both sums begun at zero.
#[derive(Default)]
struct AdlerFromZero {
    bytes: u32,
    sums: u32,
}

impl AdlerFromZero {
    const MODULUS: u32 = 65_521;
    /// The most bytes whose sums fit into 32 bits before a reduction.
    const CHUNK_BYTES: usize = 5_552;

    fn update(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(Self::CHUNK_BYTES) {
            for &byte in chunk {
                self.bytes += u32::from(byte);
                self.sums += self.bytes;
            }
            self.bytes %= Self::MODULUS;
            self.sums %= Self::MODULUS;
        }
    }

    fn value(&self) -> u32 {
        (self.sums << 16) | self.bytes
    }
}
