//! Back-pressure is not the engine's silence.
use super::{FlowEvent, Stall, StallClock};
use std::time::{Duration, Instant};

const ENGINE: Duration = Duration::from_secs(600);
const TARGET: Duration = Duration::from_secs(3600);

fn at(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

#[test]
fn silence_beyond_the_limit_is_a_stall() {
    let start = Instant::now();
    let clock = StallClock::start(start);
    assert_eq!(clock.verdict(at(start, 600), ENGINE, TARGET), None);
    let silent = Duration::from_secs(601);
    assert_eq!(clock.verdict(at(start, 601), ENGINE, TARGET), Some(Stall::Engine(silent)));
}

#[test]
fn bytes_and_events_are_signs_of_life_and_equal_counters_are_not() {
    let start = Instant::now();
    let mut clock = StallClock::start(start);
    let flow = FlowEvent { bytes_in: 10, ..FlowEvent::default() };
    clock.flow(at(start, 500), flow);
    clock.flow(at(start, 1000), flow);
    assert_eq!(clock.verdict(at(start, 1100), ENGINE, TARGET), None);
    assert!(clock.verdict(at(start, 1101), ENGINE, TARGET).is_some());
    clock.sign_of_life(at(start, 1101));
    assert_eq!(clock.verdict(at(start, 1700), ENGINE, TARGET), None);
}

/// The syncs at the end of a directory of many files: none of them lasts, and no byte flows.
#[test]
fn a_target_that_ends_one_step_after_the_other_is_a_sign_of_life() {
    let start = Instant::now();
    let mut clock = StallClock::start(start);
    for second in 1..=2000_u64 {
        let flow = FlowEvent { target_steps: second, ..FlowEvent::default() };
        clock.flow(at(start, second), flow);
        assert_eq!(clock.verdict(at(start, second), ENGINE, TARGET), None, "{second}");
    }
    assert!(clock.verdict(at(start, 2601), ENGINE, TARGET).is_some());
}

#[test]
fn a_blocked_target_stops_the_engines_clock_and_has_its_own() {
    let start = Instant::now();
    let mut clock = StallClock::start(start);
    for second in 1..=3600_u64 {
        let blocked = Some(second * 1000);
        let flow = FlowEvent { target_blocked_ms: blocked, ..FlowEvent::default() };
        clock.flow(at(start, second), flow);
        assert_eq!(clock.verdict(at(start, second), ENGINE, TARGET), None, "{second}");
    }
    let late = clock.verdict(at(start, 3601), ENGINE, TARGET);
    assert_eq!(late, Some(Stall::Target(Duration::from_secs(3601))));
}

/// A low `--limit-rate` keeps the engine inside one call, and no target blocks.
#[test]
fn an_engine_that_waits_for_us_is_not_silent() {
    let start = Instant::now();
    let mut clock = StallClock::start(start);
    let waits = FlowEvent { engine_waits_for_us: true, ..FlowEvent::default() };
    for second in 1..=2000_u64 {
        clock.flow(at(start, second), waits);
        assert_eq!(clock.verdict(at(start, second), ENGINE, TARGET), None, "{second}");
    }
    clock.flow(at(start, 2001), FlowEvent::default());
    assert_eq!(clock.verdict(at(start, 2600), ENGINE, TARGET), None);
    let silent = Duration::from_secs(601);
    assert_eq!(clock.verdict(at(start, 2601), ENGINE, TARGET), Some(Stall::Engine(silent)));
}
