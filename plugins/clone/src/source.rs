//! What a backup says of the server that is cloned: facts for a restore, and tables that a clone
//! leaves empty. A fact that the server does not tell ends the run: its manifest would be wrong.

use std::path::PathBuf;

use dbbackup_sdk::{
    document::{Extra, manifest::ExcludedRecord},
    server::{Session, SessionError},
};

use crate::left_out::{LeftOut, left_out, shortened};

/// Settings without which a server does not start on the files, or reads names in another way.
const SETTINGS: [&str; 3] = ["innodb_page_size", "lower_case_table_names", "innodb_data_file_path"];
/// A setting that later servers may do without: it has no effect any more.
const OLD_SETTING: &str = "innodb_undo_tablespaces";

/// Facts of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// Its data directory.
    pub(crate) data_directory: PathBuf,
    /// Settings for the manifest.
    pub(crate) facts: Extra,
    /// Tables whose rows no clone holds, `schema.table`.
    pub(crate) left_out: Vec<LeftOut>,
    /// Tables whose rows end with every server; known when the clone is made.
    pub(crate) in_memory: Vec<ExcludedRecord>,
}

impl Source {
    /// Asks the server.
    ///
    /// # Errors
    /// [`SessionError`].
    pub(crate) fn ask(session: &mut Session) -> Result<Self, SessionError> {
        let mut source = Self::default();
        for name in SETTINGS {
            source.facts.insert(name.to_owned(), told(session, name)?.into());
        }
        if let Some(value) = session.variable(OLD_SETTING)? {
            source.facts.insert(OLD_SETTING.to_owned(), value.into());
        }
        source.data_directory = PathBuf::from(told(session, "datadir")?).components().collect();
        source.left_out = left_out(session)?;
        Ok(source)
    }

    /// What the manifest says of tables that are left out.
    pub(crate) fn excluded(&self) -> Vec<ExcludedRecord> {
        let records = self.left_out.iter().map(|table| ExcludedRecord {
            what: table.table.clone(),
            why: format!("a clone holds no rows of {}: the table {}", table.engine, table.fate()),
        });
        let mut records = shortened(records.collect(), "they are not InnoDB's either");
        records.extend(self.in_memory.iter().cloned());
        records
    }
}

/// A variable that every server has.
///
/// # Errors
/// [`SessionError::Answer`] where it is missing or empty.
pub(crate) fn told(session: &mut Session, name: &str) -> Result<String, SessionError> {
    let value = session.variable(name)?.filter(|value| !value.is_empty());
    value.ok_or_else(|| SessionError::Answer {
        statement: "SHOW GLOBAL VARIABLES".to_owned(),
        what: name.to_owned(),
    })
}
