//! Tables that come empty out of a clone: their rows are not InnoDB's.

use std::fmt;

use dbbackup_sdk::server::{Session, SessionError};

/// User tables of storage engines that keep rows of their own. Those of `MEMORY` are gone after every
/// start, and those of the others left out here are kept elsewhere.
const TABLES: &str = "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name, ENGINE AS engine \
     FROM information_schema.TABLES \
     WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IS NOT NULL \
     AND UPPER(ENGINE) NOT IN ('INNODB', 'BLACKHOLE', 'FEDERATED', 'MRG_MYISAM', 'MEMORY', \
                               'PERFORMANCE_SCHEMA') \
     AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
     ORDER BY 1";

/// A table that comes empty out of a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Schema and name.
    pub(crate) table: String,
    /// Its storage engine.
    pub(crate) engine: String,
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
