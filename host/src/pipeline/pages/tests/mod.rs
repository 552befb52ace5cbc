//! Unit tests of the page check, on real tablespaces of MySQL 9.7 and MariaDB 10.11.

mod damage;
mod doublewrite;
mod fixtures;
mod random;
mod stream;

use super::{FileHint, PageCheck, PageChecker, PageReport};

/// Checks a whole file in one piece.
fn check(mode: PageCheck, path: &str, bytes: &[u8]) -> PageReport {
    let mut checker = PageChecker::new(mode, FileHint::new(path));
    checker.push(bytes);
    checker.finish()
}

fn check_strictly(bytes: &[u8]) -> PageReport {
    check(PageCheck::Strict, "t/t.ibd", bytes)
}
