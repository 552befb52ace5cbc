//! The look through a server's clone for what must not be in clear. Every byte of every encrypted
//! tablespace is read: a server was seen to write the key of one in clear, and where nobody looked
//! (MySQL 9.7, one clone of fifty).

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use memchr::memmem;

use super::{ENCRYPTED, flags, is_undo};
use crate::page::physical_bytes;

/// Directory of the redo log below the data directory.
const REDO_DIRECTORY: &str = "#innodb_redo";
/// Beginning of the names of redo files that lie in the data directory itself.
const OLD_REDO_PREFIX: &str = "ib_logfile";
/// Bytes of a redo file's header.
const REDO_HEADER_BYTES: u64 = 2048;
/// The information about a key begins so, in a redo file as in a tablespace, with the id of the master
/// key behind it, which is 0 for a key in clear.
const KEYS_IN_CLEAR: [&[u8]; 3] = [b"lCA\0\0\0\0", b"lCB\0\0\0\0", b"lCC\0\0\0\0"];
const KEY_BYTES: usize = 7;

/// Size of a page where the flags do not tell: bits 6 to 9, 512 bytes shifted by their value.
const DEFAULT_PAGE_BYTES: u32 = 16 << 10;
const PAGE_SHIFT: u32 = 6;
const PAGE_MASK: u32 = 0b1111;
/// Where a page says what it is.
const TYPE: std::ops::Range<usize> = 24..26;
/// Encrypted, compressed and encrypted, an encrypted R-tree.
const ENCRYPTED_TYPES: [u16; 3] = [15, 16, 17];
/// Bytes in memory: whole pages of every size.
const PIECE_BYTES: u64 = 1 << 20;

/// Something that ought to be encrypted, and is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InClear {
    /// The file.
    pub(crate) file: PathBuf,
    /// What it holds.
    pub(crate) content: Content,
}

/// What is in clear.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The key of the redo log.
    RedoKey,
    /// A key, this many bytes behind the beginning of a tablespace.
    Key(u64),
    /// A page of a tablespace, by its number.
    Page(u64),
}

impl fmt::Display for InClear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.content {
            Content::RedoKey => write!(f, "the key of {file}"),
            Content::Key(at) => write!(f, "a key in {file}, at byte {at}"),
            Content::Page(number) => write!(f, "page {number} of {file}"),
        }
    }
}

/// The first thing in clear below a directory, if there is one: keys in the redo log, where old
/// servers keep it too; keys and pages in encrypted tablespaces. `go_on` is called for each piece
/// that was read, and ends the look with its error.
///
/// Page 0 of a tablespace is never encrypted. Undo tablespaces keep pages in clear that were written
/// before they were encrypted, so only their keys are looked for.
///
/// # Errors
/// A file could not be read, or what `go_on` says.
pub(crate) fn find<E: From<io::Error>>(
    directory: &Path,
    go_on: &mut impl FnMut() -> Result<(), E>,
) -> Result<Option<InClear>, E> {
    for entry in fs::read_dir(directory)? {
        go_on()?;
        let file = entry?.path();
        if file.is_dir() {
            let found = find(&file, go_on)?;
            if found.is_some() {
                return Ok(found);
            }
            continue;
        }
        let content = if is_redo(&file) {
            in_redo(&file)?
        } else {
            match flags(&file)?.filter(|flags| flags & ENCRYPTED != 0) {
                Some(flags) => in_tablespace(&file, flags, go_on)?,
                None => None,
            }
        };
        if let Some(content) = content {
            return Ok(Some(InClear { file, content }));
        }
    }
    Ok(None)
}

/// `#innodb_redo/#ib_redo7`; before MySQL 8.0.30, `ib_logfile0` beside the system tablespace.
fn is_redo(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_below = path.parent().and_then(name).is_some_and(|parent| parent == REDO_DIRECTORY);
    // A table may be named so.
    let is_old = |name: String| name.starts_with(OLD_REDO_PREFIX) && !name.ends_with(".ibd");
    is_below || name(path).is_some_and(is_old)
}

fn in_redo(path: &Path) -> io::Result<Option<Content>> {
    let mut header = Vec::new();
    File::open(path)?.take(REDO_HEADER_BYTES).read_to_end(&mut header)?;
    Ok(key_at(&header).map(|_| Content::RedoKey))
}

fn in_tablespace<E: From<io::Error>>(
    path: &Path,
    flags: u32,
    go_on: &mut impl FnMut() -> Result<(), E>,
) -> Result<Option<Content>, E> {
    let logical_bytes = match flags >> PAGE_SHIFT & PAGE_MASK {
        0 => DEFAULT_PAGE_BYTES,
        shift => 512 << shift,
    };
    let page_bytes = physical_bytes(flags, logical_bytes);
    let page_length = usize::try_from(page_bytes).unwrap_or(usize::MAX);
    let judges_pages = !is_undo(path);
    let mut file = File::open(path)?;
    let mut piece = Vec::new();
    let mut read_bytes = 0_u64;
    loop {
        go_on()?;
        // The end of the piece before, for a key that lies across both.
        let kept = piece.len().min(KEY_BYTES - 1);
        piece.drain(..piece.len() - kept);
        let added = file.by_ref().take(PIECE_BYTES).read_to_end(&mut piece)?;
        if added == 0 {
            return Ok(None);
        }
        let number = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        if let Some(at) = key_at(&piece) {
            return Ok(Some(Content::Key(read_bytes + number(at) - number(kept))));
        }
        let pages = piece.get(kept..).unwrap_or_default().chunks(page_length);
        let first = read_bytes / u64::from(page_bytes);
        let mut numbered = (first..).zip(pages).filter(|(number, _)| judges_pages && *number > 0);
        if let Some((number, _)) = numbered.find(|(_, page)| is_in_clear(page)) {
            return Ok(Some(Content::Page(number)));
        }
        read_bytes += number(added);
    }
}

/// A page that is not encrypted, and not one that was never written.
fn is_in_clear(page: &[u8]) -> bool {
    let page_type = page.get(TYPE).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes);
    let is_encrypted = page_type.is_some_and(|found| ENCRYPTED_TYPES.contains(&found));
    !is_encrypted && page.iter().any(|byte| *byte != 0)
}

/// Where the first key in clear begins.
fn key_at(bytes: &[u8]) -> Option<usize> {
    KEYS_IN_CLEAR.iter().filter_map(|key| memmem::find(bytes, key)).min()
}

#[cfg(test)]
mod tests;
