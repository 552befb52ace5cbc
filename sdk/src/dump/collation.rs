//! Collations that a column has from its table.
//!
//! MySQL prints the collation of a column also where the column has it from its table, and takes it
//! for the column's own when it reads that back: a restored table would print more than its source
//! did. So what the table says already is left out.

use super::definition::server_options;

/// A table's definition without the collations that its columns have from it.
pub(super) fn without_inherited(definition: &[u8]) -> Vec<u8> {
    let Some(collation) = table_collation(definition) else {
        return definition.to_vec();
    };
    let clause = [b" COLLATE ", collation].concat();
    let mut kept = Vec::with_capacity(definition.len());
    for (at, line) in definition.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            kept.push(b'\n');
        }
        let cut = type_end(line).and_then(|end| {
            let (head, tail) = line.split_at_checked(end)?;
            let rest = tail.strip_prefix(clause.as_slice())?;
            matches!(rest.first(), None | Some(b' ' | b',')).then_some((head, rest))
        });
        match cut {
            Some((head, rest)) => kept.extend([head, rest].concat()),
            None => kept.extend_from_slice(line),
        }
    }
    kept
}

/// The collation in the table's options.
fn table_collation(definition: &[u8]) -> Option<&[u8]> {
    let options = definition.get(server_options(definition)?)?;
    let at = memchr::memmem::find(options, b" COLLATE=")? + b" COLLATE=".len();
    let rest = options.get(at..)?;
    let length =
        rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    rest.get(..length)
}

/// Where the type ends in the line of a column: `` `name` type(…)``.
fn type_end(line: &[u8]) -> Option<usize> {
    let mut at = 3;
    line.strip_prefix(b"  `")?;
    loop {
        at += memchr::memchr(b'`', line.get(at..)?)? + 1;
        if line.get(at) != Some(&b'`') {
            break;
        }
        at += 1;
    }
    let word = line.get(at..)?.strip_prefix(b" ")?;
    at += 1 + word.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    if line.get(at) != Some(&b'(') {
        return Some(at);
    }
    let mut quoted = false;
    for (offset, byte) in line.get(at..)?.iter().enumerate() {
        match byte {
            // A doubled quote ends and begins a string, which comes to the same.
            b'\'' => quoted = !quoted,
            b')' if !quoted => return Some(at + offset + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
