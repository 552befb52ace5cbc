//! Which tables are dumped beside a clone.

use std::fmt;

use dbbackup_sdk::server::{Session, SessionError};

/// User tables of other storage engines than InnoDB. What lies on another server or nowhere at all
/// (`FEDERATED`, `BLACKHOLE`) comes whole out of a clone: its definition is everything. Rows of `MEMORY`
/// would not survive a restart of the source either.
const TABLES: &str = "SELECT TABLE_SCHEMA AS schema_name, TABLE_NAME AS table_name, \
     ENGINE AS storage_engine, GREATEST(CAST(COALESCE(DATA_LENGTH, 0) AS SIGNED) \
     - CAST(COALESCE(DATA_FREE, 0) AS SIGNED), 0) AS bytes FROM information_schema.TABLES \
     WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE IS NOT NULL \
     AND ENGINE NOT IN ('InnoDB', 'BLACKHOLE', 'FEDERATED', 'MEMORY', 'PERFORMANCE_SCHEMA') \
     AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') \
     ORDER BY ENGINE = 'MRG_MYISAM', TABLE_SCHEMA, TABLE_NAME";

/// A table that comes empty out of a clone.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) storage_engine: String,
    /// Bytes of its rows, about; without what deleted ones have left.
    pub(super) bytes: u64,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ({})", self.schema, self.name, self.storage_engine)
    }
}

impl Table {
    /// It has rows of its own; the others show those of the tables that they merge.
    pub(super) fn has_rows(&self) -> bool {
        !self.storage_engine.eq_ignore_ascii_case("MRG_MYISAM")
    }
}

/// All of them, by name, merged tables behind those that they merge.
pub(super) fn list(meta: &mut Session) -> Result<Vec<Table>, SessionError> {
    let table = meta.query(TABLES)?;
    let tables = table.records().map(|record| {
        Ok(Table {
            schema: record.text("schema_name")?.to_owned(),
            name: record.text("table_name")?.to_owned(),
            storage_engine: record.text("storage_engine")?.to_owned(),
            bytes: record.number("bytes")?,
        })
    });
    tables.collect()
}
