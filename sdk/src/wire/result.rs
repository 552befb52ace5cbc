//! Results of statements: columns, rows as slices of the receive buffer, and how it ended.

use std::ops::Range;

use crate::wire::{Connection, Cursor, ServerError, WireError, handshake::capability};

/// Server status: further results follow this one.
const MORE_RESULTS: u16 = 8;
/// Server status: `\` is an ordinary character in strings of this session.
const NO_BACKSLASH_ESCAPES: u16 = 512;
/// Most columns that a server can have in a result.
const MAX_COLUMNS: u64 = 4096 * 16;

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Database of the table, empty for an expression.
    pub schema: String,
    /// Name of the table, or its alias.
    pub table: String,
    /// Name of the table itself.
    pub original_table: String,
    /// Name of the column, or its alias.
    pub name: String,
    /// Name of the column itself.
    pub original_name: String,
    /// Collation id of the values as sent; 63 is `binary`.
    pub collation: u16,
    /// Largest display width, in bytes.
    pub length: u32,
    /// Type of the values.
    pub kind: ColumnType,
    /// What else the server says of it.
    pub flags: ColumnFlags,
    /// Digits behind the decimal point; 31 or 39 where that is not fixed.
    pub decimals: u8,
}

impl Column {
    fn parse(packet: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet, "column definition");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        cursor.lenenc_bytes()?;
        let schema = text(cursor.lenenc_bytes()?);
        let table = text(cursor.lenenc_bytes()?);
        let original_table = text(cursor.lenenc_bytes()?);
        let name = text(cursor.lenenc_bytes()?);
        let original_name = text(cursor.lenenc_bytes()?);
        cursor.lenenc_int()?;
        let collation = cursor.u16()?;
        let length = cursor.u32()?;
        let kind = ColumnType(cursor.u8()?);
        let flags = ColumnFlags(cursor.u16()?);
        let decimals = cursor.u8()?;
        Ok(Self {
            schema,
            table,
            original_table,
            name,
            original_name,
            collation,
            length,
            kind,
            flags,
            decimals,
        })
    }
}

/// The type byte of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnType(pub u8);

impl ColumnType {
    /// `BIT`: the value is the bits themselves, also in a text row.
    pub const BIT: Self = Self(0x10);
    /// `JSON` (MySQL; MariaDB sends JSON as text).
    pub const JSON: Self = Self(0xf5);
    /// `VECTOR` (MySQL 9).
    pub const VECTOR: Self = Self(0xf2);
    /// Spatial types: the value is binary.
    pub const GEOMETRY: Self = Self(0xff);

    /// Whether a text row shows the value as a number: digits, sign, point and exponent, which SQL
    /// reads back without quotes.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(self.0, 0x00..=0x05 | 0x08 | 0x09 | 0x0d | 0xf6)
    }

    /// Whether the value is text or bytes of any length: the `CHAR`, `TEXT` and `BLOB` families.
    #[must_use]
    pub fn is_string(self) -> bool {
        matches!(self.0, 0x0f | 0xf7..=0xfe)
    }
}

/// The flags of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnFlags(pub u16);

impl ColumnFlags {
    /// `NOT NULL`.
    #[must_use]
    pub fn not_null(self) -> bool {
        self.0 & 1 != 0
    }

    /// Part of the primary key.
    #[must_use]
    pub fn primary_key(self) -> bool {
        self.0 & 2 != 0
    }

    /// `UNSIGNED`.
    #[must_use]
    pub fn unsigned(self) -> bool {
        self.0 & 32 != 0
    }

    /// Compared as bytes: `BLOB` rather than `TEXT`, when the collation is 63 too.
    #[must_use]
    pub fn binary(self) -> bool {
        self.0 & 128 != 0
    }
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Completion {
    /// Rows changed.
    pub affected_rows: u64,
    /// First value that `AUTO_INCREMENT` gave out.
    pub last_insert_id: u64,
    /// Number of warnings, for `SHOW WARNINGS`.
    pub warnings: u16,
    /// Status bits of the session.
    pub status: u16,
}

impl Completion {
    /// Reads an OK packet, whose first byte is 0x00, or 0xFE after rows.
    pub(crate) fn parse_ok(packet: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet, "OK packet");
        cursor.u8()?;
        let affected_rows = cursor.lenenc_int()?;
        let last_insert_id = cursor.lenenc_int()?;
        let status = cursor.u16()?;
        let warnings = cursor.u16()?;
        Ok(Self { affected_rows, last_insert_id, warnings, status })
    }

