//! The first cause stays, the second request is urgent, sleepers wake.
use super::{CancelCause, CancelFlag};
use std::time::{Duration, Instant};

#[test]
fn first_cause_stays_and_second_request_is_urgent() {
    let flag = CancelFlag::new();
    assert!(!flag.is_cancelled() && !flag.is_urgent());
    flag.cancel(CancelCause::Terminated);
    assert!(flag.is_cancelled() && !flag.is_urgent());
    flag.cancel(CancelCause::Interrupted);
    assert_eq!(flag.cause(), Some(CancelCause::Terminated));
    assert!(flag.is_urgent());
}

#[test]
fn cancelling_wakes_a_sleeper() {
    let flag = CancelFlag::new();
    let sleeper = flag.clone();
    let started = Instant::now();
    let thread = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(60)));
    flag.cancel(CancelCause::Interrupted);
    assert!(thread.join().unwrap());
    assert!(started.elapsed() < Duration::from_secs(30));
}
