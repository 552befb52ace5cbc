//! Ranged reads of one object, which must stay the one that was opened.

use std::sync::Arc;

use dbbackup_sdk::{Failure, Host, target::ObjectReader};

use crate::{attend::attend, error::S3Error, store::Store};

/// An object that is open for reads.
#[derive(Debug)]
pub struct S3Reader {
    store: Arc<Store>,
    host: Host,
    key: String,
    length: u64,
    etag: Option<String>,
}

impl S3Reader {
    /// Opens an object: its length and its version are those of now.
    ///
    /// # Errors
    /// [`S3Error::Missing`].
    pub(crate) fn open(store: Arc<Store>, host: Host, key: String) -> Result<Self, S3Error> {
        let head = attend(&host, store.head(&key))?;
        let Some(head) = head else { return Err(S3Error::Missing { object: store.url(&key) }) };
        Ok(Self { store, host, key, length: head.size_bytes, etag: head.etag })
    }
}

impl ObjectReader for S3Reader {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Failure> {
        let rest = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = rest.min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        attend(&self.host, self.store.read(&self.key, self.etag.as_deref(), offset, buffer))?;
        Ok(wanted)
    }
}
