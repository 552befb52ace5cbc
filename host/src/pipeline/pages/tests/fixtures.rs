//! One small real tablespace of each format: good as it is, and bad at exactly the bytes that
//! its format covers. How the files were made is in `fixtures/README.md`.

use std::ops::Range;

use super::super::packed;
use super::super::page::Page;
use super::super::{FileHint, PageCheck, PagePlan, UncheckedReason};
use super::{check, check_strictly};

/// A real tablespace, and one page of it for the test of every byte.
pub(super) struct Fixture {
    pub(super) name: &'static str,
    packed: &'static [u8],
    pub(super) page_bytes: usize,
    page: usize,
    checked: u64,
    unchecked: Option<(UncheckedReason, u64)>,
    covered: fn(&[u8]) -> Vec<Range<usize>>,
}

impl Fixture {
    pub(super) fn bytes(&self) -> Vec<u8> {
        zstd::decode_all(self.packed).expect("fixture")
    }
}

macro_rules! fixture {
    ($name:literal, $page_bytes:expr, page $page:expr, $checked:expr, $unchecked:expr, $covered:expr) => {
        Fixture {
            name: $name,
            packed: include_bytes!(concat!("fixtures/", $name, ".ibd.zst")),
            page_bytes: $page_bytes,
            page: $page,
            checked: $checked,
            unchecked: $unchecked,
            covered: $covered,
        }
    };
}

const ENCRYPTED: UncheckedReason = UncheckedReason::Encrypted;
const NO_CHECKSUM: UncheckedReason = UncheckedReason::NoChecksum;

pub(super) const FIXTURES: &[Fixture] = &[
    fixture!("mysql-crc32", 16384, page 4, 5, None, plain),
    fixture!("mysql-4k-crc32", 4096, page 4, 5, None, plain),
    fixture!("mysql-innodb", 16384, page 4, 5, None, plain),
    fixture!("mysql-none", 16384, page 4, 0, Some((NO_CHECKSUM, 5)), without_checksum),
    fixture!("mysql-rtree", 16384, page 5, 6, None, plain),
    fixture!("mysql-zip1", 1024, page 4, 6, None, zip),
    fixture!("mysql-zip8", 8192, page 4, 5, None, zip),
    fixture!("mysql-zip8innodb", 8192, page 4, 5, None, zip),
    fixture!("mysql-zip8none", 8192, page 4, 0, Some((NO_CHECKSUM, 5)), zip_without_checksum),
    fixture!("mysql-zlib", 16384, page 4, 5, None, mysql_compressed),
    fixture!("mysql-lz4", 16384, page 4, 5, None, mysql_compressed),
    fixture!("mysql-encpc", 16384, page 4, 1, Some((ENCRYPTED, 4)), mysql_compressed_encrypted),
    fixture!("mysql-4k-encrtree", 4096, page 5, 1, Some((ENCRYPTED, 5)), mysql_encrypted),
    fixture!("mysql-4k-encrtree", 4096, page 4, 1, Some((ENCRYPTED, 5)), mysql_encrypted),
    fixture!("mysql-4k-zip2enc", 2048, page 4, 1, Some((ENCRYPTED, 5)), mysql_encrypted),
    fixture!("mariadb-full", 16384, page 3, 4, None, everything),
    fixture!("mariadb-fullpc", 16384, page 3, 4, None, full_crc32_compressed),
    fixture!("mariadb-4k-fullenc", 4096, page 3, 4, None, everything),
    fixture!("mariadb-4k-fullencpc", 4096, page 3, 4, None, full_crc32_compressed),
    fixture!("mariadb-old", 16384, page 3, 4, None, plain),
    fixture!("mariadb-oldpc", 16384, page 3, 4, None, mariadb_compressed),
    fixture!("mariadb-oldencpc", 16384, page 3, 4, None, mariadb_compressed_encrypted),
    fixture!("mariadb-4k-oldenc", 4096, page 3, 4, None, mariadb_encrypted),
    fixture!("mariadb-zip2", 2048, page 3, 4, None, zip),
    fixture!("mariadb-4k-zip1enc", 1024, page 3, 5, None, mariadb_zip_encrypted),
];

// What the docs say is covered, per format: written down a second time, apart from the check.

fn plain(page: &[u8]) -> Vec<Range<usize>> {
    vec![0..26, 34..page.len()]
}

fn without_checksum(page: &[u8]) -> Vec<Range<usize>> {
    vec![0..8, 20..24, 34..38, page.len() - 8..page.len()]
}

fn zip(page: &[u8]) -> Vec<Range<usize>> {
    vec![0..16, 24..26, 34..page.len()]
}

fn zip_without_checksum(_: &[u8]) -> Vec<Range<usize>> {
    vec![0..8, 34..38]
}

fn mysql_compressed(page: &[u8]) -> Vec<Range<usize>> {
    up_to(38 + size_at(page, 32))
}

fn mysql_encrypted(_: &[u8]) -> Vec<Range<usize>> {
    vec![4..8, 24..26, 34..38]
}

