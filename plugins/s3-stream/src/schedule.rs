//! Sizes of the parts of an object whose length nobody knows: equal as far as the estimate
//! reaches, then doubling, so that neither a small backup pays with memory nor a large one ends at
//! the ten thousandth part.

/// Smallest part that S3 takes, but for the last one, bytes.
pub(crate) const SMALLEST_PART_BYTES: u64 = 5 * MIB;
/// Size up to which parts grow, bytes: memory is a multiple of it.
const GROWN_PART_BYTES: u64 = 64 * MIB;
const MIB: u64 = 1024 * 1024;
/// Steps of growth in one object: after this share of the parts they double.
const STEPS: u32 = 10;

/// What the sizes follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Smallest size of a part, bytes.
    pub part_size_bytes: u64,
    /// Parts of one object.
    pub max_parts: u32,
    /// Estimate of the object's length, bytes.
    pub expected_bytes: Option<u64>,
    /// True if the store wants parts of one size.
    pub equal: bool,
}

/// Largest object that every store takes; some take more since 2025.
const LARGEST_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * MIB;

/// The size of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    base_bytes: u64,
    most_bytes: u64,
    /// Parts of the base size before the first doubling.
    level_parts: u32,
    /// Parts between two doublings.
    step_parts: u32,
    max_parts: u32,
}

impl Schedule {
    /// The schedule of a plan: one and a half times the estimate fits in, as far as parts of 64 MiB
    /// reach.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let max_parts = plan.max_parts.max(1);
        let least = plan.part_size_bytes.max(SMALLEST_PART_BYTES);
        let most_bytes = least.max(GROWN_PART_BYTES);
        let wanted = plan.expected_bytes.map(|bytes| bytes.saturating_add(bytes / 2));
        let raised = wanted.map_or(0, |bytes| round_up(bytes.div_ceil(u64::from(max_parts))));
        let base_bytes = least.max(raised).min(most_bytes);
        let step_parts = (max_parts / STEPS).max(1);
        let expected_parts = wanted.map_or(0, |bytes| bytes.div_ceil(base_bytes));
        let expected_parts = u32::try_from(expected_parts).unwrap_or(u32::MAX);
        let level_parts = if plan.equal { max_parts } else { step_parts.max(expected_parts) };
        Self { base_bytes, most_bytes, level_parts, step_parts, max_parts }
    }

    /// Size of a part, bytes; parts are numbered from 1.
    #[must_use]
    pub fn part_bytes(&self, number: u32) -> u64 {
        let index = number.saturating_sub(1);
        if index < self.level_parts {
            return self.base_bytes;
        }
        let doublings = 1 + (index - self.level_parts) / self.step_parts;
        let grown = 1_u64.checked_shl(doublings).and_then(|by| self.base_bytes.checked_mul(by));
        grown.unwrap_or(self.most_bytes).min(self.most_bytes)
    }

    /// Parts that the object can have.
    #[must_use]
    pub fn max_parts(&self) -> u32 {
        self.max_parts
    }

    /// Bytes that the object can hold: what its parts come to, and no more than a store takes.
    #[must_use]
    pub fn capacity_bytes(&self) -> u64 {
        let parts: u64 = (1..=self.max_parts).map(|number| self.part_bytes(number)).sum();
        parts.min(LARGEST_OBJECT_BYTES)
    }
}

fn round_up(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(MIB).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1024 * MIB;

    fn plan(expected_bytes: Option<u64>) -> Plan {
        Plan { part_size_bytes: 10 * MIB, max_parts: 9_000, expected_bytes, equal: false }
    }

    #[test]
    fn an_unknown_stream_begins_small_and_reaches_far() {
        let schedule = Schedule::new(&plan(None));
        let sizes =
            [1, 900, 901, 1801, 2701, 9_000].map(|number| schedule.part_bytes(number) / MIB);
        assert_eq!(sizes, [10, 10, 20, 40, 64, 64]);
        assert!(schedule.capacity_bytes() > 400 * GIB, "{}", schedule.capacity_bytes());
    }

    #[test]
    fn an_estimate_fits_one_and_a_half_times_without_growth() {
        let expected = 200 * GIB;
        let schedule = Schedule::new(&plan(Some(expected)));
        assert!(schedule.capacity_bytes() >= expected * 3 / 2);
        let needed = u32::try_from((expected * 3 / 2).div_ceil(schedule.part_bytes(1))).unwrap();
        assert_eq!(schedule.part_bytes(needed), schedule.part_bytes(1));
    }

    #[test]
    fn no_object_is_larger_than_a_store_takes() {
        let large = Plan { part_size_bytes: 5 * GIB, ..plan(None) };
        assert_eq!(Schedule::new(&large).capacity_bytes(), 5 * 1024 * GIB);
    }

    #[test]
    fn beyond_parts_of_64_mib_the_object_ends_and_another_goes_on() {
        let schedule = Schedule::new(&plan(Some(10_000 * GIB)));
        assert_eq!(schedule.part_bytes(9_000), 64 * MIB);
        assert_eq!(schedule.capacity_bytes(), 9_000 * 64 * MIB);
    }

    #[test]
    fn equal_parts_stay_equal() {
        let schedule = Schedule::new(&Plan { equal: true, ..plan(None) });
        assert_eq!(schedule.capacity_bytes(), 9_000 * 10 * MIB);
    }

    #[test]
    fn a_tiny_limit_is_kept() {
        let schedule = Schedule::new(&Plan { max_parts: 3, part_size_bytes: 0, ..plan(None) });
        assert_eq!(schedule.capacity_bytes(), (5 + 10 + 20) * MIB);
        assert_eq!(schedule.max_parts(), 3);
    }

    #[test]
    fn parts_that_the_operator_wants_larger_stay_larger() {
        let schedule = Schedule::new(&Plan { part_size_bytes: 128 * MIB, ..plan(None) });
        assert_eq!(schedule.part_bytes(1), 128 * MIB);
        assert_eq!(schedule.part_bytes(9_000), 128 * MIB);
    }

    proptest! {
        #[test]
        fn sizes_never_shrink_and_stay_within_bounds(
            part_size_bytes in SMALLEST_PART_BYTES..200 * MIB,
            max_parts in 1_u32..=10_000,
            expected_bytes in proptest::option::of(0_u64..u64::MAX),
            equal: bool,
        ) {
            let plan = Plan { part_size_bytes, max_parts, expected_bytes, equal };
            let schedule = Schedule::new(&plan);
            let mut last = 0;
            for number in 1..=max_parts {
                let size = schedule.part_bytes(number);
                prop_assert!(size >= last && size >= part_size_bytes);
                prop_assert!(size <= part_size_bytes.max(GROWN_PART_BYTES));
                last = size;
            }
            let fits = expected_bytes.is_none_or(|bytes| {
                let wanted = u128::from(bytes) * 3 / 2;
                let reach = u128::from(max_parts) * u128::from(part_size_bytes.max(GROWN_PART_BYTES));
                wanted > reach || u128::from(schedule.capacity_bytes()) >= wanted
            });
            prop_assert!(fits);
        }
    }
}
