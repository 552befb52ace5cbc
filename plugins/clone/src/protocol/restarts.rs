//! How often, and for how long, a cut clone is taken up again.

use std::time::{Duration, Instant};

use dbbackup_sdk::Host;

use crate::{artefact::Donor, error::CloneError};

/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a donor waits for a recipient that was cut off, where it does not say it.
const USUAL_PATIENCE: Duration = Duration::from_secs(5 * 60);
/// The setting with which it says it, in minutes.
const PATIENCE: &str = "clone_donor_timeout_after_network_failure";

/// Attempts of one run.
#[derive(Debug)]
pub(crate) struct Restarts {
    most: u32,
    done: u32,
    /// Since when nothing has come, and how often it was tried since.
    stuck: Option<(Instant, u32)>,
}

impl Restarts {
    /// At most so many in the whole run.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, done: 0, stuck: None }
    }

    /// Something has come again.
    pub(crate) fn moved_on(&mut self) {
        self.stuck = None;
    }

    /// Waits until the next attempt is due.
    ///
    /// # Errors
    /// [`CloneError::Cut`] with the failure that was the last one, if there were too many or the
    /// donor has given up meanwhile; [`CloneError::Cancelled`].
    pub(crate) fn wait(
        &mut self,
        error: CloneError,
        donor: &Donor,
        host: &Host,
    ) -> Result<(), CloneError> {
        let (since, tries) = self.stuck.get_or_insert((Instant::now(), 0));
        if self.done >= self.most || since.elapsed() >= patience(donor) {
            let (restarts, seconds) = (self.done, since.elapsed().as_secs());
            return Err(match self.most {
                0 => error,
                _ => CloneError::Cut { restarts, seconds, source: Box::new(error) },
            });
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (*tries).min(10)).min(LONGEST_PAUSE);
        *tries += 1;
        self.done += 1;
        tracing::warn!(%error, restart = self.done, "the connection was cut; the clone goes on");
        host.heartbeat();
        if host.wait_cancelled(pause) { Err(CloneError::Cancelled) } else { Ok(()) }
    }
}

/// How long the donor keeps the clone for us.
fn patience(donor: &Donor) -> Duration {
    let minutes = donor.configs.get(PATIENCE).and_then(|minutes| minutes.parse::<u64>().ok());
    minutes.map_or(USUAL_PATIENCE, |minutes| Duration::from_secs(minutes.saturating_mul(60)))
}
