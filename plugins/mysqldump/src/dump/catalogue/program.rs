//! Reads what is code: views, routines, triggers, events. Their texts come in the character set that
//! they were made in, because the session asks for no conversion.

use dbbackup_sdk::{
    document::manifest::ExcludedRecord,
    dump::{self, Context, Trigger},
    server::{
        SessionError,
        quote::{self, Escaping},
    },
};

use super::{
    object::{Event, Routine, Schema, View},
    read::{Reader, names},
};
use crate::error::EngineError;

/// A view whose tables, columns or functions are gone, or whose definer lacks rights.
const VIEW_INVALID: u16 = 1356;
/// The definer of a view does not exist.
const NO_SUCH_USER: u16 = 1449;
/// Kinds of routines, in the order in which they can be made.
const ROUTINE_KINDS: [&str; 5] = ["LIBRARY", "PACKAGE", "PACKAGE BODY", "FUNCTION", "PROCEDURE"];

impl Reader<'_> {
    /// A view, or nothing for one that is invalid and that no server could make again.
    pub(super) fn view(&mut self, schema: &str, name: &str) -> Result<Option<View>, EngineError> {
        let quoted = quote::identifier(name);
        let statement = format!("SHOW CREATE VIEW {quoted}");
        let answer = self.meta.query(&statement)?;
        let record = answer.only()?;
        let definition = record.bytes("Create View").map(<[u8]>::to_vec);
        let what = "the definition".to_owned();
        let definition = definition.ok_or(SessionError::Answer { statement, what })?;
        let context = Context {
            character_set_client: record.text("character_set_client")?.to_owned(),
            collation_connection: record.text("collation_connection")?.to_owned(),
            ..Context::default()
        };
        let columns = match self.meta.query(format!("SHOW FIELDS FROM {quoted}")) {
            Ok(fields) => {
                let columns =
                    fields.records().map(|record| record.text("Field").map(str::to_owned));
                columns.collect::<Result<_, _>>()?
            }
            Err(error) if matches!(error.server_code(), Some(VIEW_INVALID | NO_SUCH_USER)) => {
                if let Some(why) = self.why_invalid(&definition) {
                    tracing::warn!(view = %format!("{schema}.{name}"), why, "the view is invalid");
                    let what = format!("{schema}.{name}");
                    self.excluded
                        .push(ExcludedRecord { what, why: format!("invalid view: {why}") });
                    return Ok(None);
                }
                self.view_columns(schema, name)?
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Some(View { name: name.to_owned(), definition, context, columns }))
    }

    /// Why the query of a view cannot be run by anyone; nothing if only its definer cannot.
    fn why_invalid(&mut self, definition: &[u8]) -> Option<String> {
        let at = memchr::memmem::find(definition, b" AS ")?;
        let query = definition.get(at + b" AS ".len()..)?;
        let error = self.meta.query([b"EXPLAIN ", query].concat()).err()?;
        error.wire().and_then(|wire| wire.server()).map(|server| server.message.clone())
    }

    fn view_columns(&mut self, schema: &str, view: &str) -> Result<Vec<String>, EngineError> {
        let literal = |name| quote::string(name, Escaping::Backslash);
        let table = self.meta.query(format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
            literal(schema),
            literal(view)
        ))?;
        let columns = table.records().map(|record| record.text("COLUMN_NAME").map(str::to_owned));
        Ok(columns.collect::<Result<_, _>>()?)
    }

    /// Libraries, packages, functions, procedures.
    pub(super) fn routines(&mut self, schema: &str) -> Result<Vec<Routine>, EngineError> {
        let literal = quote::string(schema, Escaping::Backslash);
        let mut list: Vec<(String, String)> = Vec::new();
        let table = self.meta.query(format!(
            "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES \
             WHERE ROUTINE_SCHEMA = {literal}"
        ))?;
        for record in table.records() {
            let (kind, name) = (record.text("ROUTINE_TYPE")?, record.text("ROUTINE_NAME")?);
            list.push((kind.to_owned(), name.to_owned()));
        }
        for name in self.libraries(&literal)? {
            list.push(("LIBRARY".to_owned(), name));
        }
        let rank = |kind: &str| ROUTINE_KINDS.iter().position(|known| *known == kind);
        list.sort_by(|a, b| (rank(&a.0), &a.1).cmp(&(rank(&b.0), &b.1)));
        let mut routines = Vec::with_capacity(list.len());
        for (kind, name) in list {
            let program = dump::program(self.meta, &kind, &name)?;
            routines.push(Routine { kind, program });
        }
        Ok(routines)
    }

    /// Libraries of MySQL 9.2 and later.
    fn libraries(&mut self, schema_literal: &str) -> Result<Vec<String>, EngineError> {
        /// Unknown table in `information_schema`.
        const UNKNOWN_TABLE: u16 = 1109;
        let sql = format!(
            "SELECT LIBRARY_NAME FROM information_schema.LIBRARIES \
             WHERE LIBRARY_SCHEMA = {schema_literal}"
        );
        match names(self.meta, &sql) {
            Err(error) if error.server_code() == Some(UNKNOWN_TABLE) => Ok(Vec::new()),
            other => Ok(other?),
        }
    }

    /// Triggers of the tables that are dumped.
    pub(super) fn triggers(&mut self, schema: &Schema) -> Result<Vec<Trigger>, EngineError> {
        let is_dumped = |table: &str| schema.tables.iter().any(|dumped| dumped.name == table);
        Ok(dump::triggers(self.meta, &schema.name, is_dumped)?)
    }

    /// Events.
    pub(super) fn events(&mut self, schema: &str) -> Result<Vec<Event>, EngineError> {
        let literal = quote::string(schema, Escaping::Backslash);
        let sql = format!(
            "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {literal}"
        );
        let mut events = Vec::new();
        for name in names(self.meta, &sql)? {
            events.push(Event { program: dump::program(self.meta, "EVENT", &name)? });
        }
        Ok(events)
    }
}
