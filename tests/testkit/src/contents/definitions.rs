//! Definitions, as the server itself words them.
use super::{literal, quoted};
use crate::server::Session;
use anyhow::{Context, Result};
use mysql_async::{Row, Value};
use std::collections::BTreeMap;

type Entries = BTreeMap<String, String>;

/// Objects that `information_schema` describes better than a SHOW CREATE statement, which would
/// add the moment of creation or leave out the order.
struct Listing {
    kind: &'static str,
    table: &'static str,
    schema_column: &'static str,
    name_column: &'static str,
    columns: &'static str,
}

const TRIGGERS: Listing = Listing {
    kind: "trigger",
    table: "triggers",
    schema_column: "trigger_schema",
    name_column: "trigger_name",
    columns: "event_object_table, event_manipulation, action_timing, action_order, \
              action_statement, sql_mode, definer, character_set_client, collation_connection, \
              database_collation",
};

const EVENTS: Listing = Listing {
    kind: "event",
    table: "events",
    schema_column: "event_schema",
    name_column: "event_name",
    columns: "definer, time_zone, event_definition, event_type, execute_at, interval_value, \
              interval_field, sql_mode, starts, ends, status, on_completion, event_comment, \
              character_set_client, collation_connection, database_collation",
};

/// Adds the definitions of everything in `schema`.
pub(super) fn collect(session: &mut Session, schema: &str, entries: &mut Entries) -> Result<()> {
    let create = text(session, &format!("SHOW CREATE DATABASE {}", quoted(schema)))?;
    entries.insert(format!("schema {}", quoted(schema)), create);
    tables(session, schema, entries)?;
    routines(session, schema, entries)?;
    listed(session, &TRIGGERS, schema, entries)?;
    listed(session, &EVENTS, schema, entries)
}

fn tables(session: &mut Session, schema: &str, entries: &mut Entries) -> Result<()> {
    let tables: Vec<(String, String)> = session.rows(&format!(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = {}",
        literal(schema)
    ))?;
    for (table, kind) in tables {
        let name = format!("{}.{}", quoted(schema), quoted(&table));
        let kind = match kind.as_str() {
            "VIEW" => "view",
            "SEQUENCE" => "sequence",
            _ => "table",
        };
        let create = text(session, &format!("SHOW CREATE {kind} {name}"))?;
        entries.insert(format!("{kind} {name}"), create);
    }
    Ok(())
}

fn routines(session: &mut Session, schema: &str, entries: &mut Entries) -> Result<()> {
    let routines: Vec<(String, String)> = session.rows(&format!(
        "SELECT routine_type, routine_name FROM information_schema.routines \
         WHERE routine_schema = {}",
        literal(schema)
    ))?;
    for (kind, routine) in routines {
        let name = format!("{}.{}", quoted(schema), quoted(&routine));
        let create = text(session, &format!("SHOW CREATE {kind} {name}"))?;
        entries.insert(format!("{} {name}", kind.to_lowercase()), create);
    }
    Ok(())
}

fn listed(
    session: &mut Session,
    listing: &Listing,
    schema: &str,
    entries: &mut Entries,
) -> Result<()> {
    let Listing { kind, table, schema_column, name_column, columns } = listing;
    let from = format!("information_schema.{table} WHERE {schema_column} = {}", literal(schema));
    let names: Vec<String> = session.rows(&format!("SELECT {name_column} FROM {from}"))?;
    for object in names {
        let name = format!("{}.{}", quoted(schema), quoted(&object));
        let query =
            format!("SELECT {columns} FROM {from} AND {name_column} = {}", literal(&object));
        entries.insert(format!("{kind} {name}"), text(session, &query)?);
    }
    Ok(())
}

/// The one row of a query as readable text that still tells every byte.
fn text(session: &mut Session, query: &str) -> Result<String> {
    let mut found = None;
    session.for_each(query, |row: Row| {
        found = Some(row.unwrap());
        Ok(())
    })?;
    let values = found.with_context(|| format!("no row for {query}"))?;
    let worded = values.iter().map(|value| match value {
        Value::Bytes(bytes) => bytes.escape_ascii().to_string(),
        other => format!("{other:?}"),
    });
    Ok(worded.collect::<Vec<_>>().join(" | "))
}
