//! The rows of a table into an output, one at a time: nothing but the row at hand is in memory.

use super::{column::Column, insert::InsertWriter, output::Output};
use crate::{
    HostError,
    server::{Session, SessionError, quote},
};

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows.
    pub rows: u64,
    /// Bytes of the longest statement.
    pub longest_statement_bytes: u64,
}

/// Why rows could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The server, or the connection to it.
    #[error(transparent)]
    Read(#[from] SessionError),
    /// The host takes no more.
    #[error(transparent)]
    Write(#[from] HostError),
}

/// Writes the rows of `schema.table` as `INSERT` statements of about `insert_bytes` each. `clause`
/// stands behind the table's name; `on_row` gets the bytes of every row.
///
/// # Errors
/// [`CopyError`]; the session cannot be used any more after either.
pub fn copy_rows(
    session: &mut Session,
    (schema, table): (&str, &str),
    clause: &str,
    columns: &[Column],
    insert_bytes: u64,
    output: &mut Output,
    mut on_row: impl FnMut(u64),
) -> Result<Copied, CopyError> {
    let quoted = quote::qualified(schema, table);
    if columns.is_empty() {
        return copy_count(session, &quoted, table, output);
    }
    let expressions: Vec<&str> = columns.iter().map(|column| column.expression.as_str()).collect();
    let expressions = expressions.join(",");
    let select = format!("SELECT /*!40001 SQL_NO_CACHE */ {expressions} FROM {quoted}{clause}");
    let mut rows = session.connection().query(&select).map_err(SessionError::Wire)?;
    let mut insert = InsertWriter::new(output, table, columns, insert_bytes);
    while let Some(row) = rows.next_row().map_err(SessionError::Wire)? {
        on_row(row.wire_bytes() as u64);
        insert.put(row)?;
    }
    rows.finish().map_err(SessionError::Wire)?;
    let (rows, longest_statement_bytes) = insert.finish()?;
    Ok(Copied { rows, longest_statement_bytes })
}

/// A table whose columns are all generated: only the number of its rows is to be kept.
fn copy_count(
    session: &mut Session,
    quoted: &str,
    table: &str,
    output: &mut Output,
) -> Result<Copied, CopyError> {
    let answer = session.query(format!("SELECT COUNT(*) AS rows_there FROM {quoted}"))?;
    let rows = answer.only()?.number("rows_there")?;
    for _ in 0..rows {
        output.put(format!("INSERT INTO {} () VALUES ();\n", quote::identifier(table)))?;
    }
    Ok(Copied { rows, longest_statement_bytes: 0 })
}
