//! Counters of a running pipeline, read by whoever draws a progress bar or watches for a stall.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Counters of one run; they only grow, except for the calls in flight.
#[derive(Debug, Default)]
pub struct Progress {
    content_bytes: AtomicU64,
    output_bytes: AtomicU64,
    members: AtomicU64,
    bad_pages: AtomicU64,
    calls: AtomicU32,
}

impl Progress {
    /// Bytes of content that are read and hashed.
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes.load(Ordering::Relaxed)
    }

    /// Bytes that the target has taken.
    pub fn output_bytes(&self) -> u64 {
        self.output_bytes.load(Ordering::Relaxed)
    }

    /// Members that are complete.
    pub fn members(&self) -> u64 {
        self.members.load(Ordering::Relaxed)
    }

    /// Pages that the page check found bad.
    pub fn bad_pages(&self) -> u64 {
        self.bad_pages.load(Ordering::Relaxed)
    }

    /// True while an engine's call is inside the pipeline: silence is then our own back-pressure.
    pub fn engine_is_waiting(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > 0
    }

    pub(super) fn add_content(&self, bytes: u64) {
        self.content_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_output(&self, bytes: u64) {
        self.output_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_member(&self, bad_pages: u64) {
        self.members.fetch_add(1, Ordering::Relaxed);
        self.bad_pages.fetch_add(bad_pages, Ordering::Relaxed);
    }

    /// Counts a call of the engine until the guard is dropped.
    pub(super) fn call(&self) -> CallGuard<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        CallGuard(self)
    }
}

/// A call that is being counted.
pub(super) struct CallGuard<'a>(&'a Progress);

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}
