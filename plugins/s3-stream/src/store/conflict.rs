//! Another request for the same object is under way, most likely an attempt of our own that took longer
//! than it may: its end is waited for, within the time that any request is tried again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{error::S3Error, refusal::Refusal};

/// How often an object is asked for once more.
const MOST_CONFLICTS: u32 = 10;
/// Time between two of those.
const CONFLICT_WAIT: Duration = Duration::from_secs(1);
/// Least time for one more request: a shorter one would only be one more without an answer.
const LEAST_REQUEST: Duration = Duration::from_secs(10);

/// The conflicts of one request with others.
#[derive(Debug)]
pub(super) struct Conflicts {
    until: Instant,
    met: u32,
}

impl Conflicts {
    /// None yet; so long they may be waited for.
    pub(super) fn within(deadline: Duration) -> Self {
        Self { until: Instant::now() + deadline, met: 0 }
    }

    /// Waits until the request may be made once more.
    ///
    /// # Errors
    /// What it was refused with, if that is no conflict or there were too many, or for too long.
    pub(super) async fn wait(&mut self, error: S3Error) -> Result<(), S3Error> {
        let is_over = self.met >= MOST_CONFLICTS || Instant::now() + CONFLICT_WAIT > self.until;
        if !error.is(Refusal::is_conflict) || is_over {
            return Err(error);
        }
        self.met += 1;
        sleep(CONFLICT_WAIT).await;
        Ok(())
    }

    /// Time that the next request has, if there was a conflict before it.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        (self.met > 0).then(|| left.max(LEAST_REQUEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Step, refusal::tests::answered};
    use tokio::runtime::Builder;

    fn refused(status: u16, code: &str) -> S3Error {
        let step = Step::new("complete the upload of", "s3://bucket/key", "s3:PutObject");
        S3Error::Refused { step, source: Box::new(answered(status, code)) }
    }

    /// How many requests of a store that refuses all of them so are waited for.
    fn waits(mut conflicts: Conflicts, status: u16, code: &str) -> u32 {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            loop {
                if let Err(error) = conflicts.wait(refused(status, code)).await {
                    assert!(error.to_string().contains("s3://bucket/key"), "{error}");
                    return conflicts.met;
                }
            }
        })
    }

    #[test]
    fn conflicts_end_by_their_number_and_by_the_deadline() {
        let conflict = (409, "ConditionalRequestConflict");
        let long = Duration::from_secs(900);
        let nearly = Conflicts { met: MOST_CONFLICTS - 1, ..Conflicts::within(long) };
        assert_eq!(waits(nearly, conflict.0, conflict.1), MOST_CONFLICTS);
        let short = Conflicts::within(CONFLICT_WAIT / 2);
        assert_eq!(waits(short, conflict.0, conflict.1), 0);
        let other = Conflicts::within(long);
        assert_eq!(waits(other, 412, "PreconditionFailed"), 0);
    }

    #[test]
    fn what_comes_after_a_conflict_has_the_rest_of_the_time() {
        let mut conflicts = Conflicts::within(Duration::from_secs(900));
        assert_eq!(conflicts.left(), None);
        conflicts.met = 1;
        assert!(conflicts.left().unwrap() <= Duration::from_secs(900));
        conflicts.until = Instant::now();
        assert_eq!(conflicts.left(), Some(LEAST_REQUEST));
    }

    #[test]
    fn a_conflict_that_does_not_end_has_a_hint() {
        use dbbackup_sdk::Classify;
        let hint = refused(409, "ConditionalRequestConflict").hint().unwrap();
        assert!(hint.contains("another request"), "{hint}");
    }
}
