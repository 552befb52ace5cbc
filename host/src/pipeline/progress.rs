//! Counters of a running pipeline, read by whoever draws a progress bar or watches for a stall.
use super::cancel::lock;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Counters of one run; they only grow, except for the calls in flight.
#[derive(Debug, Default)]
pub struct Progress {
    content_bytes: AtomicU64,
    output_bytes: AtomicU64,
    members: AtomicU64,
    bad_pages: AtomicU64,
    calls: AtomicU32,
    target: Mutex<TargetWork>,
}

/// What the target has been given to do, by whichever threads.
#[derive(Debug, Default)]
struct TargetWork {
    /// Writes and syncs that have begun and not ended.
    running: u32,
    ended: u64,
    /// When one has last ended, or the first of those that run has begun.
    since: Option<Instant>,
}

impl TargetWork {
    fn begin(&mut self, now: Instant) {
        if self.running == 0 {
            self.since = Some(now);
        }
        self.running += 1;
    }

    fn end(&mut self, now: Instant) {
        self.running = self.running.saturating_sub(1);
        self.ended += 1;
        self.since = (self.running > 0).then_some(now);
    }

    /// For how long nothing has ended although something runs.
    fn blocked(&self, now: Instant) -> Option<Duration> {
        self.since.map(|since| now.saturating_duration_since(since))
    }
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

    /// Has the target do something that may take its time: a write or a sync.
    pub fn on_target<T>(&self, work: impl FnOnce() -> T) -> T {
        lock(&self.target).begin(Instant::now());
        let done = work();
        lock(&self.target).end(Instant::now());
        done
    }

    /// For how long the target has ended nothing of what it was given; none if it has nothing to do.
    pub fn target_blocked(&self) -> Option<Duration> {
        lock(&self.target).blocked(Instant::now())
    }

    /// Writes and syncs that the target has ended.
    pub fn target_steps(&self) -> u64 {
        lock(&self.target).ended
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_blocked_while_nothing_ends_of_what_it_was_given() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let blocked =
            |work: &TargetWork, second| work.blocked(at(second)).map(|time| time.as_secs());
        let mut work = TargetWork::default();
        assert_eq!(blocked(&work, 5), None);
        work.begin(at(10));
        assert_eq!(blocked(&work, 17), Some(7));
        // Others that begin are no sign of life, and one that ends is.
        work.begin(at(15));
        assert_eq!(blocked(&work, 20), Some(10));
        work.end(at(20));
        assert_eq!(blocked(&work, 23), Some(3));
        work.end(at(24));
        assert_eq!(blocked(&work, 90), None);
        assert_eq!(work.ended, 2);
    }

    #[test]
    fn what_the_target_does_is_watched_while_it_does_it() {
        let progress = Progress::default();
        let during = progress.on_target(|| progress.target_blocked());
        assert!(during.is_some());
        assert_eq!((progress.target_blocked(), progress.target_steps()), (None, 1));
    }
}
