//! What a schema of the target holds, under names as the server itself compares them.

use std::collections::BTreeSet;

use dbbackup_sdk::server::{
    Session, SessionError,
    quote::{self, Escaping},
};

/// How a server tells the names of schemas, tables and views apart: its `lower_case_table_names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableNames {
    /// By every letter, with 0.
    Exact,
    /// Whatever their case is, with 1 and 2.
    AnyCase,
}

impl TableNames {
    /// Asks the server.
    ///
    /// # Errors
    /// As [`Session::variable`].
    pub(super) fn of(session: &mut Session) -> Result<Self, SessionError> {
        let value = session.variable("lower_case_table_names")?;
        Ok(if value.is_none_or(|value| value == "0") { Self::Exact } else { Self::AnyCase })
    }

    /// One text for all names that are the same to the server.
    pub(super) fn key(self, name: &str) -> String {
        match self {
            Self::Exact => name.to_owned(),
            Self::AnyCase => name.to_lowercase(),
        }
    }

    /// The condition that a column of `information_schema` is the name of a schema.
    fn is_schema(self, column: &str, schema: &str) -> String {
        let literal = quote::string(schema, Escaping::Backslash);
        match self {
            Self::Exact => format!("{column} = {literal}"),
            Self::AnyCase => format!("LOWER({column}) = LOWER({literal})"),
        }
    }
}

/// Everything in a schema; nothing at all if there is no such schema.
#[derive(Debug)]
pub(super) struct Present {
    names: TableNames,
    tables: BTreeSet<String>,
    /// Routines and events, whose names have no case on any server.
    programs: BTreeSet<String>,
}

impl Present {
    /// Looks into a schema.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub(super) fn in_schema(
        session: &mut Session,
        schema: &str,
        names: TableNames,
    ) -> Result<Self, SessionError> {
        let (table, routine, event) = (
            names.is_schema("TABLE_SCHEMA", schema),
            names.is_schema("ROUTINE_SCHEMA", schema),
            names.is_schema("EVENT_SCHEMA", schema),
        );
        let tables = format!("SELECT TABLE_NAME FROM information_schema.TABLES WHERE {table}");
        let programs = format!(
            "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE {routine} \
             UNION ALL SELECT EVENT_NAME FROM information_schema.EVENTS WHERE {event}"
        );
        Ok(Self {
            names,
            tables: listed(session, tables)?.iter().map(|name| names.key(name)).collect(),
            programs: listed(session, programs)?.iter().map(|name| name.to_lowercase()).collect(),
        })
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.programs.is_empty()
    }

    /// Whether there is anything of that name.
    pub(super) fn contains(&self, object: &str) -> bool {
        self.tables.contains(&self.names.key(object))
            || self.programs.contains(&object.to_lowercase())
    }
}

/// The first column of a result.
fn listed(session: &mut Session, sql: String) -> Result<Vec<String>, SessionError> {
    let table = session.query(sql)?;
    let names = table.records().filter_map(|record| record.at(0));
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}
