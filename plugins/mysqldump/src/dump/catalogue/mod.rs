//! The catalogue: every object to be dumped, with the definition it has at the snapshot.
//!
//! Definitions are not part of a snapshot. So the catalogue is read before and after the snapshot
//! begins: what is equal both times was so in between. Tables are looked at once more when they are
//! read, see [`table`](crate::dump::table).

mod object;
mod program;
mod read;
mod selection;
mod tablespace;

pub(crate) use object::{Schema, Table, TableKind, View};
pub(crate) use read::{digest_of_table, read, schema_names};
pub(crate) use selection::Selection;

use dbbackup_sdk::document::manifest::ExcludedRecord;

/// Everything to be dumped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    /// The schemas, by name.
    pub(crate) schemas: Vec<Schema>,
    /// Statements that make the general tablespaces in use.
    pub(crate) tablespaces: Vec<String>,
    /// What is left out, and why.
    pub(crate) excluded: Vec<ExcludedRecord>,
}

impl Catalogue {
    /// The first object that is not the same in `other`.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self.schemas.len() != other.schemas.len() {
            return Some("the list of schemas".to_owned());
        }
        self.schemas.iter().zip(&other.schemas).find_map(|(schema, other)| schema.difference(other))
    }

    /// Bytes of all tables, as the server estimates them.
    pub(crate) fn estimated_bytes(&self) -> u64 {
        let tables = self.schemas.iter().flat_map(|schema| &schema.tables);
        tables.map(|table| table.estimated_bytes.0).sum()
    }

    /// Tables whose rows the snapshot does not cover: `schema.table (engine)`.
    pub(crate) fn non_transactional(&self) -> Vec<String> {
        let of_schema = |schema: &Schema| {
            let tables = schema.tables.iter().filter(|table| table.kind == TableKind::Unprotected);
            let named = tables
                .map(|table| format!("{}.{} ({})", schema.name, table.name, table.storage_engine));
            named.collect::<Vec<_>>()
        };
        self.schemas.iter().flat_map(of_schema).collect()
    }

    /// Accounts named in `DEFINER` clauses, without repetition.
    pub(crate) fn definers(&self) -> Vec<String> {
        let mut definers: Vec<String> = self
            .schemas
            .iter()
            .flat_map(Schema::definitions)
            .filter_map(crate::dump::definer::account)
            .collect();
        definers.sort_unstable();
        definers.dedup();
        definers
    }
}
