//! Waiting: for a condition with a deadline, never for a guessed time.
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds; `what` names it in the error.
///
/// # Errors
/// The condition does not hold by the deadline, or looking at it went wrong.
pub fn wait_until(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    while !condition()? {
        if started.elapsed() > deadline {
            bail!("waited {deadline:?} in vain until {what}");
        }
        pause(INTERVAL);
    }
    Ok(())
}

/// Lets `time` pass: for pacing and back-off, not for hoping that something has happened.
pub fn pause(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        if left.is_zero() {
            break;
        }
        std::thread::park_timeout(left);
    }
}
