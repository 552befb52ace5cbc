//! Buffers of parts: a fixed number, used again and again. Who wants one more waits until an upload
//! has ended; that is all the back-pressure there is, and it bounds the memory.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The buffers of one upload.
#[derive(Debug)]
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// A pool of so many buffers, none of them allocated yet.
    pub(crate) fn new(buffers: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(buffers));
        Arc::new(Self { permits, idle: Mutex::new(Vec::new()) })
    }

    /// An empty buffer for at most `room` bytes; waits until there is one.
    pub(crate) async fn take(self: &Arc<Self>, room: usize) -> Buffer {
        // The semaphore is never closed; without a permit the buffer would not be counted.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = match idle {
            Some(bytes) if bytes.capacity() >= room => bytes,
            // The old one is freed before the new one is allocated: growth needs no extra room.
            Some(small) => {
                drop(small);
                Vec::with_capacity(room)
            }
            None => Vec::with_capacity(room),
        };
        Buffer { bytes, room, pool: Arc::clone(self), _permit: permit }
    }

    #[cfg(test)]
    fn available(&self) -> usize {
        self.permits.available_permits()
    }
}

/// A buffer of a part. Back in its pool when the last reader of its bytes has dropped them.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    room: usize,
    pool: Arc<Pool>,
    /// Given back after the bytes are.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Buffer {
    /// Copies what fits and answers how much that was.
    pub(crate) fn fill(&mut self, from: &[u8]) -> usize {
        let fits = from.len().min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(from.get(..fits).unwrap_or_default());
        fits
    }

    /// True if nothing more fits.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() == self.room
    }

    /// True if nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, shared and not copied.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    fn now<T>(future: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_buffer_takes_what_fits() {
        let mut buffer = now(Pool::new(1).take(4));
        assert_eq!(buffer.fill(b"abc"), 3);
        assert_eq!(buffer.fill(b"def"), 1);
        assert!(buffer.is_full());
        assert_eq!(&*buffer.into_bytes(), b"abcd");
    }

    #[test]
    fn a_buffer_comes_back_with_the_last_copy_of_its_bytes() {
        let pool = Pool::new(1);
        let mut buffer = now(pool.take(8));
        let address = buffer.bytes.as_ptr();
        buffer.fill(b"x");
        let first = buffer.into_bytes();
        let second = first.clone();
        drop(first);
        assert_eq!(pool.available(), 0);
        drop(second);
        assert_eq!(pool.available(), 1);
        let again = now(pool.take(8));
        assert!(again.is_empty());
        assert_eq!(again.bytes.as_ptr(), address);
    }

    #[test]
    fn who_finds_no_buffer_waits_for_one() {
        let pool = Pool::new(1);
        now(async {
            let held = pool.take(8).await;
            let waits = tokio::time::timeout(std::time::Duration::from_millis(20), pool.take(8));
            assert!(waits.await.is_err());
            drop(held);
            pool.take(8).await;
        });
    }

    #[test]
    fn a_buffer_that_is_too_small_is_replaced() {
        let pool = Pool::new(1);
        drop(now(pool.take(8)));
        let mut larger = now(pool.take(1024));
        assert_eq!(larger.fill(&[7; 2048]), 1024);
    }
}
