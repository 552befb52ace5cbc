//! Torn pages are accepted only with an intact copy in the doublewrite area.

use super::super::checksum;
use super::super::page::Page;
use super::super::{DoublewriteCopies, FileKind, PageCheck, PageReport, UncheckedReason};
use super::check;
use super::fixtures::FIXTURES;

const PAGE: usize = 16384;

/// Half of page 4 is of an older write.
fn torn() -> Vec<u8> {
    let mut bytes = FIXTURES[0].bytes();
    bytes[4 * PAGE + 8192..5 * PAGE].fill(0);
    bytes
}

fn copy_of_page_4() -> Vec<u8> {
    FIXTURES[0].bytes()[4 * PAGE..5 * PAGE].to_vec()
}

fn settled(file: &[u8], area: &PageReport) -> PageReport {
    let mut copies = DoublewriteCopies::default();
    copies.collect(area);
    let mut report = check(PageCheck::Doublewrite, "t/t.ibd", file);
    report.settle_torn(&copies);
    report
}

#[test]
fn a_torn_page_is_undecided_until_the_doublewrite_area_was_read() {
    let report = check(PageCheck::Doublewrite, "t/t.ibd", &torn());
    assert_eq!((report.counts.bad_total, report.counts.torn.len()), (0, 1));
    assert!(!report.is_good());
}

#[test]
fn a_copy_in_a_doublewrite_file_repairs_it() {
    let mut slots = vec![0; 3 * PAGE];
    slots[PAGE..2 * PAGE].copy_from_slice(&copy_of_page_4());
    slots[2 * PAGE..].fill(0xA5);
    let area = check(PageCheck::Doublewrite, "#ib_16384_0.dblwr", &slots);
    assert_eq!((area.kind, area.is_good()), (FileKind::Doublewrite, true));
    assert_eq!((area.counts.pages_checked, area.counts.pages_empty), (1, 1));
    let unchecked = &area.counts.pages_unchecked;
    assert_eq!(unchecked.get(&UncheckedReason::DoublewriteSlot), Some(&1));
    let report = settled(&torn(), &area);
    assert!(report.is_good());
    assert_eq!(report.counts.pages_repairable, 1);
}

#[test]
fn a_damaged_copy_or_one_of_another_page_repairs_nothing() {
    let mut damaged = copy_of_page_4();
    damaged[5000] ^= 1;
    let other = FIXTURES[0].bytes()[3 * PAGE..4 * PAGE].to_vec();
    for slots in [damaged, other, Vec::new()] {
        let area = check(PageCheck::Doublewrite, "#ib_16384_0.dblwr", &slots);
        let report = settled(&torn(), &area);
        assert_eq!((report.counts.bad_total, report.counts.bad[0].page_number), (1, 4));
        assert!(!report.is_good());
    }
}

#[test]
fn the_doublewrite_blocks_of_the_system_tablespace_hold_copies_too() {
    let file = system_tablespace(&copy_of_page_4());
    let system = check(PageCheck::Doublewrite, "ibdata1", &file);
    assert_eq!((system.kind, system.is_good()), (FileKind::System, true));
    assert_eq!(system.format.and_then(|format| format.doublewrite_blocks), Some([64, 128]));
    let report = settled(&torn(), &system);
    assert_eq!((report.is_good(), report.counts.pages_repairable), (true, 1));
    // In strict mode as well: after a clean shutdown the blocks hold pages of other tablespaces.
    assert!(check(PageCheck::Strict, "ibdata1", &file).is_good());
}

/// A system tablespace of 192 pages with its doublewrite header, and one copy in the area.
fn system_tablespace(copy: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 192 * PAGE];
    let header = 5 * PAGE + PAGE - 200 + 10;
    file[header..header + 4].copy_from_slice(&536_853_855_u32.to_be_bytes());
    file[header + 4..header + 8].copy_from_slice(&64_u32.to_be_bytes());
    file[header + 8..header + 12].copy_from_slice(&128_u32.to_be_bytes());
    for number in [0_u8, 5] {
        let from = usize::from(number) * PAGE;
        let page = &mut file[from..from + PAGE];
        page[7] = number;
        page[23] = 1;
        page[PAGE - 1] = 1;
        let sum = checksum::crc32(Page(page)).to_be_bytes();
        page[..4].copy_from_slice(&sum);
        page[PAGE - 8..PAGE - 4].copy_from_slice(&sum);
    }
    file[70 * PAGE..71 * PAGE].copy_from_slice(copy);
    file
}
