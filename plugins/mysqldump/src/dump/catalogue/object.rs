//! The objects of a catalogue.

use dbbackup_sdk::dump::{Context, Program, Trigger};

/// An estimate: it moves with every insert, so that it says nothing about equality.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate(pub(crate) u64);

impl PartialEq for Estimate {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Estimate {}

/// A schema and what is in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    /// Name.
    pub(crate) name: String,
    /// `CREATE DATABASE …`.
    pub(crate) definition: Vec<u8>,
    /// Default collation.
    pub(crate) collation: String,
    /// Tables by name.
    pub(crate) tables: Vec<Table>,
    /// Sequences by name (MariaDB).
    pub(crate) sequences: Vec<Sequence>,
    /// Views by name.
    pub(crate) views: Vec<View>,
    /// Libraries, packages, functions, procedures.
    pub(crate) routines: Vec<Routine>,
    /// Triggers by table, in the order in which they fire.
    pub(crate) triggers: Vec<Trigger>,
    /// Events by name.
    pub(crate) events: Vec<Event>,
}

impl Schema {
    /// The first object that is not the same in `other`.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let table = |table: &Table, other: &Table| (table != other).then(|| table.name.clone());
        let view = |view: &View, other: &View| (view != other).then(|| view.name.clone());
        let tables = self.tables.iter().zip(&other.tables);
        let views = self.views.iter().zip(&other.views);
        let object = tables
            .filter_map(|(mine, other)| table(mine, other))
            .chain(views.filter_map(|(mine, other)| view(mine, other)))
            .next();
        Some(match object {
            Some(object) => format!("{}.{object}", self.name),
            None => format!("schema {}", self.name),
        })
    }

    /// Every definition that may have a definer.
    pub(crate) fn definitions(&self) -> Vec<&[u8]> {
        let views = self.views.iter().map(|view| view.definition.as_slice());
        let routines = self.routines.iter().map(|routine| routine.program.definition.as_slice());
        let triggers = self.triggers.iter().map(|trigger| trigger.program.definition.as_slice());
        let events = self.events.iter().map(|event| event.program.definition.as_slice());
        views.chain(routines).chain(triggers).chain(events).collect()
    }
}

/// How the rows of a table relate to the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// The snapshot covers them.
    Transactional,
    /// As before, and MariaDB keeps the history of its rows.
    Versioned,
    /// The storage engine knows no transactions.
    Unprotected,
    /// The table has no rows of its own: they are elsewhere, or nowhere.
    Rowless,
}

/// A table. Its full definition is read when its turn comes: a server may have very many.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Name.
    pub(crate) name: String,
    /// Storage engine.
    pub(crate) storage_engine: String,
    /// How its rows relate to the snapshot.
    pub(crate) kind: TableKind,
    /// Digest of definition and creation time.
    pub(crate) digest: u64,
    /// Bytes of its rows, estimated.
    pub(crate) estimated_bytes: Estimate,
}

/// A sequence of MariaDB.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// Name.
    pub(crate) name: String,
    /// `CREATE SEQUENCE …`.
    pub(crate) definition: Vec<u8>,
    /// The one row that holds its state, as a list of values.
    pub(crate) state: String,
}

impl PartialEq for Sequence {
    /// The state moves on outside of transactions, as it should.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.definition == other.definition
    }
}
impl Eq for Sequence {}

/// A view.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Name.
    pub(crate) name: String,
    /// `CREATE … VIEW …`.
    pub(crate) definition: Vec<u8>,
    /// Session settings it was made with.
    pub(crate) context: Context,
    /// Names of its columns, where the server can tell.
    pub(crate) columns: Vec<String>,
}

/// A procedure, function, package, package body or library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Routine {
    /// `FUNCTION`, `PACKAGE BODY` …: as in `SHOW CREATE`.
    pub(crate) kind: String,
    /// The program.
    pub(crate) program: Program,
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The program.
    pub(crate) program: Program,
}
