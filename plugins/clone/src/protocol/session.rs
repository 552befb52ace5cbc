//! The connections of a clone between two cuts, each with its thread.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use dbbackup_sdk::server::ConnectOptions;

use crate::{
    error::CloneError,
    protocol::{
        event::{Event, Task},
        registry::Registry,
        task::{self, Reporter},
    },
};

/// Events that wait to be handled: at most as many pieces of a block are in memory.
const WAITING_EVENTS: usize = 8;
/// Acknowledgements that wait to be sent; there is never more than one.
const WAITING_ACKS: usize = 2;
/// Longest wait for connections that say goodbye.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for threads whose connections are closed. One that is still about to connect is
/// left alone, and ends by itself.
const JOIN_WITHIN: Duration = Duration::from_millis(500);

/// Connections of one session.
#[derive(Debug)]
pub(crate) struct CloneSession {
    options: ConnectOptions,
    registry: Arc<Registry>,
    sender: Sender<(Task, Event)>,
    events: Option<Receiver<(Task, Event)>>,
    acks: Option<Sender<Vec<u8>>>,
    threads: Vec<JoinHandle<()>>,
}

impl CloneSession {
    /// Starts the master, which sends `begin` first.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(options: &ConnectOptions, begin: Vec<u8>) -> Result<Self, CloneError> {
        let (sender, events) = bounded(WAITING_EVENTS);
        let mut session = Self {
            options: options.clone(),
            registry: Arc::default(),
            sender,
            events: Some(events),
            acks: None,
            threads: Vec::new(),
        };
        session.spawn(Task::Master, move |options, registry, reporter| {
            task::master(options, registry, &begin, reporter)
        })?;
        Ok(session)
    }

    /// Starts the connection that acknowledges.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start_acknowledger(&mut self) -> Result<(), CloneError> {
        let (sender, packets) = bounded::<Vec<u8>>(WAITING_ACKS);
        self.acks = Some(sender);
        self.spawn(Task::Acknowledger, move |options, registry, reporter| {
            task::acknowledger(options, registry, &packets, reporter)
        })
    }

    /// Starts a worker, which joins with `attach`.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start_worker(&mut self, number: u32, attach: Vec<u8>) -> Result<(), CloneError> {
        self.spawn(Task::Worker(number), move |options, registry, reporter| {
            task::worker(options, registry, &attach, reporter)
        })
    }

    /// Waits for something to happen; nothing within `limit`.
    ///
    /// # Errors
    /// [`CloneError::Abandoned`] if the session is over.
    pub(crate) fn next(&self, limit: Duration) -> Result<Option<(Task, Event)>, CloneError> {
        let events = self.events.as_ref().ok_or(CloneError::Abandoned)?;
        match events.recv_timeout(limit) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(CloneError::Abandoned),
        }
    }

    /// Hands an acknowledgement over.
    ///
    /// # Errors
    /// [`CloneError::Abandoned`] if the acknowledger has ended, which says itself why.
    pub(crate) fn acknowledge(&self, packet: Vec<u8>) -> Result<(), CloneError> {
        let acks = self.acks.as_ref().ok_or(CloneError::Abandoned)?;
        acks.send(packet).map_err(|_| CloneError::Abandoned)
    }

    /// The donor's numbers of the connections.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.registry.ids()
    }

    /// The master is done: the others leave too.
    pub(crate) fn finish(mut self) {
        self.acks = None;
        let deadline = Instant::now() + LEAVE_WITHIN;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < deadline {
            // What they still have to say is that they are done.
            if let Ok(Some((task, event))) = self.next(Duration::from_millis(5)) {
                tracing::trace!(?task, ?event, "after the end of the clone");
            }
        }
        self.end();
    }

    /// Closes every connection.
    pub(crate) fn end(&mut self) {
        self.acks = None;
        // Whoever waits for room in the channel ends first.
        self.events = None;
        self.registry.close();
        self.join();
    }

    fn spawn(
        &mut self,
        task: Task,
        body: impl FnOnce(&ConnectOptions, &Registry, &Reporter) -> Result<(), CloneError>
        + Send
        + 'static,
    ) -> Result<(), CloneError> {
        let reporter = Reporter { task, events: self.sender.clone() };
        let (options, registry) = (self.options.clone(), Arc::clone(&self.registry));
        let thread = thread::Builder::new()
            .name("clone".to_owned())
            .spawn(move || reporter.run(|reporter| body(&options, &registry, reporter)))
            .map_err(CloneError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    fn join(&mut self) {
        let deadline = Instant::now() + JOIN_WITHIN;
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && Instant::now() < deadline {
                thread::park_timeout(Duration::from_millis(5));
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a thread of the clone panicked");
            }
        }
    }
}

impl Drop for CloneSession {
    fn drop(&mut self) {
        self.end();
    }
}
