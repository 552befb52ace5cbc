//! The clock of the store, heard from the `Date` of every answer. Ages of objects are told by it. What
//! requests are signed with, the SDK corrects by the same header.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use aws_sdk_s3::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextRef,
    },
    error::BoxError,
    primitives::{DateTime, DateTimeFormat},
};

/// Before an answer came.
const UNHEARD: i64 = i64::MIN;
/// Difference that no network explains; S3 itself allows a quarter of an hour.
const SKEW: Duration = Duration::from_secs(240);

/// The store's time minus ours, milliseconds; clones share it.
#[derive(Clone)]
pub(crate) struct StoreClock(Arc<AtomicI64>);

impl Default for StoreClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(UNHEARD)))
    }
}

impl StoreClock {
    /// The time at the store, as far as it is known.
    pub(crate) fn time_there(&self) -> SystemTime {
        shifted(SystemTime::now(), self.heard().unwrap_or(0))
    }

    /// True if our clock is so wrong that a store refuses what was signed by it.
    pub(crate) fn is_skewed(&self) -> bool {
        self.apart() >= SKEW
    }

    /// How far the clocks are apart, as far as it is known.
    pub(crate) fn apart(&self) -> Duration {
        Duration::from_millis(self.heard().map_or(0, i64::unsigned_abs))
    }

    fn heard(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|heard| *heard != UNHEARD)
    }

    fn hear(&self, date: &str) {
        let there = DateTime::from_str(date, DateTimeFormat::HttpDate).ok();
        let Some(there) = there.and_then(|date| SystemTime::try_from(date).ok()) else {
            // A store without a clock is believed to have ours.
            return;
        };
        self.0.store(milliseconds_between(SystemTime::now(), there), Relaxed);
    }
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _runtime: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.hear(date);
        }
        Ok(())
    }
}

impl fmt::Debug for StoreClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreClock")
    }
}

/// A time as records hold it: whole seconds since 1970.
pub(crate) fn epoch_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn shifted(time: SystemTime, by_ms: i64) -> SystemTime {
    let by = Duration::from_millis(by_ms.unsigned_abs());
    let moved = if by_ms < 0 { time.checked_sub(by) } else { time.checked_add(by) };
    moved.unwrap_or(time)
}

fn milliseconds_between(from: SystemTime, to: SystemTime) -> i64 {
    let whole = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(ahead) => whole(ahead),
        Err(behind) => -whole(behind.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http_date(time: SystemTime) -> String {
        DateTime::from(time).fmt(DateTimeFormat::HttpDate).unwrap()
    }

    #[test]
    fn a_store_that_is_hours_off_is_believed() {
        for hours in [-2_i64, 5] {
            let clock = StoreClock::default();
            clock.hear(&http_date(shifted(SystemTime::now(), hours * 3_600_000)));
            let apart = milliseconds_between(SystemTime::now(), clock.time_there());
            assert!((apart - hours * 3_600_000).abs() < 60_000, "{apart}");
            assert!(clock.is_skewed());
        }
    }

    #[test]
    fn without_a_date_the_clocks_agree() {
        let clock = StoreClock::default();
        clock.hear("soon");
        assert!(!clock.is_skewed());
        assert!(milliseconds_between(SystemTime::now(), clock.time_there()).abs() < 60_000);
    }

    #[test]
    fn seconds_are_no_skew() {
        let clock = StoreClock::default();
        clock.hear(&http_date(shifted(SystemTime::now(), 30_000)));
        assert!(!clock.is_skewed());
    }
}
