//! Bytes that cross the boundary without a copy.
use abi_stable::StableAbi;

/// Read-only bytes with an owner, freed by whoever made them.
///
/// The receiver may keep a chunk and drop it on any thread.
#[repr(C)]
#[derive(StableAbi)]
pub struct Chunk {
    ptr: *const u8,
    len: usize,
    owner: *mut (),
    release: unsafe extern "C" fn(*mut ()),
}

// SAFETY: a chunk is only ever read, and `from_vec`/`from_owner` take owners that are Send + Sync.
unsafe impl Send for Chunk {}
// SAFETY: as above; a shared chunk gives shared reads only.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// Takes over a vector; the bytes are not copied.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self::from_owner(bytes)
    }

    /// Takes over anything that holds bytes at a stable address for its whole life, such as a
    /// pooled buffer that goes back to its pool when dropped.
    pub fn from_owner<T: AsRef<[u8]> + Send + Sync + 'static>(owner: T) -> Self {
        // Boxed first, so that the address of the bytes cannot change after it is taken.
        let owner = Box::new(owner);
        let bytes: &[u8] = (*owner).as_ref();
        let (ptr, len) = (bytes.as_ptr(), bytes.len());
        Self { ptr, len, owner: Box::into_raw(owner).cast(), release: release_box::<T> }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `ptr` and `len` come from the owner's slice, and the owner lives until `drop`.
        unsafe { std::slice::from_raw_parts(self.ptr, self.len) }
    }
}

impl std::ops::Deref for Chunk {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: `owner` is released exactly once, by the function its maker gave for it.
        unsafe { (self.release)(self.owner) }
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Frees an owner boxed by `from_owner`.
///
/// # Safety
/// `owner` is a `Box<T>` turned into a raw pointer, given up by its holder.
unsafe extern "C" fn release_box<T>(owner: *mut ()) {
    // A panic in the owner's Drop must not cross the boundary; it is reported by the panic hook.
    let dropped = std::panic::catch_unwind(|| {
        // SAFETY: see above; `Chunk::drop` calls this once.
        drop(unsafe { Box::from_raw(owner.cast::<T>()) });
    });
    if dropped.is_err() {
        std::process::abort();
    }
}
