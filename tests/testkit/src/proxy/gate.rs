//! What may pass: the standing orders of a proxy, shared by its connections.
use super::{Direction, Ending};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The orders for one direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) passed: u64,
    pub(super) end_at: Option<(u64, Ending)>,
    pub(super) stall_at: Option<u64>,
    pub(super) bytes_per_second: Option<u64>,
    /// Before this moment the throttle lets nothing through.
    next_at: Option<Instant>,
}

impl Lane {
    pub(super) fn resume(&mut self) {
        self.end_at = None;
        self.stall_at = None;
        self.bytes_per_second = None;
    }
}

#[derive(Debug, Default)]
struct State {
    to_server: Lane,
    to_client: Lane,
    refuses: bool,
    closed: bool,
    accepted: u64,
    open: Vec<(u64, TcpStream)>,
}

/// What a connection may do with the bytes that it holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Pass this many on.
    Pass(usize),
    /// End the connection.
    End(Ending),
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    pub(super) fn change(&self, direction: Direction, change: impl FnOnce(&mut Lane)) {
        change(lane(&mut self.state(), direction));
        self.changed.notify_all();
    }

    /// Waits until some of the `held` bytes may pass, or the connection must end.
    pub(super) fn ask(&self, direction: Direction, held: usize) -> Verdict {
        const LOOK_AGAIN: Duration = Duration::from_millis(50);
        let mut state = self.state();
        loop {
            if state.closed {
                return Verdict::End(Ending::Close);
            }
            let now = Instant::now();
            let lane = lane(&mut state, direction);
            let mut allowed = u64::try_from(held).unwrap_or(u64::MAX);
            if let Some((end, ending)) = lane.end_at {
                if lane.passed >= end {
                    return Verdict::End(ending);
                }
                allowed = allowed.min(end - lane.passed);
            }
            if let Some(stall) = lane.stall_at {
                allowed = allowed.min(stall.saturating_sub(lane.passed));
            }
            let throttled = lane.next_at.is_some_and(|next| now < next);
            if allowed > 0 && !throttled {
                lane.passed += allowed;
                lane.next_at = lane
                    .bytes_per_second
                    .map(|rate| now + Duration::from_secs(allowed) / clamped(rate));
                return Verdict::Pass(usize::try_from(allowed).unwrap_or(held));
            }
            let wait = lane.next_at.map_or(LOOK_AGAIN, |next| {
                next.saturating_duration_since(now).clamp(Duration::from_micros(100), LOOK_AGAIN)
            });
            state = match self.changed.wait_timeout(state, wait) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Counts a new connection, unless new ones are refused.
    pub(super) fn admit(&self) -> bool {
        let mut state = self.state();
        if state.refuses || state.closed {
            return false;
        }
        state.accepted += 1;
        true
    }

    /// Keeps a stream so that it can be ended from outside, until [`Gate::forget`].
    pub(super) fn register(&self, stream: TcpStream) -> u64 {
        let mut state = self.state();
        let id = state.open.last().map_or(0, |(last, _)| last + 1);
        state.open.push((id, stream));
        id
    }

    pub(super) fn forget(&self, id: u64) {
        self.state().open.retain(|(open, _)| *open != id);
    }

    pub(super) fn end_all(&self, ending: Ending) {
        for (_, stream) in &self.state().open {
            end(stream, ending);
        }
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.end_all(Ending::Close);
        self.changed.notify_all();
    }

    pub(super) fn refuse(&self, refuses: bool) {
        self.state().refuses = refuses;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(super) fn passed(&self, direction: Direction) -> u64 {
        lane(&mut self.state(), direction).passed
    }

    pub(super) fn accepted(&self) -> u64 {
        self.state().accepted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends one side of a connection; it may have ended by itself before.
pub(super) fn end(stream: &TcpStream, ending: Ending) {
    match ending {
        Ending::Close => drop(stream.shutdown(Shutdown::Both)),
        // Dissolving the association resets it at once, while closing would wait for every
        // descriptor and `shutdown` would send an orderly end first.
        Ending::Reset => drop(rustix::net::connect_unspec(stream)),
    }
}

fn lane(state: &mut State, direction: Direction) -> &mut Lane {
    match direction {
        Direction::ToServer => &mut state.to_server,
        Direction::ToClient => &mut state.to_client,
    }
}

/// A rate as the divisor of a duration.
fn clamped(rate: u64) -> u32 {
    u32::try_from(rate.max(1)).unwrap_or(u32::MAX)
}
