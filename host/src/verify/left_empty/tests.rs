//! A list of tables that is too long to have all names is no alarm.
use super::*;
use crate::{remote::Place, verify::VerifyLevel};
use dbbackup_plugin_api::document::manifest::PagesRecord;

/// Problems and notes about tables of MyISAM, where the manifest has these records.
fn judged(tables: &[&str], excluded: &[&str]) -> (usize, usize) {
    let tables: Vec<(String, String)> =
        tables.iter().map(|table| ((*table).to_owned(), "MyISAM".to_owned())).collect();
    let record = |what: &&str| ExcludedRecord { what: (*what).to_owned(), why: String::new() };
    let excluded: Vec<ExcludedRecord> = excluded.iter().map(record).collect();
    let mut report = VerifyReport {
        artefact: Place::default(),
        backup_id: None,
        level: VerifyLevel::Boot,
        members: 0,
        bytes: 0,
        pages: PagesRecord::default(),
        problems: Vec::new(),
        notes: Vec::new(),
        boot: None,
    };
    judge(&tables, &excluded, &mut report);
    (report.problems.len(), report.notes.len())
}

#[test]
fn a_table_that_the_backup_does_not_name_is_a_problem() {
    assert_eq!(judged(&["shop.a", "shop.b"], &["shop.a (MyISAM)", "binary logs"]), (1, 1));
    assert_eq!(judged(&["shop.a"], &[]), (1, 0));
}

#[test]
fn a_shortened_list_covers_as_many_tables_as_it_counts() {
    let shortened = ["shop.a", "2 further tables", "binary logs"];
    assert_eq!(judged(&["shop.a", "shop.b", "shop.c"], &shortened), (0, 3));
    assert_eq!(judged(&["shop.a", "shop.b", "shop.c", "shop.d"], &shortened), (3, 1));
}

#[test]
fn a_shortened_list_of_tables_in_memory_covers_no_others() {
    let excluded = ["shop.a", "shop.m (MEMORY)", "5 further tables"];
    assert_eq!(judged(&["shop.a", "shop.b"], &excluded), (1, 1));
}
