//! What a backup says of the server that is cloned: facts for a restore, and tables that a clone
//! leaves empty because they are not InnoDB's.

use std::path::PathBuf;

use dbbackup_sdk::{
    document::{Extra, manifest::ExcludedRecord},
    server::{Session, SessionError},
};

/// Settings without which a server does not start on the files, or reads names in another way.
const SETTINGS: [&str; 4] = [
    "innodb_page_size",
    "lower_case_table_names",
    "innodb_data_file_path",
    "innodb_undo_tablespaces",
];
/// Storage engines without rows of their own, besides InnoDB.
const WITHOUT_ROWS: &str = "'BLACKHOLE', 'FEDERATED', 'MRG_MYISAM', 'MRG_MyISAM', 'MEMORY'";
/// Tables that are named one by one; more are counted.
const MAX_NAMED: usize = 1000;

/// Facts of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// Its data directory.
    pub(crate) data_directory: PathBuf,
    /// Settings for the manifest.
    pub(crate) facts: Extra,
    /// Tables whose rows no clone holds, `schema.table`.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A table that comes empty out of a clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Schema and name.
    pub(crate) table: String,
    /// Its storage engine.
    pub(crate) engine: String,
}

impl Source {
    /// Asks the server.
    ///
    /// # Errors
    /// [`SessionError`].
    pub(crate) fn ask(session: &mut Session) -> Result<Self, SessionError> {
        let mut source = Self::default();
        for name in SETTINGS {
            if let Some(value) = session.variable(name)? {
                source.facts.insert(name.to_owned(), value.into());
            }
        }
        let datadir = session.variable("datadir")?.unwrap_or_default();
        source.data_directory = PathBuf::from(datadir).components().collect();
        source.left_out = left_out(session)?;
        Ok(source)
    }

    /// What the manifest says of tables that are left out.
    pub(crate) fn excluded(&self) -> Vec<ExcludedRecord> {
        let named = self.left_out.iter().take(MAX_NAMED).map(|table| ExcludedRecord {
            what: table.table.clone(),
            why: format!("a clone holds no rows of {}: the table comes back empty", table.engine),
        });
        let more = self.left_out.len().saturating_sub(MAX_NAMED);
        let more = (more > 0).then(|| ExcludedRecord {
            what: format!("{more} further tables"),
            why: "they are not InnoDB's either".to_owned(),
        });
        named.chain(more).collect()
    }
}

fn left_out(session: &mut Session) -> Result<Vec<LeftOut>, SessionError> {
    let table = session.query(format!(
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name, ENGINE AS engine \
         FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
         AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
         AND ENGINE <> 'InnoDB' AND ENGINE NOT IN ({WITHOUT_ROWS}) ORDER BY 1"
    ))?;
    let tables = table.records().map(|record| {
        let table = record.text("name")?.to_owned();
        Ok(LeftOut { table, engine: record.text("engine")?.to_owned() })
    });
    tables.collect()
}
