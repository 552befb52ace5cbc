//! Damage that is not one flipped bit, and files that are no tablespaces.

use super::super::{
    BadReason, FileKind, MAX_BAD_PAGES_LISTED, PageCheck, PageReport, UncheckedReason,
};
use super::fixtures::FIXTURES;
use super::{check, check_strictly};

const PAGE: usize = 16384;

fn good() -> Vec<u8> {
    FIXTURES[0].bytes()
}

fn bad_pages(report: &PageReport) -> Vec<(u64, BadReason)> {
    report.counts.bad.iter().map(|bad| (bad.page_number, bad.reason)).collect()
}

#[test]
fn intact_pages_in_each_others_place_are_bad() {
    let mut bytes = good();
    let (left, right) = bytes.split_at_mut(4 * PAGE);
    left[3 * PAGE..].swap_with_slice(&mut right[..PAGE]);
    let found = bad_pages(&check_strictly(&bytes));
    assert_eq!(
        found,
        [(3, BadReason::PageNumber { found: 4 }), (4, BadReason::PageNumber { found: 3 })]
    );
}

#[test]
fn a_page_of_another_tablespace_is_bad_even_in_a_crash_consistent_copy() {
    let mut bytes = good();
    let other = FIXTURES.iter().find(|other| other.name == "mysql-innodb").expect("there");
    bytes[4 * PAGE..5 * PAGE].copy_from_slice(&other.bytes()[4 * PAGE..5 * PAGE]);
    for mode in [PageCheck::Strict, PageCheck::Doublewrite] {
        let found = bad_pages(&check(mode, "t/t.ibd", &bytes));
        assert!(matches!(found[..], [(4, BadReason::SpaceId { .. })]), "{mode:?}: {found:?}");
    }
}

#[test]
fn a_cut_off_last_page_is_bad_unless_the_server_would_cut_it_too() {
    let mut bytes = good();
    bytes.truncate(5 * PAGE - 1);
    let found_bytes = 16383;
    let strict = check_strictly(&bytes);
    assert_eq!(bad_pages(&strict), [(4, BadReason::Incomplete { found_bytes })]);
    assert_eq!(strict.counts.bad[0].offset_bytes, 4 * 16384);
    let crashed = check(PageCheck::Doublewrite, "t/t.ibd", &bytes);
    assert!(crashed.is_good());
    let unchecked = crashed.counts.pages_unchecked;
    assert_eq!(unchecked.get(&UncheckedReason::IncompleteLastPage), Some(&1));
}

#[test]
fn a_lost_page_0_is_one_bad_page() {
    let mut bytes = good();
    bytes[..PAGE].fill(0xA5);
    assert!(matches!(bad_pages(&check_strictly(&bytes))[..], [(0, BadReason::Checksum { .. })]));
    // All zero, page 0 would pass as never written; the header that must be there is missing.
    bytes[..PAGE].fill(0);
    let report = check_strictly(&bytes);
    assert!(!report.is_good(), "{report}");
}

#[test]
fn garbage_is_an_error_only_where_a_tablespace_must_be() {
    for bytes in [vec![0; 5 * PAGE], vec![0xA5; 5 * PAGE], b"text".to_vec()] {
        let strict = check(PageCheck::Strict, "t/t.ibd", &bytes);
        assert_eq!(strict.kind, FileKind::NotInnodb);
        assert_eq!(bad_pages(&strict), [(0, BadReason::NoHeader)]);
        for (mode, path) in [
            (PageCheck::Doublewrite, "t/t.ibd"),
            (PageCheck::AfterApply, "t/t.ibd"),
            (PageCheck::Strict, "t/t.frm"),
            (PageCheck::Strict, "noext"),
        ] {
            let report = check(mode, path, &bytes);
            assert_eq!((report.kind, report.is_good()), (FileKind::NotInnodb, true), "{path}");
        }
    }
}

#[test]
fn names_tell_what_is_never_checked() {
    let garbage = vec![0xA5; PAGE];
    for (path, kind) in [
        ("ib_logfile0", FileKind::Redo),
        ("#innodb_redo/#ib_redo12", FileKind::Redo),
        ("#innodb_redo/#ib_redo13_tmp", FileKind::Redo),
        ("ibtmp1", FileKind::Temporary),
        ("#innodb_temp/temp_1.ibt", FileKind::Temporary),
        ("#ib_16384_0.bdblwr", FileKind::Doublewrite),
    ] {
        let report = check(PageCheck::Strict, path, &garbage);
        assert_eq!((report.kind, report.is_good()), (kind, true), "{path}");
    }
    let report = check(PageCheck::None, "t/t.ibd", &garbage);
    assert_eq!((report.kind, report.is_good()), (FileKind::NotAsked, true));
}

#[test]
fn a_tablespace_under_another_name_is_checked_too() {
    let mut bytes = good();
    bytes[3 * PAGE + 99] ^= 1;
    let report = check(PageCheck::Strict, "shared/space1", &bytes);
    assert_eq!((report.kind, report.counts.bad_total), (FileKind::Tablespace, 1));
}

#[test]
fn a_later_system_file_begins_within_the_tablespace() {
    let mut bytes = good()[2 * PAGE..].to_vec();
    let report = check(PageCheck::Strict, "ibdata2", &bytes);
    assert_eq!((report.kind, report.counts.pages_checked), (FileKind::SystemContinuation, 3));
    bytes[PAGE + 99] ^= 1;
    let report = check(PageCheck::Strict, "ibdata2", &bytes);
    assert_eq!(
        report.counts.bad.first().map(|bad| (bad.page_number, bad.offset_bytes)),
        Some((3, 16384))
    );
}

#[test]
fn a_flood_of_bad_pages_is_counted_and_listed_in_part() {
    let mut bytes = good();
    bytes.resize(1000 * PAGE, 0xA5);
    let report = check_strictly(&bytes);
    assert_eq!(report.counts.bad_total, 1000 - 7);
    assert_eq!(report.counts.bad.len(), MAX_BAD_PAGES_LISTED);
    assert_eq!(report.counts.bad[0].page_number, 7);
}
