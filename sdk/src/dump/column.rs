//! Columns of a table: how each is selected, and what kind of literal its values become.
//!
//! The session asks for no conversion of results, so every value arrives as it is stored. A text in
//! `utf8mb4`, `utf8mb3` or `ascii` is written as it is. A text in another character set is converted
//! to `utf8mb4` only where the server was seen to convert all of its characters there and back; else
//! its bytes are written with the name of the character set before them. So every text comes back
//! byte for byte.

use std::collections::BTreeMap;

use crate::server::{
    Record, Session, SessionError,
    quote::{self, Escaping},
};

/// What kind of literal the values of a column become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A number: written as it comes.
    Number,
    /// A floating-point number.
    Real,
    /// A string in `utf8mb4`.
    Text,
    /// Bytes of no character set.
    Bytes,
    /// Bytes of a character set that is named before them: `_sjis 0x…`.
    Encoded(String),
}

/// A column that is part of an `INSERT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Expression that selects it.
    pub expression: String,
    /// Its literals.
    pub literal: Literal,
}

/// Columns of one table.
#[derive(Debug, Default)]
pub struct Columns {
    /// Those that take values, in their order.
    pub written: Vec<Column>,
    /// MariaDB's row start and row end: `(names, transaction ids instead of times)`.
    pub period: Option<Period>,
}

/// The columns that hold the life of a row in a system-versioned table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Row start.
    pub start: String,
    /// Row end.
    pub end: String,
    /// They hold transaction ids, which mean nothing on another server.
    pub by_transaction: bool,
}

/// Reads columns, and remembers which character sets convert there and back.
#[derive(Debug, Default)]
pub struct ColumnReader {
    convertible: BTreeMap<String, bool>,
}

impl ColumnReader {
    /// The columns of a table; generated ones are left out, invisible ones are not.
    pub fn read(
        &mut self,
        meta: &mut Session,
        schema: &str,
        table: &str,
    ) -> Result<Columns, SessionError> {
        let literal = |name| quote::string(name, Escaping::Backslash);
        let list = meta.query(format!(
            "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, EXTRA, GENERATION_EXPRESSION \
             FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
             ORDER BY ORDINAL_POSITION",
            literal(schema),
            literal(table)
        ));
        // MySQL 5.6 has no generated columns, and no column that tells of them.
        let list = match list {
            Err(error) if error.server_code() == Some(1054) => meta.query(format!(
                "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, EXTRA \
                 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
                 ORDER BY ORDINAL_POSITION",
                literal(schema),
                literal(table)
            ))?,
            other => other?,
        };
        let mut columns = Columns::default();
        for record in list.records() {
            self.add(meta, &record, &mut columns)?;
        }
        Ok(columns)
    }

    fn add(
        &mut self,
        meta: &mut Session,
        record: &Record<'_>,
        columns: &mut Columns,
    ) -> Result<(), SessionError> {
        let name = record.text("COLUMN_NAME")?.to_owned();
        let extra = record.get("EXTRA").unwrap_or_default().to_ascii_uppercase();
        let data_type = record.text("DATA_TYPE")?.to_ascii_lowercase();
        match record.get("GENERATION_EXPRESSION").unwrap_or_default() {
            // In the order of their declaration, which is either.
            "ROW START" => {
                let period = columns.period.get_or_insert_default();
                period.by_transaction = data_type == "bigint";
                period.start = name;
                return Ok(());
            }
            "ROW END" => {
                columns.period.get_or_insert_default().end = name;
                return Ok(());
            }
            _ => {}
        }
        // `DEFAULT_GENERATED` is an expression as a default value: such a column takes values.
        let generated = extra.split_whitespace().any(|word| word == "GENERATED")
            || extra.split_whitespace().any(|word| matches!(word, "VIRTUAL" | "PERSISTENT"));
        if generated {
            return Ok(());
        }
        columns.written.push(self.column(
            meta,
            name,
            &data_type,
            record.get("CHARACTER_SET_NAME"),
        )?);
        Ok(())
    }

    fn column(
        &mut self,
        meta: &mut Session,
        name: String,
        data_type: &str,
        character_set: Option<&str>,
    ) -> Result<Column, SessionError> {
        let quoted = quote::identifier(&name);
        let (expression, literal) = match data_type {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "year" => {
                (quoted, Literal::Number)
            }
            // As a FLOAT the server prints six digits; as a DOUBLE as many as make it unmistakable.
            // A product keeps the sign of zero, which a sum would not.
            "float" | "double" => (format!("{quoted}*1e0"), Literal::Real),
            "bit" | "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
            | "vector" | "geometry" | "point" | "linestring" | "polygon" | "multipoint"
            | "multilinestring" | "multipolygon" | "geomcollection" | "geometrycollection" => {
                (quoted, Literal::Bytes)
            }
            // Dates, times, UUID, INET4, INET6 and JSON have no character set and come as ASCII or
            // UTF-8; so will types of later versions.
            _ => match character_set {
                None | Some("utf8mb4" | "utf8mb3" | "utf8" | "ascii") => (quoted, Literal::Text),
                Some("binary") => (quoted, Literal::Bytes),
                Some(other) if self.is_convertible(meta, other)? => {
                    (format!("CONVERT({quoted} USING utf8mb4)"), Literal::Text)
                }
                Some(other) => (quoted, Literal::Encoded(other.to_owned())),
            },
        };
        Ok(Column { name, expression, literal })
    }

    /// Whether the server converts all 256 characters of a character set to `utf8mb4` and back.
    /// Character sets with longer characters have some that share one in Unicode, and are out.
    fn is_convertible(&mut self, meta: &mut Session, name: &str) -> Result<bool, SessionError> {
        if let Some(known) = self.convertible.get(name) {
            return Ok(*known);
        }
        let literal = quote::string(name, Escaping::Backslash);
        let width = meta.value(format!(
            "SELECT MAXLEN FROM information_schema.CHARACTER_SETS \
             WHERE CHARACTER_SET_NAME = {literal}"
        ))?;
        let mut convertible = width.as_deref() == Some("1");
        if convertible {
            let all: String = (0..=u8::MAX).map(|byte| format!("{byte:02X}")).collect();
            let back = meta.value(format!(
                "SELECT HEX(CONVERT(CONVERT(CONVERT(0x{all} USING {name}) USING utf8mb4) \
                 USING {name}))"
            ))?;
            convertible = back.as_deref() == Some(all.as_str());
        }
        self.convertible.insert(name.to_owned(), convertible);
        Ok(convertible)
    }
}
