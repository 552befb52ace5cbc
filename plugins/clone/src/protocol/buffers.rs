//! Buffers that go around between the threads that read and the one that writes: fresh memory for each
//! megabyte costs more than the copy into it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

/// Buffers that wait for their next use. How many are in use is bounded by the channel of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// Bytes in a buffer, which goes back when they are dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// A copy of bytes.
    pub(crate) fn copy(&self, bytes: &[u8]) -> Piece {
        let mut buffer = self.lock().pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(bytes);
        Piece { bytes: buffer, home: self.clone() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        // Whoever panicked has left whole buffers behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Piece {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.home.lock().push(std::mem::take(&mut self.bytes));
    }
}
