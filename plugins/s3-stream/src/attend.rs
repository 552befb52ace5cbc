//! Waiting for the store on a thread of the host: alive to it, and gone at once when it cancels.

use std::time::Duration;

use dbbackup_sdk::{Host, runtime::block_on};

use crate::error::S3Error;

/// How long something that is given up is tried to be removed.
pub(crate) const GIVE_UP_DEADLINE: Duration = Duration::from_secs(20);
/// The same for a run that is cancelled, for which a host waits a few seconds only. What is left then
/// is on record.
pub(crate) const CANCELLED_DEADLINE: Duration = Duration::from_secs(3);
/// Time between two looks for a cancellation.
const LOOK: Duration = Duration::from_millis(100);
/// Looks between two signs of life.
const LOOKS_PER_HEARTBEAT: u32 = 10;

/// Who is told that a wait goes on, and may end it.
pub(crate) trait Attendant: Sync {
    /// True if the run is cancelled.
    fn is_cancelled(&self) -> bool;
    /// Something is still being done.
    fn heartbeat(&self);
}

impl Attendant for Host {
    fn is_cancelled(&self) -> bool {
        Self::is_cancelled(self)
    }

    fn heartbeat(&self) {
        Self::heartbeat(self);
    }
}

/// Waits for a future on the plugin's runtime.
///
/// # Errors
/// Those of the future, and [`S3Error::Cancelled`]: the future was dropped then.
pub(crate) fn attend<T>(
    attendant: &impl Attendant,
    work: impl Future<Output = Result<T, S3Error>>,
) -> Result<T, S3Error> {
    if attendant.is_cancelled() {
        return Err(S3Error::Cancelled);
    }
    block_on(async {
        tokio::select! {
            biased;
            result = work => result,
            () = cancelled(attendant) => Err(S3Error::Cancelled),
        }
    })?
}

async fn cancelled(attendant: &impl Attendant) {
    let mut looks = 0_u32;
    while !attendant.is_cancelled() {
        tokio::time::sleep(LOOK).await;
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS_PER_HEARTBEAT) {
            attendant.heartbeat();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicU32, Ordering::Relaxed},
        time::Instant,
    };

    #[derive(Default)]
    struct Watcher {
        looks: AtomicU32,
        beats: AtomicU32,
        cancels_after: u32,
    }

    impl Attendant for Watcher {
        fn is_cancelled(&self) -> bool {
            self.looks.fetch_add(1, Relaxed) >= self.cancels_after
        }

        fn heartbeat(&self) {
            self.beats.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_wait_gives_signs_of_life_and_ends_with_the_run() {
        let watcher = Watcher { cancels_after: 12, ..Watcher::default() };
        let started = Instant::now();
        let result = attend(&watcher, std::future::pending::<Result<(), S3Error>>());
        assert!(matches!(result, Err(S3Error::Cancelled)));
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(watcher.beats.load(Relaxed), 1);
    }

    #[test]
    fn work_of_a_cancelled_run_is_not_begun() {
        let watcher = Watcher::default();
        let result = attend(&watcher, async { Ok(7) });
        assert!(matches!(result, Err(S3Error::Cancelled)));
    }
}
