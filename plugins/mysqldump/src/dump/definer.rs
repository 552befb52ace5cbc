//! `DEFINER` clauses in definitions: who is named, and how to leave them out.

use std::ops::Range;

/// The definer is named before the kind of object, so near the beginning.
const HEAD_BYTES: usize = 1024;
const CLAUSE: &[u8] = b"DEFINER=";

/// The account that a definition names, as SQL writes it.
pub(crate) fn account(definition: &[u8]) -> Option<String> {
    let range = clause(definition)?;
    let account = definition.get(range.start + CLAUSE.len()..range.end)?;
    Some(String::from_utf8_lossy(account).replace(['`', '"'], "'"))
}

/// The definition without its definer.
pub(crate) fn strip(definition: &[u8]) -> Vec<u8> {
    let Some(range) = clause(definition) else {
        return definition.to_vec();
    };
    let (before, rest) = definition.split_at(range.start);
    let after = rest.get(range.len()..).unwrap_or_default();
    // One of the two blanks around the clause goes with it.
    [before, after.strip_prefix(b" ").unwrap_or(after)].concat()
}

/// Where `DEFINER=`user`@`host`` stands.
fn clause(definition: &[u8]) -> Option<Range<usize>> {
    let head = definition.get(..HEAD_BYTES).unwrap_or(definition);
    let start = memchr::memmem::find(head, CLAUSE)?;
    // Only `CREATE [OR REPLACE] [ALGORITHM=…]` may stand before it: anything else is a body.
    let before = head.get(..start)?;
    if before.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'(' | b';')) {
        return None;
    }
    let user = quoted(definition, start + CLAUSE.len())?;
    let at = definition.get(user.end).filter(|byte| **byte == b'@').map(|_| user.end + 1);
    let end = match at {
        Some(at) => quoted(definition, at)?.end,
        // A MariaDB role has no host.
        None => user.end,
    };
    Some(start..end)
}

/// A name in backticks or double quotes that begins at `from`.
fn quoted(text: &[u8], from: usize) -> Option<Range<usize>> {
    let quote = *text.get(from).filter(|byte| matches!(byte, b'`' | b'"'))?;
    let mut at = from + 1;
    loop {
        at += memchr::memchr(quote, text.get(at..)?)? + 1;
        if text.get(at) != Some(&quote) {
            return Some(from..at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests;
