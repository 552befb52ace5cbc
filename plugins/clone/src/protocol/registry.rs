//! The connections of one session with the donor, so that they can be ended from outside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use dbbackup_sdk::{
    server::ConnectOptions,
    wire::{Canceller, WireError},
};

use crate::{error::CloneError, protocol::link::Link};

/// Connections with the server's numbers for them.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    links: Vec<(u32, Canceller)>,
    is_closed: bool,
}

impl Registry {
    /// Opens a connection that ends with the others.
    ///
    /// # Errors
    /// As [`Link::open`]; the session is over.
    pub(crate) fn open(&self, options: &ConnectOptions) -> Result<Link, CloneError> {
        let mut refused = false;
        let link = Link::open(options, |id, canceller| {
            let mut state = self.state();
            refused = state.is_closed;
            if refused {
                canceller.cancel();
            } else {
                state.links.push((id, canceller));
            }
        });
        if refused { Err(WireError::Cancelled.into()) } else { link }
    }

    /// The server's numbers of the connections.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.state().links.iter().map(|(id, _)| *id).collect()
    }

    /// Ends all connections, also those that are about to be made.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        for (_, canceller) in state.links.drain(..) {
            canceller.cancel();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
