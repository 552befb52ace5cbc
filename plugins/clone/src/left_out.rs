//! Tables that come empty, or of no use, out of a clone: their rows are not InnoDB's.

use std::fmt;

use dbbackup_sdk::{
    document::manifest::ExcludedRecord,
    server::{Session, SessionError},
};

/// Tables that are named one by one in a manifest; more are counted.
const MAX_NAMED: usize = 1000;
/// User tables whose rows end with every server.
const IN_MEMORY: &str = "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')') AS name \
     FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'MEMORY' \
     AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
     ORDER BY 1";
/// User tables of storage engines that a clone does not bring whole. Rows of `MEMORY` are gone after
/// every start, and those of the others left out here are kept on another server or nowhere. Tables
/// that merge others have no rows either, but need a file that no clone copies.
const TABLES: &str = "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name, ENGINE AS engine \
     FROM information_schema.TABLES \
     WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IS NOT NULL \
     AND UPPER(ENGINE) NOT IN ('INNODB', 'BLACKHOLE', 'FEDERATED', 'MEMORY', 'PERFORMANCE_SCHEMA') \
     AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
     ORDER BY 1";
/// Storage engines of which a first start makes no empty table where the files are missing.
const NOT_OPENED: [&str; 2] = ["ARCHIVE", "MRG_MYISAM"];

/// A table that no clone brings whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Schema and name.
    pub(crate) table: String,
    /// Its storage engine.
    pub(crate) engine: String,
}

impl LeftOut {
    /// What becomes of it in a clone.
    pub(crate) fn fate(&self) -> &'static str {
        let is_lost = NOT_OPENED.iter().any(|engine| engine.eq_ignore_ascii_case(&self.engine));
        if is_lost { "cannot be opened after a clone" } else { "comes back empty" }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.table, self.engine)
    }
}

/// Those that the account sees, by name.
///
/// # Errors
/// As [`Session::query`].
pub(crate) fn left_out(session: &mut Session) -> Result<Vec<LeftOut>, SessionError> {
    let table = session.query(TABLES)?;
    let tables = table.records().map(|record| {
        let engine = record.text("engine")?.to_owned();
        Ok(LeftOut { table: record.text("name")?.to_owned(), engine })
    });
    tables.collect()
}

/// Tables in memory, as the manifest tells of them. No backup of files holds their rows, and a restart
/// of the source would end them too: that they come back empty is no reason to refuse a clone.
///
/// # Errors
/// As [`Session::query`].
pub(crate) fn in_memory(session: &mut Session) -> Result<Vec<ExcludedRecord>, SessionError> {
    let table = session.query(IN_MEMORY)?;
    let records = table.records().map(|record| {
        let why = "its rows are in memory, and end with the server";
        Ok(ExcludedRecord { what: record.text("name")?.to_owned(), why: why.to_owned() })
    });
    Ok(shortened(records.collect::<Result<_, SessionError>>()?, "their rows are in memory too"))
}

/// The first of many records, and how many more there are.
pub(crate) fn shortened(
    mut records: Vec<ExcludedRecord>,
    of_the_rest: &str,
) -> Vec<ExcludedRecord> {
    let more = records.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        records.truncate(MAX_NAMED);
        let what = format!("{more} further tables");
        records.push(ExcludedRecord { what, why: of_the_rest.to_owned() });
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_without_their_files_are_empty_or_cannot_be_opened() {
        let table = |engine: &str| LeftOut { table: "a.t".to_owned(), engine: engine.to_owned() };
        assert_eq!(table("MyISAM").fate(), "comes back empty");
        assert_eq!(table("MRG_MYISAM").fate(), "cannot be opened after a clone");
        assert_eq!(table("Archive").fate(), "cannot be opened after a clone");
    }

    #[test]
    fn many_tables_are_named_up_to_a_limit_and_then_counted() {
        let records = |number: usize| {
            let record = |at| ExcludedRecord { what: format!("shop.t{at}"), why: String::new() };
            shortened((0..number).map(record).collect(), "as well")
        };
        assert_eq!(records(MAX_NAMED).len(), MAX_NAMED);
        let many = records(MAX_NAMED + 7);
        assert_eq!(many.len(), MAX_NAMED + 1);
        let last = many.last().expect("a record");
        assert_eq!((last.what.as_str(), last.why.as_str()), ("7 further tables", "as well"));
    }
}
