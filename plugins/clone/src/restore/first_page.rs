//! Page 0 of a tablespace that was made while the clone ran. Its other pages come as patches or from
//! the redo log, but a server opens no file whose first page does not say which tablespace it is.

use crate::page::{physical_bytes, put, write_checksums};

/// Where page 0 holds versions of server and tablespace.
pub(super) const VERSIONS: std::ops::Range<usize> = 8..16;

/// Page 0: position, versions as in other tablespaces, tablespace id twice, its flags, checksums.
pub(super) fn first_page(
    space_id: u32,
    fsp_flags: u32,
    page_size_bytes: u32,
    versions: [u8; 8],
) -> Vec<u8> {
    let bytes = physical_bytes(fsp_flags, page_size_bytes);
    let mut page = vec![0; usize::try_from(bytes).unwrap_or_default()];
    put(&mut page, VERSIONS.start, &versions);
    put(&mut page, 34, &space_id.to_be_bytes());
    put(&mut page, 38, &space_id.to_be_bytes());
    put(&mut page, 54, &fsp_flags.to_be_bytes());
    write_checksums(&mut page, fsp_flags);
    page
}
