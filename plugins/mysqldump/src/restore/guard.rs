//! Keeps a restore from overwriting what was there before it.

use std::collections::{BTreeMap, btree_map::Entry};

use dbbackup_sdk::server::{
    Session, SessionError,
    quote::{self, Escaping},
};

use super::present::{Present, TableNames};

/// Knows what each schema held when the restore first came to it.
#[derive(Debug)]
pub(super) struct Guard {
    force: bool,
    session: Session,
    names: TableNames,
    before: BTreeMap<String, Present>,
}

impl Guard {
    /// With `force`, nothing is guarded.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) fn new(force: bool, mut session: Session) -> Result<Self, SessionError> {
        let names = TableNames::of(&mut session)?;
        Ok(Self { force, session, names, before: BTreeMap::new() })
    }

    /// Whether a schema may be filled: it was empty, or not there.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) fn allows_schema(&mut self, schema: &str) -> Result<bool, SessionError> {
        Ok(self.force || self.before(schema)?.is_empty())
    }

    /// Whether an object may be made or written: it was not there.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) fn allows_object(
        &mut self,
        schema: &str,
        object: &str,
    ) -> Result<bool, SessionError> {
        Ok(self.force || !self.before(schema)?.contains(object))
    }

    /// Names of a table's columns of type `ENUM` or `SET`.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) fn enums(&mut self, schema: &str, table: &str) -> Result<Vec<String>, SessionError> {
        let literal = |name| quote::string(name, Escaping::Backslash);
        let columns = self.session.query(format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} \
             AND TABLE_NAME = {} AND DATA_TYPE IN ('enum', 'set')",
            literal(schema),
            literal(table)
        ))?;
        let names = columns.records().filter_map(|record| record.at(0));
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    fn before(&mut self, schema: &str) -> Result<&Present, SessionError> {
        Ok(match self.before.entry(self.names.key(schema)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(Present::in_schema(&mut self.session, schema, self.names)?)
            }
        })
    }
}
