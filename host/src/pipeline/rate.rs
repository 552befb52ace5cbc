//! Limit of the output rate: a token bucket that may run into debt for one chunk.
use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

/// Unused rate is kept for this long at most.
const BURST: Duration = Duration::from_millis(100);

/// Says how long to wait before bytes may be sent.
#[derive(Debug)]
pub(super) struct RateLimit {
    bytes_per_second: NonZeroU64,
    /// When everything that was sent so far is paid for.
    paid: Instant,
}

impl RateLimit {
    pub(super) fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, paid: Instant::now() }
    }

    /// Takes `bytes`, and answers how long to wait before sending them.
    pub(super) fn take(&mut self, bytes: u64) -> Duration {
        self.take_at(bytes, Instant::now())
    }

    fn take_at(&mut self, bytes: u64, now: Instant) -> Duration {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let start = self.paid.max(earliest);
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second.get());
        self.paid = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        start.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests;
