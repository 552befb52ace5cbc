//! What a server holds, as comparable digests: the rows of every table whatever their order, and
//! every definition.
mod definitions;
mod rows;

use crate::server::{Server, Session};
use anyhow::Result;
use std::collections::BTreeMap;

/// Digests by object, such as ``data `shop`.`orders` `` or ``trigger `shop`.`audit` ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    entries: BTreeMap<String, String>,
}

impl Server {
    /// Digests every schema but the server's own: rows, definitions of tables, views, triggers,
    /// routines, events, and the history of system-versioned tables.
    ///
    /// Two servers of one version with equal contents hold the same data. Accounts and grants are
    /// no part of it.
    ///
    /// # Errors
    /// The server is gone, or a definition is invalid.
    pub fn checksum_all(&self) -> Result<Contents> {
        let mut session = self.session()?;
        prepare(&mut session)?;
        let schemas: Vec<String> = session.rows(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN \
             ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1",
        )?;
        let mut entries = BTreeMap::new();
        for schema in &schemas {
            definitions::collect(&mut session, schema, &mut entries)?;
            rows::digest(&mut session, schema, &mut entries)?;
        }
        Ok(Contents { entries })
    }
}

impl Contents {
    /// Leaves out the objects whose name starts with `prefix`, such as ``data `shop`.`log` `` for
    /// a table that is written meanwhile, or `history` for a backup that keeps none.
    #[must_use]
    pub fn without(mut self, prefix: &str) -> Self {
        self.entries.retain(|name, _| !name.starts_with(prefix));
        self
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the server holds nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// One line for each object that is missing, unexpected or different in `other`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, expected) in &self.entries {
            match other.entries.get(name) {
                None => found.push(format!("missing: {name}")),
                Some(actual) if actual != expected => {
                    found.push(format!("different: {name}\n  {expected}\n  {actual}"));
                }
                Some(_) => {}
            }
        }
        let unexpected = other.entries.keys().filter(|name| !self.entries.contains_key(*name));
        found.extend(unexpected.map(|name| format!("unexpected: {name}")));
        found
    }

    /// Expects `other` to hold exactly the same.
    ///
    /// # Errors
    /// It does not; the message lists the differences.
    pub fn expect_same(&self, other: &Self) -> Result<()> {
        let differences = self.differences(other);
        if !differences.is_empty() {
            anyhow::bail!("contents differ:\n{}", differences.join("\n"));
        }
        Ok(())
    }
}

/// Results come as the server stores them, unconverted; times in UTC.
fn prepare(session: &mut Session) -> Result<()> {
    session.run("SET NAMES utf8mb4")?;
    session.run("SET character_set_results = NULL, time_zone = '+00:00', sql_mode = ''")
}

/// A name as an identifier.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A name as a string literal.
fn literal(name: &str) -> String {
    format!("'{}'", name.replace('\\', r"\\").replace('\'', "''"))
}
