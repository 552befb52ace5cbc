//! The entries of a dump in the order in which they are restored: tablespaces, schemas and sequences,
//! tables with their rows, placeholders of views, routines, views, triggers, events. What comes later may need
//! what came before, and nothing fires while rows are loaded. Their names sort in the same order.

use dbbackup_sdk::{
    Host, Sink,
    dump::{ColumnReader, Output, path_component, text},
    server::Session,
};

use super::{
    catalogue::{Catalogue, Schema},
    definer,
    snapshot::Snapshot,
    table::{Progress, TableReader},
    view_order,
};
use crate::{
    error::EngineError,
    options::{Definers, Options},
};

/// Root of all entries of a dump.
const ROOT: &str = "dump";

/// Writes the entries of one dump.
pub(super) struct Emitter<'a> {
    sink: &'a Sink,
    definers: Definers,
    catalogue: &'a Catalogue,
    header: String,
    tables: TableReader<'a>,
}

impl<'a> Emitter<'a> {
    /// Prepares to emit what is in `catalogue`.
    pub(super) fn new(
        sink: &'a Sink,
        host: &'a Host,
        options: &Options,
        snapshot: &'a mut Snapshot,
        meta: &'a mut Session,
        catalogue: &'a Catalogue,
    ) -> Self {
        let program = env!("CARGO_PKG_VERSION");
        let (at, when) = (&snapshot.coordinates, &snapshot.consistent_at);
        let header = text::header(program, meta.version(), at, when);
        let tables = TableReader {
            reader: &mut snapshot.reader,
            meta,
            host,
            insert_bytes: options.insert_bytes,
            columns: ColumnReader::default(),
            progress: Progress::new(catalogue.estimated_bytes()),
        };
        Self { sink, definers: options.definers, catalogue, header, tables }
    }

    /// Emits everything.
    ///
    /// # Errors
    /// The first failure of reading or of the host.
    pub(super) fn emit(&mut self) -> Result<(), EngineError> {
        self.entry("00-header.sql", self.header.clone())?;
        self.entry("05-tablespaces.sql", text::tablespaces(&self.catalogue.tablespaces))?;
        let schemas = &self.catalogue.schemas;
        for schema in schemas {
            self.entry_of("10-schemas", schema, structure(schema))?;
        }
        for schema in schemas {
            self.tables(schema)?;
        }
        for schema in schemas {
            self.entry_of("30-placeholders", schema, placeholders(schema))?;
        }
        for schema in schemas {
            self.entry_of("40-routines", schema, self.routines(schema))?;
        }
        self.entry("50-views.sql", self.views())?;
        for schema in schemas {
            self.entry_of("60-triggers", schema, self.triggers(schema))?;
        }
        for schema in schemas {
            self.entry_of("70-events", schema, self.events(schema))?;
        }
        let ended = self.tables.meta.required_value("SELECT UTC_TIMESTAMP()")?;
        self.entry("99-footer.sql", text::footer(&ended))
    }

    /// Sums over all tables.
    pub(super) fn into_progress(self) -> Progress {
        self.tables.progress
    }

    fn tables(&mut self, schema: &Schema) -> Result<(), EngineError> {
        for table in &schema.tables {
            let path = format!(
                "20-tables/{}/{}.sql",
                path_component(&schema.name),
                path_component(&table.name)
            );
            let mut output = Output::open(self.sink, ROOT, &path)?;
            output.put(text::use_schema(&schema.name))?;
            self.tables.dump(&schema.name, table, &mut output)?;
            output.finish()?;
        }
        Ok(())
    }

    fn routines(&self, schema: &Schema) -> Vec<u8> {
        let mut to = Vec::new();
        for routine in &schema.routines {
            let program = &routine.program;
            let text = text::program(
                &routine.kind,
                &program.name,
                &self.definition(&program.definition),
                &program.context,
                Some((&schema.name, &schema.collation)),
            );
            to.extend_from_slice(&text);
        }
        to
    }

    fn views(&self) -> Vec<u8> {
        let mut to = Vec::new();
        let mut current = "";
        for (schema, view) in view_order::ordered(&self.catalogue.schemas) {
            if current != schema.name {
                current = &schema.name;
                to.extend_from_slice(text::use_schema(current).as_bytes());
            }
            let definition = self.definition(&view.definition);
            to.extend_from_slice(&text::view(&view.name, &definition, &view.context));
        }
        to
    }

    fn triggers(&self, schema: &Schema) -> Vec<u8> {
        let mut to = Vec::new();
        for trigger in &schema.triggers {
            let program = &trigger.program;
            to.extend_from_slice(text::title("Trigger of table", &trigger.table).as_bytes());
            let text = text::program(
                "TRIGGER",
                &program.name,
                &self.definition(&program.definition),
                &program.context,
                Some((&schema.name, &schema.collation)),
            );
            to.extend_from_slice(&text);
        }
        to
    }

    fn events(&self, schema: &Schema) -> Vec<u8> {
        let mut to = Vec::new();
        for event in &schema.events {
            let program = &event.program;
            let text = text::program(
                "EVENT",
                &program.name,
                &self.definition(&program.definition),
                &program.context,
                Some((&schema.name, &schema.collation)),
            );
            to.extend_from_slice(&text);
        }
        to
    }

    fn definition(&self, definition: &[u8]) -> Vec<u8> {
        match self.definers {
            Definers::Keep => definition.to_vec(),
            Definers::Strip => definer::strip(definition),
        }
    }

    /// Emits an entry that belongs to a schema, unless it is empty.
    fn entry_of(
        &self,
        directory: &str,
        schema: &Schema,
        content: Vec<u8>,
    ) -> Result<(), EngineError> {
        if content.is_empty() {
            return Ok(());
        }
        let path = format!("{directory}/{}.sql", path_component(&schema.name));
        let begin =
            if directory == "10-schemas" { String::new() } else { text::use_schema(&schema.name) };
        self.entry(&path, [begin.into_bytes(), content].concat())
    }

    fn entry(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), EngineError> {
        if content.as_ref().is_empty() {
            return Ok(());
        }
        let mut output = Output::open(self.sink, ROOT, path)?;
        output.put(content)?;
        output.finish().map(|_| ())?;
        Ok(())
    }
}

/// The schema itself and its sequences, which default values of tables may call.
fn structure(schema: &Schema) -> Vec<u8> {
    let mut to = text::schema(&schema.name, &schema.definition);
    to.extend_from_slice(text::use_schema(&schema.name).as_bytes());
    for sequence in &schema.sequences {
        to.extend_from_slice(&text::sequence(
            &sequence.name,
            &sequence.definition,
            &sequence.state,
        ));
    }
    to
}

fn placeholders(schema: &Schema) -> Vec<u8> {
    let known = schema.views.iter().filter(|view| !view.columns.is_empty());
    known.flat_map(|view| text::placeholder(&view.name, &view.columns).into_bytes()).collect()
}