fn mysql_compressed_encrypted(_: &[u8]) -> Vec<Range<usize>> {
    vec![4..8, 24..28, 30..32, 34..38]
}

fn everything(page: &[u8]) -> Vec<Range<usize>> {
    up_to(page.len())
}

fn full_crc32_compressed(page: &[u8]) -> Vec<Range<usize>> {
    up_to((size_at(page, 24) & 0x7FFF) * 256)
}

fn mariadb_compressed(page: &[u8]) -> Vec<Range<usize>> {
    up_to(40 + size_at(page, 38))
}

fn mariadb_compressed_encrypted(page: &[u8]) -> Vec<Range<usize>> {
    vec![0..26, 30..42 + size_at(page, 38)]
}

fn mariadb_encrypted(page: &[u8]) -> Vec<Range<usize>> {
    vec![0..26, 30..page.len()]
}

fn mariadb_zip_encrypted(page: &[u8]) -> Vec<Range<usize>> {
    vec![4..16, 24..26, 30..page.len()]
}

fn up_to(end: usize) -> Vec<Range<usize>> {
    std::iter::once(0..end).collect()
}

fn size_at(page: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([page[at], page[at + 1]]))
}

#[test]
fn every_page_of_every_format_is_good() {
    for fixture in FIXTURES {
        let report = check_strictly(&fixture.bytes());
        assert!(report.is_good(), "{}: {:?}", fixture.name, report.counts.bad);
        assert_eq!(report.counts.pages_checked, fixture.checked, "{}", fixture.name);
        let unchecked: Vec<_> = report.counts.pages_unchecked.into_iter().collect();
        assert_eq!(unchecked, Vec::from_iter(fixture.unchecked), "{}", fixture.name);
        let format = report.format.expect("format");
        assert_eq!(format.physical_page_bytes() as usize, fixture.page_bytes, "{}", fixture.name);
    }
}

#[test]
fn a_flip_in_any_byte_of_a_page_is_found_exactly_where_the_format_covers_it() {
    for fixture in FIXTURES {
        let bytes = fixture.bytes();
        let plan = PagePlan::new(PageCheck::Strict, &FileHint::new("t/t.ibd"), &bytes);
        let from = fixture.page * fixture.page_bytes;
        let mut page = bytes[from..from + fixture.page_bytes].to_vec();
        let original = page.clone();
        let covered = (fixture.covered)(&page);
        for at in 0..page.len() {
            page[at] ^= 1 << (at % 8);
            let counts = plan.check_block(fixture.page as u64, &page);
            let expected = covered.iter().any(|range| range.contains(&at));
            let found = counts.bad_total == 1;
            assert!(
                found == expected || (!found && opens_alike(&original, &page)),
                "{} byte {at}: found {found}",
                fixture.name
            );
            page[at] ^= 1 << (at % 8);
        }
    }
}

/// Whether two compressed pages hold streams that decompress alike, though they differ.
fn opens_alike(page: &[u8], twin: &[u8]) -> bool {
    [packed::open_mysql, packed::open_mariadb].iter().any(|open| {
        let opened = open(Page(page));
        opened.is_ok() && opened == open(Page(twin)) && page[..38] == twin[..38]
    })
}

#[test]
fn a_flip_in_any_byte_of_page_0_spoils_page_0_alone() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.page_bytes <= 2048) {
        let mut bytes = fixture.bytes();
        for at in (0..fixture.page_bytes).filter(|at| !(16..24).contains(at)) {
            bytes[at] ^= 1 << (at % 8);
            let report = check_strictly(&bytes);
            let expected = !(26..34).contains(&at);
            assert_eq!(report.is_good(), !expected, "{} byte {at}", fixture.name);
            if expected {
                let bad = &report.counts.bad;
                assert_eq!((bad.len(), bad[0].page_number), (1, 0), "{} byte {at}", fixture.name);
            }
            bytes[at] ^= 1 << (at % 8);
        }
    }
}

#[test]
fn every_bit_of_the_flags_and_ids_in_page_0_counts() {
    for fixture in FIXTURES {
        let mut bytes = fixture.bytes();
        // Without a checksum, only what is said twice can be told wrong.
        let has_checksum = fixture.unchecked.is_none_or(|(reason, _)| reason != NO_CHECKSUM);
        let flags = if has_checksum { 54..58 } else { 0..4 };
        for at in (4..8).chain(34..42).chain(flags) {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let report = check_strictly(&bytes);
                assert!(!report.is_good(), "{} byte {at} bit {bit}", fixture.name);
                assert_eq!(report.counts.bad[0].page_number, 0, "{} byte {at}", fixture.name);
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn clone_base_files_are_counted_and_not_checked() {
    for fixture in FIXTURES {
        let mut bytes = fixture.bytes();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let report = check(PageCheck::AfterApply, "t/t.ibd", &bytes);
        assert!(report.is_good(), "{}", fixture.name);
        let pages = (bytes.len() / fixture.page_bytes) as u64;
        let unchecked = &report.counts.pages_unchecked;
        assert_eq!(unchecked.get(&UncheckedReason::AfterApply), Some(&pages), "{}", fixture.name);
    }
}
