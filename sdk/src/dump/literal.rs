//! SQL literals out of the bytes of a text row: the hot path of a dump.
//!
//! Everything is appended to a growing buffer; nothing else is allocated. Backslash escapes are the
//! only ones used, and every dump switches `NO_BACKSLASH_ESCAPES` off in its header.

/// Bytes looked at in one step: wide enough for the compiler to use vector instructions.
const STEP: usize = 32;

/// What stands behind the backslash for a byte that must not stand in a quoted string as it is;
/// 0 for all others. NUL, line ends and Ctrl-Z are escaped because clients in text mode change them.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    table[0] = b'0';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[0x1a] = b'Z';
    table[b'\'' as usize] = b'\'';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `bytes` in quotes.
#[inline]
pub(super) fn put_quoted(to: &mut Vec<u8>, bytes: &[u8]) {
    to.reserve(bytes.len() + STEP);
    to.push(b'\'');
    put_escaped(to, bytes);
    to.push(b'\'');
}

/// Appends `bytes` as they stand between the quotes of a string. May be called for one piece of a
/// value after the other: no escape depends on its neighbours.
#[inline]
pub(super) fn put_escaped(to: &mut Vec<u8>, bytes: &[u8]) {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    for step in steps {
        if has_special(step) {
            put_escaped_bytewise(to, step);
        } else {
            to.extend_from_slice(step);
        }
    }
    put_escaped_bytewise(to, rest);
}

/// Whether any byte may need an escape. Control characters other than the four are rare enough to
/// be sent the slow way too, which keeps the test at three comparisons.
#[inline]
fn has_special(step: &[u8; STEP]) -> bool {
    step.iter()
        .fold(false, |found, &byte| found | (byte < 0x20) | (byte == b'\'') | (byte == b'\\'))
}

#[inline]
fn put_escaped_bytewise(to: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| escape_of(*byte) != 0) {
        let (plain, tail) = rest.split_at(at);
        to.extend_from_slice(plain);
        if let Some((special, tail)) = tail.split_first() {
            to.extend_from_slice(&[b'\\', escape_of(*special)]);
            rest = tail;
        }
    }
    to.extend_from_slice(rest);
}

#[inline]
fn escape_of(byte: u8) -> u8 {
    ESCAPE.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Two hexadecimal digits for each byte value.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789ABCDEF";
    let mut table = [[0; 2]; 256];
    let mut value = 0;
    while value < 256 {
        table[value] = [digits[value >> 4], digits[value & 15]];
        value += 1;
    }
    table
};

/// Appends the hexadecimal digits of `bytes`, without `0x`.
#[inline]
pub(super) fn put_hex(to: &mut Vec<u8>, bytes: &[u8]) {
    to.reserve(bytes.len() * 2);
    for &byte in bytes {
        to.extend_from_slice(&HEX.get(usize::from(byte)).copied().unwrap_or([b'0'; 2]));
    }
}

/// Appends a double. The text form of a negative zero would be read back as the integer 0.
#[inline]
pub(super) fn put_real(to: &mut Vec<u8>, text: &[u8]) {
    to.extend_from_slice(text);
    if text == b"-0" {
        to.extend_from_slice(b"e0");
    }
}

#[cfg(test)]
mod tests;
