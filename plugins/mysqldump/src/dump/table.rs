//! One table: its structure and its rows, proven to belong together and to the snapshot.
//!
//! Opening the table in the snapshot's transaction keeps its definition as it is until the savepoint
//! is rolled back. So the definition that is then read is the one that the rows are read with, and
//! its digest says whether it is still the one of the snapshot.

use std::time::{Duration, Instant};

use dbbackup_sdk::{
    Host, Unit,
    dump::{
        Column, ColumnReader, Columns, CopyError, Literal, Output, Period, copy_rows,
        table_definition, text,
    },
    server::{Session, quote},
};

use super::catalogue::{Table, TableKind, digest_of_table};
use crate::error::EngineError;

/// How often progress is reported.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// How many rows pass before the clock is looked at.
const ROWS_BETWEEN_LOOKS: u64 = 1024;
/// MariaDB's variable that lets the history of rows be inserted.
const INSERT_HISTORY: &str = "system_versioning_insert_history";

/// Reads tables one after the other.
pub(crate) struct TableReader<'a> {
    /// The session with the snapshot.
    pub(crate) reader: &'a mut Session,
    /// A session that sees what is committed now.
    pub(crate) meta: &'a mut Session,
    /// The host, for progress.
    pub(crate) host: &'a Host,
    /// Size after which an `INSERT` ends.
    pub(crate) insert_bytes: u64,
    /// Columns and character sets.
    pub(crate) columns: ColumnReader,
    /// What has been done so far.
    pub(crate) progress: Progress,
}

/// Sums over all tables.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Rows dumped.
    pub(crate) rows: u64,
    /// Bytes of rows received.
    pub(crate) bytes: u64,
    /// Bytes that are to come altogether, as the server estimates them.
    pub(crate) estimated_bytes: u64,
    /// Longest statement.
    pub(crate) longest_statement_bytes: u64,
    /// Promises that could not be kept, a clause each.
    pub(crate) degraded: Vec<String>,
    reported: Instant,
}

impl Progress {
    /// Nothing done yet.
    pub(crate) fn new(estimated_bytes: u64) -> Self {
        Self {
            rows: 0,
            bytes: 0,
            estimated_bytes,
            longest_statement_bytes: 0,
            degraded: Vec::new(),
            reported: Instant::now(),
        }
    }

    /// Tells the host, not too often.
    fn report(&mut self, host: &Host) {
        if self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            // An estimate may be too low: done is never more than all.
            host.progress("dump", self.bytes, self.estimated_bytes.max(self.bytes), Unit::Bytes);
            host.progress("rows", self.rows, 0, Unit::Rows);
        }
    }
}

impl TableReader<'_> {
    /// Writes a table into its entry.
    ///
    /// # Errors
    /// [`EngineError::TableChanged`] where DDL came in between, [`EngineError::ReadTable`], and
    /// [`EngineError::Host`].
    pub(crate) fn dump(
        &mut self,
        schema: &str,
        table: &Table,
        output: &mut Output,
    ) -> Result<(), EngineError> {
        let name = format!("{schema}.{}", table.name);
        let reading = |source| EngineError::reading(&name, source);
        self.reader.execute("SAVEPOINT dbbackup").map_err(reading)?;
        let quoted = quote::qualified(schema, &table.name);
        self.reader.query(format!("SELECT 1 FROM {quoted} LIMIT 0")).map_err(reading)?;
        let (definition, digest) =
            digest_of_table(self.meta, schema, &table.name).map_err(reading)?;
        if digest != table.digest {
            return Err(EngineError::TableChanged { table: name, source: None });
        }
        let columns = self.columns.read(self.meta, schema, &table.name).map_err(reading)?;
        let definition = table_definition(self.meta, &table.storage_engine, definition);
        output.put(text::table_structure(&table.name, &definition))?;
        if table.kind != TableKind::Rowless {
            self.rows(schema, table, columns, output)?;
        }
        self.reader.execute("ROLLBACK TO SAVEPOINT dbbackup").map_err(reading)?;
        Ok(())
    }

    fn rows(
        &mut self,
        schema: &str,
        table: &Table,
        columns: Columns,
        output: &mut Output,
    ) -> Result<(), EngineError> {
        let history = self.history(schema, table, columns.period)?;
        let mut written = columns.written;
        if let Some(period) = &history {
            written.extend([&period.start, &period.end].map(|name| Column {
                name: name.clone(),
                expression: quote::identifier(name),
                literal: Literal::Text,
            }));
        }
        output.put(text::before_rows(&table.name, &table.storage_engine, history.is_some()))?;
        let clause = if history.is_some() { " FOR SYSTEM_TIME ALL" } else { "" };
        self.copy(schema, table, clause, &written, output)?;
        output.put(text::after_rows(&table.name, &table.storage_engine, history.is_some()))?;
        Ok(())
    }

    fn copy(
        &mut self,
        schema: &str,
        table: &Table,
        clause: &str,
        columns: &[Column],
        output: &mut Output,
    ) -> Result<(), EngineError> {
        let Self { reader, host, insert_bytes, progress, .. } = self;
        let mut until_look = ROWS_BETWEEN_LOOKS;
        let on_row = |bytes| {
            progress.bytes += bytes;
            progress.rows += 1;
            until_look -= 1;
            if until_look == 0 {
                until_look = ROWS_BETWEEN_LOOKS;
                progress.report(host);
            }
        };
        let source = (schema, table.name.as_str());
        let copied = copy_rows(reader, source, clause, columns, *insert_bytes, output, on_row);
        let copied = copied.map_err(|error| match error {
            CopyError::Read(error) => {
                EngineError::reading(&format!("{schema}.{}", table.name), error)
            }
            CopyError::Write(error) => error.into(),
        })?;
        let longest = progress.longest_statement_bytes.max(copied.longest_statement_bytes);
        progress.longest_statement_bytes = longest;
        if columns.is_empty() {
            progress.rows += copied.rows;
        }
        progress.report(host);
        Ok(())
    }

    /// The period columns, if the history of a versioned table can be dumped; else it is noted that
    /// only its current rows are.
    fn history(
        &mut self,
        schema: &str,
        table: &Table,
        period: Option<Period>,
    ) -> Result<Option<Period>, EngineError> {
        if table.kind != TableKind::Versioned {
            return Ok(None);
        }
        let period = period.unwrap_or_else(|| Period {
            start: "row_start".to_owned(),
            end: "row_end".to_owned(),
            by_transaction: false,
        });
        let why = if period.by_transaction {
            "its history is kept by transaction ids, which mean nothing on another server"
        } else if self.meta.variable(INSERT_HISTORY)?.is_none() {
            "the server cannot insert history (MariaDB 10.11 can)"
        } else {
            return Ok(Some(period));
        };
        self.progress.degraded.push(format!("{schema}.{}: current rows alone, {why}", table.name));
        Ok(None)
    }
}
