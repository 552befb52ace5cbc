//! The text: each table dropped, made and filled, then the triggers, which must not fire before.

use dbbackup_sdk::{
    Host, Sink, Unit,
    dump::{self, ColumnReader, Output, Program, text},
    server::{Session, quote},
};

use super::{BesideError, Dumped, Table};
use crate::artefact::{BESIDE_PATH, OUR_ROOT};

/// Size after which an `INSERT` ends: within every server's default `max_allowed_packet`.
const INSERT_BYTES: u64 = 1024 * 1024;
/// Rows between two reports of progress.
const REPORT_EVERY_ROWS: u64 = 10_000;
/// The rows are those of the backup, no new transactions of the server that they are loaded into.
const NO_BINLOG: &str = "\nSET @OLD_SQL_LOG_BIN=@@SESSION.SQL_LOG_BIN, SQL_LOG_BIN=0;\n";
const BINLOG_BACK: &str = "\nSET SQL_LOG_BIN=@OLD_SQL_LOG_BIN;\n";

/// Writes the text.
pub(super) struct Writer<'a> {
    output: Output,
    host: &'a Host,
    meta: &'a mut Session,
    columns: ColumnReader,
    /// The schema that the text is in.
    schema: Option<String>,
    /// Triggers so far: schema, its collation, table, trigger.
    triggers: Vec<(String, String, String, Program)>,
    rows: u64,
    bytes: u64,
    estimated_bytes: u64,
}

impl<'a> Writer<'a> {
    /// Opens the entry.
    pub(super) fn open(
        sink: &Sink,
        host: &'a Host,
        meta: &'a mut Session,
        dumped: &Dumped,
    ) -> Result<Self, BesideError> {
        let mut output = Output::open(sink, OUR_ROOT, BESIDE_PATH)?;
        let program = env!("CARGO_PKG_VERSION");
        let (at, when) = (&dumped.coordinates, &dumped.read_at);
        output.put(text::header(program, meta.version(), at, when))?;
        output.put(NO_BINLOG)?;
        Ok(Self {
            output,
            host,
            meta,
            columns: ColumnReader::default(),
            schema: None,
            triggers: Vec::new(),
            rows: 0,
            bytes: 0,
            estimated_bytes: dumped.tables.iter().map(|table| table.bytes).sum(),
        })
    }

    /// Writes a table; `reader` holds the lock.
    pub(super) fn table(&mut self, reader: &mut Session, table: &Table) -> Result<(), BesideError> {
        let reading = |source| BesideError::reading(table, source);
        let (schema, name) = (&table.schema, &table.name);
        self.meta.execute(format!("USE {}", quote::identifier(schema))).map_err(reading)?;
        let printed = dump::definition(self.meta, "TABLE", &quote::qualified(schema, name), 1);
        let printed = printed.map_err(reading)?;
        let definition = dump::table_definition(self.meta, &table.storage_engine, printed);
        if self.schema.as_ref() != Some(schema) {
            // One that was made since the clone is not in it.
            let quoted = quote::identifier(schema);
            let printed = dump::definition(self.meta, "DATABASE", &quoted, 1).map_err(reading)?;
            self.output.put(text::schema(schema, &printed))?;
            self.output.put(text::use_schema(schema))?;
            self.schema = Some(schema.clone());
        }
        self.output.put(text::table_structure(name, &definition))?;
        if table.has_rows() {
            self.rows(reader, table)?;
        }
        let collation = self.meta.required_value("SELECT @@collation_database").map_err(reading)?;
        let triggers = dump::triggers(self.meta, schema, |of| of == name).map_err(reading)?;
        self.triggers.extend(
            triggers
                .into_iter()
                .map(|trigger| (schema.clone(), collation.clone(), trigger.table, trigger.program)),
        );
        Ok(())
    }

    fn rows(&mut self, reader: &mut Session, table: &Table) -> Result<(), BesideError> {
        let Self { output, host, meta, columns, rows, bytes, estimated_bytes, .. } = self;
        let (schema, name) = (table.schema.as_str(), table.name.as_str());
        let columns = columns.read(meta, schema, name);
        let columns = columns.map_err(|source| BesideError::reading(table, source))?;
        output.put(text::before_rows(name, &table.storage_engine, false))?;
        let mut seen = 0;
        let on_row = |row_bytes| {
            *bytes += row_bytes;
            seen += 1;
            if seen % REPORT_EVERY_ROWS == 0 {
                host.progress("dump", *bytes, (*estimated_bytes).max(*bytes), Unit::Bytes);
            }
        };
        let source = (schema, name);
        let copied =
            dump::copy_rows(reader, source, "", &columns.written, INSERT_BYTES, output, on_row);
        *rows += copied.map_err(|error| BesideError::copying(table, error))?.rows;
        output.put(text::after_rows(name, &table.storage_engine, false))?;
        Ok(())
    }

    /// Writes the triggers and ends the entry; answers the number of rows.
    pub(super) fn finish(mut self) -> Result<u64, BesideError> {
        for (schema, collation, table, program) in &self.triggers {
            let (name, context) = (&program.name, &program.context);
            self.output.put(text::use_schema(schema))?;
            self.output.put(text::title("Trigger of table", table))?;
            let of_schema = Some((schema.as_str(), collation.as_str()));
            self.output.put(text::program(
                "TRIGGER",
                name,
                &program.definition,
                context,
                of_schema,
            ))?;
        }
        self.output.put(BINLOG_BACK)?;
        let ended = self.meta.utc_now()?;
        self.output.put(text::footer(&ended))?;
        self.output.finish()?;
        Ok(self.rows)
    }
}
