//! The keys of encrypted tablespaces, which must never reach the artefact in clear.
//!
//! Page 0 of such a tablespace holds its key, wrapped with the server's master key. The file copy
//! brings the page as it is on disk. The page copy brings it with the key in clear (and 0 as the id
//! of the master key), for the recipient to wrap it anew; so does the description of the file, whose
//! key is not even kept. All other pages come encrypted. So what the file copy brought is put back
//! into the page of the page copy: a server with the source's keyring opens the result, and nobody
//! else does.

use std::collections::BTreeMap;

use crate::{
    artefact::{ClonedFile, Stage},
    error::CloneError,
    page::{physical_bytes, write_checksums},
    rpc::DataPart,
};

/// How the information begins, in its three versions.
const MAGIC: [&[u8]; 3] = [b"lCA", b"lCB", b"lCC"];
/// Magic, id of the master key (4), server's UUID (36), key and initial vector (64), their checksum.
const INFO_BYTES: usize = 111;
/// Where the id of the master key is; 0 says that the key is in clear.
const MASTER_KEY_ID: std::ops::Range<usize> = 3..7;
/// Where the checksum of the key is: of the key itself, wrapped or not.
const CHECKSUM: std::ops::Range<usize> = 107..111;
/// Where page 0 lists extents, of which the information stands behind the last.
const EXTENTS_AT: u32 = 150;
/// Bytes of an extent's entry beside its bitmap of two bits a page.
const EXTENT_HEAD_BYTES: u32 = 24;
/// Bytes of an extent where pages have at most 16 KiB; of larger ones it has 64.
const EXTENT_BYTES: u32 = 1 << 20;
const LEAST_EXTENT_PAGES: u32 = 64;

type Info = [u8; INFO_BYTES];

/// What page 0 of each encrypted file said when the file was copied.
#[derive(Debug, Default)]
pub(crate) struct KeyInfo {
    wrapped: BTreeMap<u32, Info>,
}

impl KeyInfo {
    /// Looks at data before they are written: remembers what the file copy brings, and puts it into
    /// what the page copy brings.
    ///
    /// # Errors
    /// [`CloneError::EncryptedMeanwhile`] where the key would have to be written in clear.
    pub(crate) fn look(
        &mut self,
        file: &ClonedFile,
        stage: Stage,
        part: &DataPart,
        bytes: &mut [u8],
        page_size_bytes: u32,
    ) -> Result<(), CloneError> {
        if !file.is_encrypted() || part.offset != 0 || stage == Stage::RedoCopy {
            return Ok(());
        }
        let refuse = || CloneError::EncryptedMeanwhile { name: file.name.clone() };
        let at = offset(physical_bytes(file.fsp_flags, page_size_bytes), page_size_bytes);
        let place = bytes.get_mut(at..at.saturating_add(INFO_BYTES)).ok_or_else(refuse)?;
        let found = Info::try_from(&*place).map_err(|_| refuse())?;
        let has_key = MAGIC.iter().any(|magic| found.starts_with(magic));
        if stage == Stage::FileCopy {
            if has_key && is_in_clear(&found) {
                return Err(refuse());
            }
            // Without a key the file was made so lately that its first page is not on disk yet.
            if has_key {
                self.wrapped.insert(file.index, found);
            }
            return Ok(());
        }
        if !has_key {
            return Err(refuse());
        }
        let wrapped = self.wrapped.get(&file.index).ok_or_else(refuse)?;
        if wrapped.get(CHECKSUM) != found.get(CHECKSUM) {
            return Err(refuse());
        }
        place.copy_from_slice(wrapped);
        write_checksums(bytes, file.fsp_flags);
        Ok(())
    }
}

fn is_in_clear(info: &Info) -> bool {
    info.get(MASTER_KEY_ID) == Some(&[0; 4])
}

/// Where page 0 holds the information.
fn offset(physical_bytes: u32, page_size_bytes: u32) -> usize {
    let pages = (EXTENT_BYTES / page_size_bytes).max(LEAST_EXTENT_PAGES);
    let entry_bytes = EXTENT_HEAD_BYTES + pages / 4;
    let at = EXTENTS_AT + entry_bytes * (physical_bytes / pages);
    usize::try_from(at).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
