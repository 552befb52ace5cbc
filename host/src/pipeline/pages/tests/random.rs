//! No bytes make the check panic, and none that differ from a good page's pass unseen.

use proptest::prelude::*;

use super::super::{FileHint, PageCheck, PageChecker};
use super::check_strictly;
use super::fixtures::FIXTURES;

const MODES: [PageCheck; 4] =
    [PageCheck::Strict, PageCheck::Doublewrite, PageCheck::AfterApply, PageCheck::None];
const PATHS: [&str; 6] =
    ["t/t.ibd", "ibdata1", "undo_001", "#ib_16384_0.dblwr", "#ib_4096_0.dblwr", "anything"];

fn run(mode: PageCheck, path: &str, bytes: &[u8], block_bytes: usize) {
    let mut checker = PageChecker::new(mode, FileHint::new(path));
    bytes.chunks(block_bytes.max(1)).for_each(|block| checker.push(block));
    let mut report = checker.finish();
    report.settle_torn(&Default::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..70_000),
        mode in prop::sample::select(&MODES[..]),
        path in prop::sample::select(&PATHS[..]),
        block_bytes in 1_usize..50_000,
    ) {
        run(mode, path, &bytes, block_bytes);
    }

    #[test]
    fn mutated_pages_never_panic(
        fixture in 0..FIXTURES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        headers in prop::collection::vec((0_usize..16, 0_usize..64, any::<u8>()), 0..10),
        length in any::<prop::sample::Index>(),
        mode in prop::sample::select(&MODES[..]),
        path in prop::sample::select(&PATHS[..]),
        block_bytes in 1_usize..50_000,
    ) {
        let mut bytes = FIXTURES[fixture].bytes();
        let page_bytes = FIXTURES[fixture].page_bytes;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (page, at, value) in headers {
            if let Some(byte) = bytes.get_mut(page * page_bytes + at) {
                *byte = value;
            }
        }
        bytes.truncate(length.index(bytes.len() + 1));
        run(mode, path, &bytes, block_bytes);
    }

    #[test]
    fn damaged_runs_of_bytes_are_found(
        at in 0_usize..16_000,
        length in 1_usize..300,
        page in 0_usize..4,
        mask in 1_u8..=255,
    ) {
        let fixture = FIXTURES.iter().find(|fixture| fixture.name == "mariadb-full").expect("there");
        let mut bytes = fixture.bytes();
        let from = page * fixture.page_bytes + at;
        bytes[from..from + length].iter_mut().for_each(|byte| *byte ^= mask);
        let report = check_strictly(&bytes);
        prop_assert_eq!(report.counts.bad.first().map(|bad| bad.page_number), Some(page as u64));
    }
}
