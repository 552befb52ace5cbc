//! The clock of the store, heard from the `Date` of every answer. Requests are signed by our own
//! clock until the store says that it is wrong; ages of objects are always told by the store's.

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
use aws_smithy_async::time::TimeSource;

/// Before an answer came.
const UNHEARD: i64 = i64::MIN;
/// Difference that no network explains; S3 itself allows a quarter of an hour.
const SKEW: Duration = Duration::from_secs(240);

/// Our clock with its differences from the store's; clones share them.
#[derive(Clone, Default)]
pub(crate) struct StoreClock(Arc<Differences>);

struct Differences {
    /// Store's time minus ours as last heard, milliseconds.
    heard: AtomicI64,
    /// What is added to our time when a request is signed, milliseconds.
    signing: AtomicI64,
}

impl Default for Differences {
    fn default() -> Self {
        Self { heard: AtomicI64::new(UNHEARD), signing: AtomicI64::new(0) }
    }
}

impl StoreClock {
    /// The time at the store, as far as it is known.
    pub(crate) fn time_there(&self) -> SystemTime {
        let heard = self.0.heard.load(Relaxed);
        shifted(SystemTime::now(), if heard == UNHEARD { 0 } else { heard })
    }

    /// Signs by the store's clock from now on; false if that changes nothing.
    pub(crate) fn adopt(&self) -> bool {
        let heard = self.0.heard.load(Relaxed);
        if heard == UNHEARD {
            return false;
        }
        let apart = heard.abs_diff(self.0.signing.load(Relaxed));
        if Duration::from_millis(apart) < SKEW {
            return false;
        }
        self.0.signing.store(heard, Relaxed);
        true
    }

    /// What requests are signed with: changes when the store's clock is adopted.
    pub(crate) fn signing(&self) -> i64 {
        self.0.signing.load(Relaxed)
    }

    fn hear(&self, date: &str) {
        let there = DateTime::from_str(date, DateTimeFormat::HttpDate).ok();
        let Some(there) = there.and_then(|date| SystemTime::try_from(date).ok()) else {
            // A store without a clock is believed to have ours.
            return;
        };
        self.0.heard.store(milliseconds_between(SystemTime::now(), there), Relaxed);
    }
}

impl TimeSource for StoreClock {
    fn now(&self) -> SystemTime {
        shifted(SystemTime::now(), self.0.signing.load(Relaxed))
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

    fn hours_apart(one: SystemTime, other: SystemTime) -> i64 {
        milliseconds_between(one, other) / 3_599_000
    }

    #[test]
    fn a_store_that_is_hours_off_is_followed_once_asked() {
        for hours in [-2_i64, 5] {
            let clock = StoreClock::default();
            clock.hear(&http_date(shifted(SystemTime::now(), hours * 3_600_000 + 2_000)));
            assert_eq!(hours_apart(SystemTime::now(), clock.now()), 0);
            assert!(clock.adopt());
            assert!((hours_apart(SystemTime::now(), clock.now()) - hours).abs() <= 1);
            assert!(!clock.adopt(), "the second time changes nothing");
        }
    }

    #[test]
    fn without_a_date_the_clocks_agree() {
        let clock = StoreClock::default();
        clock.hear("soon");
        assert!(!clock.adopt());
        assert_eq!(hours_apart(SystemTime::now(), clock.time_there()), 0);
    }

    #[test]
    fn seconds_are_no_skew() {
        let clock = StoreClock::default();
        clock.hear(&http_date(shifted(SystemTime::now(), 30_000)));
        assert!(!clock.adopt());
    }
}
