//! Tells a hanging engine from one that waits for us, and a slow target from a dead one.
use super::event::FlowEvent;
use std::time::{Duration, Instant};

/// What has stood still for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// The engine.
    Engine(Duration),
    /// The target.
    Target(Duration),
}

/// Time since the last sign of life of engine and target.
#[derive(Debug)]
pub(super) struct StallClock {
    engine_since: Instant,
    target_since: Option<Instant>,
    last: FlowEvent,
}

impl StallClock {
    pub(super) fn start(now: Instant) -> Self {
        Self { engine_since: now, target_since: None, last: FlowEvent::default() }
    }

    /// The engine said something.
    pub(super) fn sign_of_life(&mut self, now: Instant) {
        self.engine_since = now;
    }

    /// The worker counted bytes, or steps of the target. While the target blocks, or the engine waits
    /// inside a call of ours, the engine's clock stands still.
    pub(super) fn flow(&mut self, now: Instant, flow: FlowEvent) {
        let counters = |flow: &FlowEvent| (flow.bytes_in, flow.bytes_out, flow.target_steps);
        let moved = counters(&flow) != counters(&self.last);
        let blocked = flow.target_blocked_ms.map(Duration::from_millis);
        if moved || blocked.is_some() || flow.engine_waits_for_us {
            self.engine_since = now;
        }
        self.target_since = blocked.and_then(|time| now.checked_sub(time));
        self.last = flow;
    }

    /// For how long the target has blocked.
    pub(super) fn target_blocked(&self, now: Instant) -> Option<Duration> {
        self.target_since.map(|since| now.saturating_duration_since(since))
    }

    /// What has stood still for longer than its limit.
    pub(super) fn verdict(
        &self,
        now: Instant,
        engine_limit: Duration,
        target_limit: Duration,
    ) -> Option<Stall> {
        if let Some(blocked) = self.target_blocked(now).filter(|time| *time > target_limit) {
            return Some(Stall::Target(blocked));
        }
        let silent = now.saturating_duration_since(self.engine_since);
        (silent > engine_limit).then_some(Stall::Engine(silent))
    }
}

#[cfg(test)]
mod tests;
