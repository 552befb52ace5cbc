//! Digests of rows: sums of hashes, so that the order of rows does not count.
use super::{literal, quoted};
use crate::server::Session;
use anyhow::{Context, Result};
use mysql_async::{Row, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Adds the digest of every table of `schema`.
pub(super) fn digest(
    session: &mut Session,
    schema: &str,
    entries: &mut BTreeMap<String, String>,
) -> Result<()> {
    let tables: Vec<(String, String)> = session.rows(&format!(
        "SELECT table_name, table_type FROM information_schema.tables \
         WHERE table_schema = {} AND table_type NOT LIKE '%VIEW' ORDER BY 1",
        literal(schema)
    ))?;
    for (table, kind) in tables {
        let name = format!("{}.{}", quoted(schema), quoted(&table));
        let columns = match kind.as_str() {
            "SEQUENCE" => "*".to_owned(),
            _ => columns(session, schema, &table)?,
        };
        let query = format!("SELECT {columns} FROM {name}");
        entries.insert(format!("data {name}"), sum(session, &query)?);
        if kind == "SYSTEM VERSIONED" {
            let query = format!("{query} FOR SYSTEM_TIME ALL");
            entries.insert(format!("history {name}"), sum(session, &query)?);
        }
    }
    Ok(())
}

/// Every column by name, invisible ones too. A FLOAT is shown with six digits only, so it is
/// widened first, or a damaged one might look the same.
fn columns(session: &mut Session, schema: &str, table: &str) -> Result<String> {
    let columns: Vec<(String, String)> = session.rows(&format!(
        "SELECT column_name, data_type FROM information_schema.columns \
         WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
        literal(schema),
        literal(table)
    ))?;
    let select = |(name, kind): &(String, String)| match kind.as_str() {
        "float" => format!("{} + 0e0", quoted(name)),
        _ => quoted(name),
    };
    Ok(columns.iter().map(select).collect::<Vec<_>>().join(", "))
}

fn sum(session: &mut Session, query: &str) -> Result<String> {
    let (mut count, mut total) = (0_u64, 0_u128);
    session
        .for_each(query, |row| {
            count += 1;
            total = total.wrapping_add(hash(row));
            Ok(())
        })
        .with_context(|| format!("read the rows of {query}"))?;
    Ok(format!("{count} rows {total:032x}"))
}

fn hash(row: Row) -> u128 {
    let mut hasher = Sha256::new();
    for value in row.unwrap() {
        match value {
            Value::NULL => hasher.update([0]),
            Value::Bytes(bytes) => {
                hasher.update([1]);
                hasher.update(bytes.len().to_le_bytes());
                hasher.update(bytes);
            }
            // The text protocol gives bytes alone; anything else is told apart by its text.
            other => hasher.update(format!("{other:?}")),
        }
    }
    let digest = hasher.finalize();
    digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}
