//! Rows as extended `INSERT` statements, formatted straight from the receive buffer.

use crate::{HostError, server::quote, wire::Row};

use super::{
    column::{Column, Literal},
    literal::{put_escaped, put_hex, put_quoted, put_real},
    output::Output,
};

/// A longer value is formatted in pieces of this size, so that the chunk does not grow with it.
const PIECE_BYTES: usize = 64 * 1024;
/// A longer value without a character set is written as an escaped string: its hexadecimal form
/// would be twice as long, and perhaps longer than any `max_allowed_packet`.
const LONGEST_HEX_BYTES: usize = 8 * 1024 * 1024;

/// Writes the rows of one table.
pub struct InsertWriter<'o> {
    output: &'o mut Output,
    head: Vec<u8>,
    literals: Vec<Literal>,
    limit_bytes: u64,
    /// Where the open statement began.
    began: Option<u64>,
    rows: u64,
    longest_bytes: u64,
}

impl<'o> InsertWriter<'o> {
    /// Writes rows of `columns` into statements that end after `limit_bytes`.
    pub fn new(output: &'o mut Output, table: &str, columns: &[Column], limit_bytes: u64) -> Self {
        let names: Vec<String> =
            columns.iter().map(|column| quote::identifier(&column.name)).collect();
        let head =
            format!("INSERT INTO {} ({}) VALUES\n", quote::identifier(table), names.join(","));
        let literals = columns.iter().map(|column| column.literal.clone()).collect();
        let head = head.into_bytes();
        Self { output, head, literals, limit_bytes, began: None, rows: 0, longest_bytes: 0 }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The host takes no more.
    #[inline]
    pub fn put(&mut self, row: Row<'_>) -> Result<(), HostError> {
        let position = self.output.position();
        match self.began {
            Some(began) if position - began < self.limit_bytes => {
                self.output.buffer().extend_from_slice(b",\n(");
            }
            _ => self.begin()?,
        }
        let mut separator: &[u8] = b"";
        for (value, literal) in row.iter().zip(&self.literals) {
            let to = self.output.buffer();
            to.extend_from_slice(separator);
            separator = b",";
            match value {
                None => to.extend_from_slice(b"NULL"),
                Some(bytes) if bytes.len() <= PIECE_BYTES => put_value(to, literal, bytes),
                Some(bytes) => put_long_value(self.output, literal, bytes)?,
            }
        }
        self.output.buffer().push(b')');
        self.rows += 1;
        self.output.flush_full()
    }

    /// Ends the last statement; answers the number of rows and the length of the longest statement.
    ///
    /// # Errors
    /// As [`InsertWriter::put`].
    pub fn finish(mut self) -> Result<(u64, u64), HostError> {
        self.end()?;
        Ok((self.rows, self.longest_bytes))
    }

    /// Begins a statement, after ending the one before.
    #[cold]
    fn begin(&mut self) -> Result<(), HostError> {
        self.end()?;
        self.began = Some(self.output.position());
        self.output.buffer().extend_from_slice(&self.head);
        self.output.buffer().push(b'(');
        Ok(())
    }

    fn end(&mut self) -> Result<(), HostError> {
        if let Some(began) = self.began.take() {
            self.longest_bytes = self.longest_bytes.max(self.output.position() - began);
            self.output.put(";\n")?;
        }
        Ok(())
    }
}

#[inline]
fn put_value(to: &mut Vec<u8>, literal: &Literal, bytes: &[u8]) {
    match literal {
        Literal::Number => to.extend_from_slice(bytes),
        Literal::Real => put_real(to, bytes),
        Literal::Text => put_quoted(to, bytes),
        // `0x` alone is a name.
        Literal::Bytes | Literal::Encoded(_) if bytes.is_empty() => to.extend_from_slice(b"''"),
        Literal::Bytes => {
            to.extend_from_slice(b"0x");
            put_hex(to, bytes);
        }
        Literal::Encoded(character_set) => {
            put_introducer(to, character_set);
            put_hex(to, bytes);
        }
    }
}

fn put_introducer(to: &mut Vec<u8>, character_set: &str) {
    to.push(b'_');
    to.extend_from_slice(character_set.as_bytes());
    to.extend_from_slice(b" 0x");
}

/// Formats a piece of a value.
type PutPiece = fn(&mut Vec<u8>, &[u8]);

/// Writes a long value piece by piece.
#[cold]
fn put_long_value(output: &mut Output, literal: &Literal, bytes: &[u8]) -> Result<(), HostError> {
    let (head, put, tail): (&str, PutPiece, &str) = match literal {
        Literal::Text => ("'", put_escaped, "'"),
        Literal::Bytes if bytes.len() > LONGEST_HEX_BYTES => ("_binary'", put_escaped, "'"),
        Literal::Bytes => ("0x", put_hex, ""),
        Literal::Encoded(character_set) => {
            put_introducer(output.buffer(), character_set);
            ("", put_hex, "")
        }
        Literal::Number | Literal::Real => ("", |to, piece| to.extend_from_slice(piece), ""),
    };
    output.put(head)?;
    for piece in bytes.chunks(PIECE_BYTES) {
        put(output.buffer(), piece);
        output.flush_full()?;
    }
    output.put(tail)
}
