//! The bucket, without waiting.
use super::{BURST, RateLimit};
use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

#[test]
fn sent_bytes_never_run_ahead_of_the_rate_by_more_than_the_burst() {
    let mut limit = RateLimit::new(NonZeroU64::new(1_000_000).unwrap());
    let start = Instant::now();
    let (mut now, mut sent) = (start, 0u32);
    for chunk in [10_000, 400_000, 1, 250_000, 1_000_000, 5] {
        now += limit.take_at(u64::from(chunk), now);
        let allowed = (now - start + BURST).as_secs_f64() * 1e6;
        assert!(f64::from(sent) <= allowed + 1.0, "{sent} bytes by {:?}", now - start);
        sent += chunk;
    }
    assert!(now - start >= Duration::from_millis(500));
}
