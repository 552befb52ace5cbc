//! The ELF note: a proper note (name, type, descriptor) so that stock tools and strip keep it.
use dbbackup_plugin_api::NOTE_TYPE;

/// `dbbackup` and its terminating NUL, padded to four bytes.
const NAME: [u8; 12] = *b"dbbackup\0\0\0\0";
const NAME_LENGTH: u32 = 9;

/// The note as it lies in the file. `N` is the length of the JSON padded to four bytes.
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    name_length: u32,
    descriptor_length: u32,
    kind: u32,
    name: [u8; 12],
    json: [u8; N],
}

impl<const N: usize> Note<N> {
    /// A note with this JSON.
    pub const fn new(json: [u8; N]) -> Self {
        assert!(N < u32::MAX as usize, "a note is shorter than 4 GiB");
        #[allow(clippy::cast_possible_truncation, reason = "asserted above, in a const context")]
        let descriptor_length = N as u32;
        Self { name_length: NAME_LENGTH, descriptor_length, kind: NOTE_TYPE, name: NAME, json }
    }

    /// The JSON without its padding.
    pub fn json(&'static self) -> &'static str {
        // Made from `&str` parts and spaces, so it is UTF-8; an empty text is refused by the host.
        std::str::from_utf8(&self.json).unwrap_or("").trim_end()
    }
}

/// Length of the joined parts, padded to four bytes.
pub const fn note_json_len(parts: &[&str]) -> usize {
    let mut length = 0;
    let mut at = 0;
    while at < parts.len() {
        #[allow(clippy::indexing_slicing, reason = "checked by the loop, in a const context")]
        let part = parts[at];
        length += part.len();
        at += 1;
    }
    length.next_multiple_of(4)
}

/// Joins the parts; the padding is spaces.
#[allow(clippy::indexing_slicing, reason = "checked by the loops, in a const context")]
pub const fn concat<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut joined = [b' '; N];
    let mut to = 0;
    let mut at = 0;
    while at < parts.len() {
        let part = parts[at].as_bytes();
        let mut from = 0;
        while from < part.len() {
            joined[to] = part[from];
            to += 1;
            from += 1;
        }
        at += 1;
    }
    joined
}