    fn parse_eof(packet: &[u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(packet, "EOF packet");
        cursor.u8()?;
        let warnings = cursor.u16()?;
        let status = cursor.u16()?;
        Ok(Self { warnings, status, ..Self::default() })
    }

    /// Whether the session reads `\` as an ordinary character in strings.
    #[must_use]
    pub fn no_backslash_escapes(self) -> bool {
        self.status & NO_BACKSLASH_ESCAPES != 0
    }

    fn more_results(self) -> bool {
        self.status & MORE_RESULTS != 0
    }
}

/// The result of one statement, read as it arrives.
///
/// Dropping it before its end makes the connection refuse further commands with
/// [`WireError::Unfinished`]: skipping an unknown number of rows is the caller's decision, see
/// [`QueryResult::finish`].
#[derive(Debug)]
pub struct QueryResult<'c> {
    connection: &'c mut Connection,
    columns: Vec<Column>,
    fields: Vec<Option<Range<usize>>>,
    completion: Option<Completion>,
}

impl<'c> QueryResult<'c> {
    /// Reads the answer to a statement up to its first row.
    pub(crate) fn begin(connection: &'c mut Connection) -> Result<Self, WireError> {
        connection.set_unfinished(true);
        let mut result =
            Self { connection, columns: Vec::new(), fields: Vec::new(), completion: None };
        result.read_head()?;
        Ok(result)
    }

    /// The columns; none for a statement without rows.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How the statement ended, once the rows are read.
    #[must_use]
    pub fn completion(&self) -> Option<Completion> {
        self.completion
    }

    /// The next row, valid until the next call, or nothing after the last one.
    ///
    /// # Errors
    /// [`WireError::Server`] when the statement failed midway, and every error of the connection.
    #[inline]
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, WireError> {
        if self.completion.is_some() {
            return Ok(None);
        }
        let deprecate_eof = self.connection.has(capability::DEPRECATE_EOF);
        let packet = self.connection.read_packet_during("reading rows")?;
        match packet.first() {
            Some(0xff) => {
                let error = ServerError::parse(packet)?;
                self.connection.set_unfinished(false);
                Err(error.into())
            }
            Some(0xfe) if is_terminator(packet, deprecate_eof) => {
                let completion = if deprecate_eof {
                    Completion::parse_ok(packet)?
                } else {
                    Completion::parse_eof(packet)?
                };
                self.complete(completion);
                Ok(None)
            }
            _ => {
                // Asked for again: the other arms need the connection, and a borrow that is returned
                // in one arm would forbid it in all.
                let packet = self.connection.last_packet()?;
                split_row(packet, self.columns.len(), &mut self.fields)?;
                Ok(Some(Row { packet, fields: &self.fields }))
            }
        }
    }

    /// Skips the rows that are left, and all further results, and returns how the first of these
    /// ended.
    ///
    /// # Errors
    /// As [`QueryResult::next_row`].
    pub fn finish(mut self) -> Result<Completion, WireError> {
        while self.next_row()?.is_some() {}
        let first = self.completion.unwrap_or_default();
        while self.next_result()? {
            while self.next_row()?.is_some() {}
        }
        Ok(first)
    }

    /// Goes on to the next result of a `CALL`; false when there is none.
    ///
    /// # Errors
    /// [`WireError::Unfinished`] while rows are left, and every error of the connection.
    pub fn next_result(&mut self) -> Result<bool, WireError> {
        match self.completion {
            None => Err(WireError::Unfinished),
            Some(completion) if !completion.more_results() => Ok(false),
            Some(_) => {
                self.completion = None;
                self.columns.clear();
                self.read_head()?;
                Ok(true)
            }
        }
    }

    fn read_head(&mut self) -> Result<(), WireError> {
        let packet = self.connection.read_packet_during("waiting for a result")?;
        match packet.first() {
            Some(0x00) => {
                let completion = Completion::parse_ok(packet)?;
                self.complete(completion);
                Ok(())
            }
            Some(0xff) => {
                let error = ServerError::parse(packet)?;
                self.connection.set_unfinished(false);
                Err(error.into())
            }
            Some(0xfb) => {
                // The server waits for the file. An empty packet says that it has no content.
                self.connection.write_packet(&[])?;
                self.connection.read_packet_during("refusing a local file")?;
                self.connection.set_unfinished(false);
                Err(WireError::LocalInfile)
            }
            _ => {
                let count = Cursor::new(packet, "column count").lenenc_int()?;
                self.read_columns(count)
            }
        }
    }

