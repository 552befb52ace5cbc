//! Puts names and values into SQL. Nothing else in the project builds SQL out of foreign text.
//!
//! Sessions of this crate speak `utf8mb4`, in which no byte of a longer character looks like a quote
//! or a backslash; under GBK or Shift-JIS these functions would not be safe.

/// How the session reads `\` in a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// As an escape: the default.
    Backslash,
    /// As an ordinary character: `NO_BACKSLASH_ESCAPES` is in the SQL mode.
    QuotesOnly,
}

/// A name between backticks.
#[must_use]
pub fn identifier(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('`');
    for c in name.chars() {
        if c == '`' {
            quoted.push('`');
        }
        quoted.push(c);
    }
    quoted.push('`');
    quoted
}

/// A schema and a name in it, each between backticks.
#[must_use]
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// A text between single quotes.
#[must_use]
pub fn string(text: &str, escaping: Escaping) -> String {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    append_string(&mut quoted, text.as_bytes(), escaping);
    // Only ASCII characters were inserted between whole characters.
    String::from_utf8(quoted).unwrap_or_default()
}

/// Appends text between single quotes. The bytes are those of the session's character set; for
/// bytes of none, use [`append_hex`].
pub fn append_string(to: &mut Vec<u8>, bytes: &[u8], escaping: Escaping) {
    to.push(b'\'');
    let mut rest = bytes;
    loop {
        let clean = rest.iter().position(|byte| escape_of(*byte, escaping) != 0);
        let Some((before, found)) = clean.and_then(|at| rest.split_at_checked(at)) else {
            break;
        };
        to.extend_from_slice(before);
        if let Some((byte, after)) = found.split_first() {
            let lead = if escaping == Escaping::Backslash { b'\\' } else { b'\'' };
            to.extend([lead, escape_of(*byte, escaping)]);
            rest = after;
        }
    }
    to.extend_from_slice(rest);
    to.push(b'\'');
}

/// Appends bytes as a hexadecimal literal, which is binary whatever the session's character set.
/// Nothing is the empty string, since `0x` alone is a name.
pub fn append_hex(to: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if bytes.is_empty() {
        to.extend(b"''");
        return;
    }
    to.reserve(2 * bytes.len() + 2);
    to.extend(b"0x");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            to.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
        }
    }
}

/// The character that stands for `byte` behind the escape, or 0 when it needs none.
#[inline]
fn escape_of(byte: u8, escaping: Escaping) -> u8 {
    match (byte, escaping) {
        (b'\'', _) => b'\'',
        (_, Escaping::QuotesOnly) => 0,
        (b'\\', _) => b'\\',
        (b'"', _) => b'"',
        (0, _) => b'0',
        (b'\n', _) => b'n',
        (b'\r', _) => b'r',
        // Ctrl-Z ends a file on Windows, where a dump may be read.
        (0x1a, _) => b'Z',
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
