//! Blocks of any size, in order or in parallel, give the same report.

use super::super::{FileHint, PageCheck, PageChecker, PageCounts, PagePlan, PageReport};
use super::check_strictly;
use super::fixtures::FIXTURES;

fn in_blocks(bytes: &[u8], block_bytes: usize) -> PageReport {
    let mut checker = PageChecker::new(PageCheck::Strict, FileHint::new("t/t.ibd"));
    bytes.chunks(block_bytes).for_each(|block| checker.push(block));
    checker.finish()
}

/// A file of good, bad and empty pages, longer than the beginning that the plan wants.
pub(super) fn long_file() -> Vec<u8> {
    let mut bytes = FIXTURES[0].bytes();
    bytes.resize(64 * 16384, 0);
    for page in [2, 20, 40, 63] {
        bytes[page * 16384 + 100] ^= 0xFF;
    }
    bytes
}

#[test]
fn block_size_does_not_matter() {
    let bytes = long_file();
    let whole = check_strictly(&bytes);
    assert_eq!(
        whole.counts.bad.iter().map(|bad| bad.page_number).collect::<Vec<_>>(),
        [2, 20, 40, 63]
    );
    for block_bytes in [1000, 4096, 16383, 16384, 16385, 100_000, 400_000, 1 << 20] {
        assert_eq!(in_blocks(&bytes, block_bytes), whole, "blocks of {block_bytes}");
    }
}

#[test]
fn short_files_may_come_byte_by_byte() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.page_bytes <= 4096) {
        let bytes = fixture.bytes();
        assert_eq!(in_blocks(&bytes, 1), check_strictly(&bytes), "{}", fixture.name);
    }
}

#[test]
fn parts_checked_in_any_order_add_up() {
    let bytes = long_file();
    let plan = PagePlan::new(PageCheck::Strict, &FileHint::new("t/t.ibd"), &bytes);
    let page_bytes = plan.page_bytes().expect("a tablespace");
    let mut counts = PageCounts::default();
    for (index, block) in bytes.chunks(4 * page_bytes).enumerate().rev() {
        counts.add(plan.check_block(index as u64 * 4, block));
    }
    assert_eq!(plan.report(counts), check_strictly(&bytes));
}

#[test]
fn an_empty_file_is_no_tablespace() {
    assert!(!check_strictly(&[]).is_good());
    let checker = PageChecker::new(PageCheck::Doublewrite, FileHint::new("t/t.ibd"));
    assert!(checker.finish().is_good());
}
