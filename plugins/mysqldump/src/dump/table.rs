//! One table: its structure and its rows, proven to belong together and to the snapshot.
//!
//! Opening the table in the snapshot's transaction keeps its definition as it is until the savepoint
//! is rolled back. So the definition that is then read is the one that the rows are read with, and
//! its digest says whether it is still the one of the snapshot.

use std::time::{Duration, Instant};

use dbbackup_sdk::{
    Host, Unit,
    server::{Session, quote},
};

use super::{
    catalogue::{Table, TableKind, digest_of_table},
    collation,
    column::{Column, ColumnReader, Columns, Literal, Period},
    insert::InsertWriter,
    output::Output,
    text,
};
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
        let definition = if self.meta.version().is_mariadb() {
            definition
        } else {
            collation::without_inherited(&definition)
        };
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
        if written.is_empty() {
            self.empty_rows(schema, table, output)?;
        } else {
            let expressions: Vec<&str> =
                written.iter().map(|column| column.expression.as_str()).collect();
            let select = format!(
                "SELECT /*!40001 SQL_NO_CACHE */ {} FROM {}{}",
                expressions.join(","),
                quote::qualified(schema, &table.name),
                if history.is_some() { " FOR SYSTEM_TIME ALL" } else { "" }
            );
            self.stream(&select, schema, table, &written, output)?;
        }
        output.put(text::after_rows(&table.name, &table.storage_engine, history.is_some()))
    }

    /// Copies the rows of a query; nothing but the row at hand is in memory.
    fn stream(
        &mut self,
        select: &str,
        schema: &str,
        table: &Table,
        columns: &[Column],
        output: &mut Output,
    ) -> Result<(), EngineError> {
        let name = || format!("{schema}.{}", table.name);
        let reading = |source| EngineError::reading_rows(&name(), source);
        let mut rows = self.reader.connection().query(select).map_err(reading)?;
        let mut insert = InsertWriter::new(output, &table.name, columns, self.insert_bytes);
        let mut until_look = ROWS_BETWEEN_LOOKS;
        while let Some(row) = rows.next_row().map_err(reading)? {
            self.progress.bytes += row.wire_bytes() as u64;
            self.progress.rows += 1;
            insert.put(row)?;
            until_look -= 1;
            if until_look == 0 {
                until_look = ROWS_BETWEEN_LOOKS;
                self.progress.report(self.host);
            }
        }
        rows.finish().map_err(reading)?;
        let (_, longest) = insert.finish()?;
        let progress = &mut self.progress;
        progress.longest_statement_bytes = progress.longest_statement_bytes.max(longest);
        progress.report(self.host);
        Ok(())
    }

    /// A table whose columns are all generated: only the number of its rows is to be kept.
    fn empty_rows(
        &mut self,
        schema: &str,
        table: &Table,
        output: &mut Output,
    ) -> Result<(), EngineError> {
        let quoted = quote::qualified(schema, &table.name);
        let reading = |source| EngineError::reading(&format!("{schema}.{}", table.name), source);
        let answer = self
            .reader
            .query(format!("SELECT COUNT(*) AS rows_there FROM {quoted}"))
            .map_err(reading)?;
        let count =
            answer.only().and_then(|record| record.number("rows_there")).map_err(reading)?;
        for _ in 0..count {
            output
                .put(format!("INSERT INTO {} () VALUES ();\n", quote::identifier(&table.name)))?;
        }
        self.progress.rows += count;
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
