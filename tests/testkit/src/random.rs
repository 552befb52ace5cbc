//! Random choices that can be repeated: every generator prints its seed.
use crate::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A small generator of random numbers (splitmix64), good enough to choose moments and bytes.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Takes the seed from `DBBACKUP_TEST_SEED`, or a new one, and prints it under `name`.
    #[allow(clippy::print_stderr, reason = "the seed is what repeats a failure")]
    pub fn announced(name: &str) -> Self {
        let fresh = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.as_secs().wrapping_mul(1_000_003) ^ u64::from(now.subsec_nanos())
        };
        let seed = env::seed().unwrap_or_else(fresh);
        eprintln!("{name}: DBBACKUP_TEST_SEED={seed}");
        Self::seeded(seed)
    }

    /// Starts from a fixed seed.
    pub fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0 if the limit is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.bits().checked_rem(limit).unwrap_or(0)
    }

    /// A time shorter than `limit`.
    pub fn moment(&mut self, limit: Duration) -> Duration {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos))
    }
}
