//! Tells the host how far a clone is, not more often than anybody reads it.

use std::time::{Duration, Instant};

use dbbackup_sdk::Host;

use crate::{
    protocol::machine::{UNIT, phase},
    rpc::State,
};

/// Time between two reports.
const REPORT_EVERY: Duration = Duration::from_millis(500);

/// Progress of the current stage.
#[derive(Debug)]
pub(crate) struct Pace<'h> {
    host: &'h Host,
    state: State,
    done_bytes: u64,
    total_bytes: u64,
    reported: Instant,
}

impl<'h> Pace<'h> {
    /// Before the first stage.
    pub(crate) fn new(host: &'h Host) -> Self {
        Self { host, state: State::None, done_bytes: 0, total_bytes: 0, reported: Instant::now() }
    }

    /// A stage begins, and so many bytes are expected.
    pub(crate) fn stage(&mut self, state: State, total_bytes: u64) {
        (self.state, self.done_bytes, self.total_bytes) = (state, 0, total_bytes);
        self.report();
    }

    /// Bytes have come.
    pub(crate) fn bytes(&mut self, count: u64) {
        self.done_bytes += count;
        if self.reported.elapsed() >= REPORT_EVERY {
            self.report();
        }
    }

    /// Nothing comes, but the donor lives.
    pub(crate) fn alive(&self) {
        self.host.heartbeat();
    }

    fn report(&mut self) {
        self.reported = Instant::now();
        self.host.progress(phase(self.state), self.done_bytes, self.total_bytes, UNIT);
    }
}
