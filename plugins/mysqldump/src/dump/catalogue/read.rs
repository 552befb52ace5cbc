//! Reads the catalogue, object by object, in a session that sees what is committed now.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use dbbackup_sdk::{
    document::manifest::ExcludedRecord,
    dump::definition,
    server::{
        Record, Session, SessionError,
        quote::{self, Escaping},
    },
};

use super::{
    Catalogue, Selection,
    object::{Estimate, Schema, Sequence, Table, TableKind},
    tablespace,
};
use crate::error::EngineError;

/// Storage engines whose tables have no rows of their own, and where the rows are.
const ROWLESS: [(&str, Option<&str>); 3] = [
    ("BLACKHOLE", None),
    ("FEDERATED", Some("its rows are on another server")),
    ("MRG_MYISAM", Some("its rows are in the tables that it merges")),
];

/// Reads everything that `selection` chooses.
///
/// # Errors
/// [`EngineError::NoSchema`] and [`EngineError::SchemaLeftOut`], and what the server refuses.
pub(crate) fn read(meta: &mut Session, selection: &Selection) -> Result<Catalogue, EngineError> {
    let engines = transactional_engines(meta)?;
    let mut catalogue = Catalogue::default();
    let mut tablespaces = BTreeSet::new();
    let all = schema_names(meta)?;
    for name in selection.schemas(all, &mut catalogue.excluded)? {
        let mut reader = Reader {
            meta,
            selection,
            engines: &engines,
            excluded: &mut catalogue.excluded,
            tablespaces: &mut tablespaces,
        };
        let schema = reader.schema(name)?;
        catalogue.schemas.push(schema);
    }
    catalogue.tablespaces = tablespace::definitions(meta, &tablespaces)?;
    Ok(catalogue)
}

/// All schemas that the account can see, by name.
pub(crate) fn schema_names(meta: &mut Session) -> Result<Vec<String>, SessionError> {
    names(meta, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
}

/// Reads one schema.
pub(super) struct Reader<'a> {
    pub(super) meta: &'a mut Session,
    selection: &'a Selection,
    engines: &'a BTreeSet<String>,
    pub(super) excluded: &'a mut Vec<ExcludedRecord>,
    tablespaces: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    fn schema(&mut self, name: String) -> Result<Schema, EngineError> {
        // With the schema as the default one, the server leaves it out of definitions, so that they
        // can be restored under another name.
        self.meta.execute(format!("USE {}", quote::identifier(&name)))?;
        let collation = self.meta.required_value("SELECT @@collation_database")?;
        let definition = self.definition("DATABASE", &quote::identifier(&name), 1)?;
        let mut schema = Schema { name, definition, collation, ..Schema::default() };
        self.relations(&mut schema)?;
        schema.routines = self.routines(&schema.name)?;
        schema.triggers = self.triggers(&schema)?;
        schema.events = self.events(&schema.name)?;
        Ok(schema)
    }

    /// Tables, views and sequences: what `information_schema.TABLES` lists.
    fn relations(&mut self, schema: &mut Schema) -> Result<(), EngineError> {
        let literal = quote::string(&schema.name, Escaping::Backslash);
        let list = self.meta.query(format!(
            "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, CREATE_TIME, DATA_LENGTH \
             FROM information_schema.TABLES WHERE TABLE_SCHEMA = {literal} ORDER BY TABLE_NAME"
        ))?;
        for record in list.records() {
            let name = record.text("TABLE_NAME")?;
            if self.selection.excludes(&schema.name, name) {
                self.exclude(schema, name, "excluded by option");
                continue;
            }
            match record.text("TABLE_TYPE")? {
                kind @ ("BASE TABLE" | "SYSTEM VERSIONED") => {
                    let table = self.table(schema, &record, kind == "SYSTEM VERSIONED")?;
                    schema.tables.push(table);
                }
                "VIEW" | "SYSTEM VIEW" => {
                    if let Some(view) = self.view(&schema.name, name)? {
                        schema.views.push(view);
                    }
                }
                "SEQUENCE" => schema.sequences.push(self.sequence(name)?),
                other => {
                    self.exclude(schema, name, &format!("{} is not dumped", other.to_lowercase()))
                }
            }
        }
        Ok(())
    }

    fn exclude(&mut self, schema: &Schema, object: &str, why: &str) {
        let what = format!("{}.{object}", schema.name);
        self.excluded.push(ExcludedRecord { what, why: why.to_owned() });
    }

    fn table(
        &mut self,
        schema: &Schema,
        record: &Record<'_>,
        versioned: bool,
    ) -> Result<Table, EngineError> {
        let name = record.text("TABLE_NAME")?;
        let storage_engine = record.get("ENGINE").unwrap_or("unknown").to_owned();
        let rowless =
            ROWLESS.iter().find(|(engine, _)| engine.eq_ignore_ascii_case(&storage_engine));
        if let Some((_, Some(why))) = rowless {
            self.exclude(schema, &format!("{name} (rows)"), why);
        }
        let kind = if rowless.is_some() {
            TableKind::Rowless
        } else if !self.engines.contains(&storage_engine) {
            TableKind::Unprotected
        } else if versioned {
            TableKind::Versioned
        } else {
            TableKind::Transactional
        };
        let definition = self.definition("TABLE", &quote::identifier(name), 1)?;
        self.tablespaces.extend(tablespace::named_in(&definition));
        Ok(Table {
            name: name.to_owned(),
            kind,
            digest: digest(&definition, record.bytes("CREATE_TIME")),
            estimated_bytes: Estimate(record.number("DATA_LENGTH").unwrap_or(0)),
            storage_engine,
        })
    }

    fn sequence(&mut self, name: &str) -> Result<Sequence, EngineError> {
        let quoted = quote::identifier(name);
        let definition = self.definition("SEQUENCE", &quoted, 1)?;
        let state = self.meta.query(format!(
            "SELECT next_not_cached_value, minimum_value, maximum_value, start_value, increment, \
             cache_size, cycle_option, cycle_count FROM {quoted}"
        ))?;
        let record = state.only()?;
        let values: Vec<String> = (0..state.columns().len())
            .filter_map(|at| record.at(at))
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect();
        Ok(Sequence { name: name.to_owned(), definition, state: values.join(", ") })
    }

    /// The text that `SHOW CREATE` gives in one of its columns.
    fn definition(
        &mut self,
        kind: &str,
        quoted: &str,
        column: usize,
    ) -> Result<Vec<u8>, EngineError> {
        Ok(definition(self.meta, kind, quoted, column)?)
    }
}

