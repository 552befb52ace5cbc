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
mod tests {
    use super::{BURST, RateLimit};
    use std::{
        num::NonZeroU64,
        time::{Duration, Instant},
    };

    #[test]
    fn sent_bytes_never_run_ahead_of_the_rate_by_more_than_the_burst() {
        let mut limit = RateLimit::new(NonZeroU64::new(1_000_000).unwrap());
        let start = Instant::now();
        let (mut now, mut sent) = (start, 0);
        for chunk in [10_000, 400_000, 1, 250_000, 1_000_000, 5] {
            now += limit.take_at(chunk, now);
            let allowed = (now - start + BURST).as_secs_f64() * 1e6;
            assert!(f64::from(sent) <= allowed + 1.0, "{sent} bytes by {:?}", now - start);
            sent += chunk;
        }
        assert!(now - start >= Duration::from_millis(500));
    }
}