    fn read_columns(&mut self, count: u64) -> Result<(), WireError> {
        if count == 0 || count > MAX_COLUMNS {
            return Err(self.connection.broken(WireError::malformed("column count")));
        }
        for _ in 0..count {
            let packet = self.connection.read_packet_during("reading columns")?;
            if packet.first() == Some(&0xff) {
                let error = ServerError::parse(packet)?;
                self.connection.set_unfinished(false);
                return Err(error.into());
            }
            self.columns.push(Column::parse(packet)?);
        }
        if !self.connection.has(capability::DEPRECATE_EOF) {
            let packet = self.connection.read_packet_during("reading columns")?;
            if packet.first() != Some(&0xfe) || packet.len() > 5 {
                return Err(WireError::malformed("end of columns"));
            }
        }
        Ok(())
    }

    fn complete(&mut self, completion: Completion) {
        self.connection.set_status(completion.status);
        self.connection.set_unfinished(completion.more_results());
        self.completion = Some(completion);
    }
}

/// Whether a packet that begins with 0xFE ends the rows. A row may begin so too, when its first
/// value is longer than 16 MiB, but is then longer than any terminator.
fn is_terminator(packet: &[u8], deprecate_eof: bool) -> bool {
    if deprecate_eof { packet.len() < 0xff_ffff } else { packet.len() < 9 }
}

/// Finds the fields of a text row.
#[inline]
fn split_row(
    packet: &[u8],
    columns: usize,
    fields: &mut Vec<Option<Range<usize>>>,
) -> Result<(), WireError> {
    fields.clear();
    let mut at = 0;
    for _ in 0..columns {
        let Some(&first) = packet.get(at) else {
            return Err(WireError::malformed("row"));
        };
        at += 1;
        let length = match first {
            short @ 0..=0xfa => usize::from(short),
            0xfb => {
                fields.push(None);
                continue;
            }
            long => {
                let (length, bytes) = long_length(long, packet.get(at..).unwrap_or_default())?;
                at += bytes;
                length
            }
        };
        let end = at.checked_add(length).filter(|end| *end <= packet.len());
        let Some(end) = end else {
            return Err(WireError::malformed("row"));
        };
        fields.push(Some(at..end));
        at = end;
    }
    if at == packet.len() { Ok(()) } else { Err(WireError::malformed("row")) }
}

/// A length of more than one byte, and how many bytes it took behind the first.
fn long_length(first: u8, rest: &[u8]) -> Result<(usize, usize), WireError> {
    let mut cursor = Cursor::new(rest, "row");
    let (length, bytes) = match first {
        0xfc => (u64::from(cursor.u16()?), 2),
        0xfd => (u64::from(cursor.u24()?), 3),
        0xfe => (cursor.u64()?, 8),
        _ => return Err(WireError::malformed("row")),
    };
    let length = usize::try_from(length).map_err(|_| WireError::malformed("row"))?;
    Ok((length, bytes))
}

/// A row as the server sent it. Values are the text that the server would print, in the character
/// set of the session; nothing stands for NULL.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    packet: &'a [u8],
    fields: &'a [Option<Range<usize>>],
}

impl<'a> Row<'a> {
    /// Number of values: one for each column of the result.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether the row has no column, which no server sends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Bytes of the row on the wire, lengths included.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        self.packet.len()
    }

    /// The value of a column by its index from 0; nothing for NULL, and beyond the last column.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.value(self.fields.get(index)?.as_ref())
    }

    /// All values from the first column to the last.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a [u8]>> + use<'a> {
        let row = *self;
        self.fields.iter().map(move |field| row.value(field.as_ref()))
    }

    #[inline]
    fn value(&self, field: Option<&Range<usize>>) -> Option<&'a [u8]> {
        let field = field?;
        // `split_row` has checked that the range lies within the packet.
        self.packet.get(field.start..field.end)
    }
}

#[cfg(test)]
mod tests;