/// The definition of a table and its digest, now.
///
/// # Errors
/// What the server refuses: 1146 where the table is gone.
pub(crate) fn digest_of_table(
    meta: &mut Session,
    schema: &str,
    table: &str,
) -> Result<(Vec<u8>, u64), SessionError> {
    let text = definition(meta, "TABLE", &quote::qualified(schema, table), 1)?;
    let literal = |name| quote::string(name, Escaping::Backslash);
    let created = meta.query(format!(
        "SELECT CREATE_TIME FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        literal(schema),
        literal(table)
    ))?;
    let digest = digest(&text, created.only()?.at(0));
    Ok((text, digest))
}

/// Digest of a table's identity: its definition and when it was made. A renamed table keeps its
/// time, so that two tables that exchange their names are told apart.
fn digest(definition: &[u8], created: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let (head, tail) = around_auto_increment(definition);
    (head, tail, created).hash(&mut hasher);
    hasher.finish()
}

/// A table's definition without the `AUTO_INCREMENT` value, which every insert moves.
fn around_auto_increment(definition: &[u8]) -> (&[u8], &[u8]) {
    const OPTION: &[u8] = b" AUTO_INCREMENT=";
    let Some(at) = memchr::memmem::rfind(definition, OPTION) else {
        return (definition, &[]);
    };
    let (head, rest) = definition.split_at(at);
    let digits = rest.iter().skip(OPTION.len()).take_while(|byte| byte.is_ascii_digit()).count();
    (head, rest.get(OPTION.len() + digits..).unwrap_or_default())
}

fn transactional_engines(meta: &mut Session) -> Result<BTreeSet<String>, EngineError> {
    let sql = "SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'";
    Ok(names(meta, sql)?.into_iter().collect())
}

/// The first column of a result, sorted.
pub(super) fn names(meta: &mut Session, sql: &str) -> Result<Vec<String>, SessionError> {
    let table = meta.query(sql)?;
    let values = table.records().filter_map(|record| record.at(0));
    let mut names: Vec<String> =
        values.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests;
