//! Edits in statements: schemas that get another name.

use std::{collections::BTreeMap, ops::Range};

use dbbackup_sdk::server::quote;

/// A statement as the pieces to send, with its edits made.
pub(super) fn parts<'a>(statement: &'a [u8], edits: &'a [(Range<usize>, String)]) -> Vec<&'a [u8]> {
    let mut parts = Vec::with_capacity(2 * edits.len() + 1);
    let mut at = 0;
    for (range, new) in edits {
        parts.push(statement.get(at..range.start).unwrap_or_default());
        parts.push(new.as_bytes());
        at = range.end;
    }
    parts.push(statement.get(at..).unwrap_or_default());
    parts
}

/// Every name of a schema in `map` that stands in backticks before a dot, and not behind one. Strings
/// and comments are passed over.
pub(super) fn qualifiers(
    statement: &[u8],
    map: &BTreeMap<String, String>,
) -> Vec<(Range<usize>, String)> {
    let mut edits = Vec::new();
    let mut at = 0;
    let mut behind_dot = false;
    while let Some(&byte) = statement.get(at) {
        let end = match byte {
            b'\'' | b'"' => quoted_end(statement, at, byte),
            b'`' => {
                let end = quoted_end(statement, at, byte);
                if !behind_dot && statement.get(end) == Some(&b'.') {
                    edits.extend(renamed(statement, at..end, map));
                }
                end
            }
            b'/' if statement.get(at + 1) == Some(&b'*')
                && statement.get(at + 2) != Some(&b'!') =>
            {
                let rest = statement.get(at..).unwrap_or_default();
                memchr::memmem::find(rest, b"*/").map_or(statement.len(), |length| at + length + 2)
            }
            _ => at + 1,
        };
        behind_dot = byte == b'.';
        at = end;
    }
    edits
}

fn renamed(
    statement: &[u8],
    range: Range<usize>,
    map: &BTreeMap<String, String>,
) -> Option<(Range<usize>, String)> {
    let inner = statement.get(range.start + 1..range.end.checked_sub(1)?)?;
    let name = std::str::from_utf8(inner).ok()?.replace("``", "`");
    let new = map.get(&name)?;
    Some((range, quote::identifier(new)))
}

/// Behind the closing quote of what begins at `from`.
fn quoted_end(statement: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = statement.get(at) {
        if byte == b'\\' && quote != b'`' {
            at += 2;
        } else if byte != quote {
            at += 1;
        } else if statement.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    statement.len()
}

/// Whether code of the user's own seems to name a schema before a dot.
pub(super) fn mentions(statement: &[u8], schema: &str) -> bool {
    let plain = format!("{schema}.");
    let quoted = format!("{}.", quote::identifier(schema));
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    memchr::memmem::find(statement, quoted.as_bytes()).is_some()
        || memchr::memmem::find_iter(statement, plain.as_bytes()).any(|at| {
            let before = at.checked_sub(1).and_then(|before| statement.get(before));
            !before.is_some_and(is_word)
        })
}

#[cfg(test)]
mod tests;
