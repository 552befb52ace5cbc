//! Method `protocol`: we are the recipient of a clone, and write what the donor sends into the sink.
//!
//! Every connection has a thread that reads and checks; one thread, the caller's, decides and writes.
//! The channel between them is bounded: while the sink is slow, nobody reads, and the donor waits as
//! long as the stall budget says. A cut connection is made again, and the donor goes on where it was.

mod buffers;
mod chunks;
mod coverage;
mod event;
mod files;
mod key_info;
pub(crate) mod left_behind;
mod link;
mod machine;
mod naming;
mod observer;
mod output;
mod pace;
mod preflight;
mod registry;
mod restarts;
mod session;
mod summary;
mod task;

use std::time::{Duration, Instant};

use dbbackup_sdk::{
    BackupRun, Host, Sink,
    document::{backup::BackupSummary, connection::PASSWORD_SECRET},
    server::{ConnectOptions, Secret},
};

use self::{
    event::{Event, Task},
    machine::Machine,
    observer::Observer,
    restarts::Restarts,
    session::CloneSession,
};
use crate::{
    artefact::Layout,
    beside::Beside,
    error::CloneError,
    options::{Ddl, Encrypted, Options},
    rpc::{Command, Locator, State, begin},
};

/// How often cancellation is looked for while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Silence after which the donor is asked, in the other session, whether it lives.
const ASK_AFTER: Duration = Duration::from_secs(5);
/// Longest silence of a donor that lives: its own waits end after half an hour.
const LONGEST_SILENCE: Duration = Duration::from_secs(35 * 60);

/// Backs a server up.
///
/// # Errors
/// Any [`CloneError`]; the donor has given the clone up then, unless it cannot be reached.
pub(crate) fn run(
    run: &BackupRun,
    options: &Options,
    sink: &Sink,
) -> Result<BackupSummary, CloneError> {
    let password = run.host.secret(PASSWORD_SECRET)?.map(|secret| Secret::new(secret.to_vec()));
    let connect = ConnectOptions::from_document(&run.request.connection, password);
    let mut observer = Observer::connect(&run.host, &connect)?;
    let out_of_date = observer.ask(|session| Ok(session.check_replica(&run.request)?))?;
    let mut accepted = run.request.accept_degraded.clone();
    let beside = match options.include_non_innodb {
        true => Some(observer.ask(|session| Ok(Beside::prepare(session, run)?))?),
        false => None,
    };
    if beside.is_some() {
        // What is dumped beside does not come back empty.
        accepted.push(preflight::ACCEPT_NON_TRANSACTIONAL.to_owned());
    }
    let mut facts = preflight::check(&mut observer, &accepted)?;

    let layout = if options.connections > 1 { Layout::Chunks } else { Layout::Files };
    let mut machine = Machine::new(sink, layout, &run.host)?;
    machine.files.keeps_encrypted = options.encrypted == Encrypted::Keep;
    // The observer's few rows are not worth it.
    let links = ConnectOptions {
        compression: options.compression.of_connection(),
        attributes: vec![left_behind::attribute(run)],
        ..connect.clone()
    };
    let connections = left_behind::note(run, &mut observer)?;
    let setup = Setup { connect: &links, options, host: &run.host };
    let mut clone = Clone { setup, machine, observer };
    let started = Instant::now();
    let driven = clone.drive();
    // A clone that failed was ended there, as far as the donor could be reached.
    driven.and(connections.done().map_err(CloneError::from))?;

    let Clone { machine, mut observer, .. } = clone;
    let mut added = preflight::tables_left_empty(&mut observer)?;
    let dumped = beside.map(|beside| beside.dump(run, sink)).transpose()?;
    if let Some(dumped) = &dumped {
        [&mut facts.empty_tables, &mut added]
            .into_iter()
            .for_each(|tables| tables.retain(|table| !dumped.covers(&table.to_string())));
    }
    let lock = (options.ddl == Ddl::Block).then(|| started.elapsed());
    let mut summary = summary::finish(machine, &mut observer, facts, added, lock)?;
    if let Some(dumped) = dumped {
        dumped.describe(&mut summary);
    }
    summary.degraded.extend(out_of_date);
    Ok(summary)
}

/// What does not change during a clone.
struct Setup<'r> {
    connect: &'r ConnectOptions,
    options: &'r Options,
    host: &'r Host,
}

struct Clone<'r> {
    setup: Setup<'r>,
    machine: Machine<'r>,
    observer: Observer,
}

impl Clone<'_> {
    /// Follows the clone to its end, over as many sessions as it takes.
    fn drive(&mut self) -> Result<(), CloneError> {
        let mut restarts = Restarts::new(self.setup.options.restarts);
        loop {
            let mut session = CloneSession::start(self.setup.connect, self.beginning())?;
            let error = match self.follow(&mut session, &mut restarts) {
                Ok(()) => {
                    session.finish();
                    return Ok(());
                }
                Err(error) => error,
            };
            if self.setup.host.is_cancelled() || !error.is_cut() {
                self.observer.end_clone(&session.ids());
                session.end();
                return Err(error);
            }
            let ids = session.ids();
            session.end();
            self.machine.cut();
            if let Err(error) = restarts.wait(error, &self.machine.donor, self.setup.host) {
                self.observer.end_clone(&ids);
                return Err(error);
            }
        }
    }

    /// The command with which the master begins, or goes on.
    fn beginning(&self) -> Vec<u8> {
        match self.machine.restart_locator() {
            Some(locator) => self.command(Command::Reinit, &locator),
            None => self.command(Command::Init, &Locator::of_version()),
        }
    }

    fn command(&self, command: Command, locator: &[u8]) -> Vec<u8> {
        let options = self.setup.options;
        begin(command, options.ddl_timeout_seconds, options.ddl == Ddl::Allow, locator)
    }

    /// Follows one session until the donor has sent everything.
    fn follow(
        &mut self,
        session: &mut CloneSession,
        restarts: &mut Restarts,
    ) -> Result<(), CloneError> {
        let mut heard = Instant::now();
        let mut asked = Instant::now();
        let mut has_workers = false;
        loop {
            if self.setup.host.is_cancelled() {
                return Err(CloneError::Cancelled);
            }
            let Some((task, event)) = session.next(LOOK_EVERY)? else {
                if heard.elapsed() > LONGEST_SILENCE {
                    return Err(CloneError::Silent { minutes: LONGEST_SILENCE.as_secs() / 60 });
                }
                if asked.elapsed() >= ASK_AFTER {
                    asked = Instant::now();
                    if self.observer.is_alive() {
                        self.machine.alive();
                    }
                }
                continue;
            };
            heard = Instant::now();
            if self.handle(task, event, session, restarts)? {
                return Ok(());
            }
            if !has_workers && self.machine.takes_workers() {
                has_workers = true;
                self.start_workers(session)?;
            }
        }
    }

    /// Handles one event; true once the donor has sent everything.
    fn handle(
        &mut self,
        task: Task,
        event: Event,
        session: &mut CloneSession,
        restarts: &mut Restarts,
    ) -> Result<bool, CloneError> {
        match event {
            Event::Begun(begun) => {
                self.machine.begun(*begun);
                session.start_acknowledger()?;
            }
            Event::Attached => self.machine.attached(task),
            Event::State(change) => {
                if let Some(packet) = self.machine.state(task, change, &mut self.observer)? {
                    session.acknowledge(packet)?;
                }
            }
            Event::File(meta) => self.machine.file(&meta)?,
            Event::Data { part, mut bytes, is_last } => {
                restarts.moved_on();
                self.machine.data(task, &part, &mut bytes, is_last)?;
            }
            Event::Acknowledged => tracing::debug!("the donor has the acknowledgement"),
            Event::Ended(outcome) => return self.ended(task, outcome),
        }
        Ok(false)
    }

    /// A connection has ended; true if that is the end of the clone.
    fn ended(&mut self, task: Task, outcome: Result<(), CloneError>) -> Result<bool, CloneError> {
        let is_done = self.machine.state == State::Done;
        match (task, outcome) {
            (_, Err(error)) if is_done && error.is_cut() => {
                tracing::debug!(%error, "a connection was cut after the end of the clone");
                Ok(true)
            }
            (Task::Worker(_), Err(error)) if !self.machine.is_attached(task) => {
                tracing::warn!(%error, "the clone goes on with fewer connections");
                Ok(false)
            }
            (_, Err(error)) => Err(error),
            (Task::Master, Ok(())) if is_done => Ok(true),
            (Task::Master, Ok(())) => Err(CloneError::order("the end", "the rest of the clone")),
            (Task::Worker(_) | Task::Acknowledger, Ok(())) => Ok(false),
        }
    }

    /// Workers join once the donor copies and has named its files. Where it is nearly done, none does.
    fn start_workers(&self, session: &mut CloneSession) -> Result<(), CloneError> {
        if self.machine.state >= State::RedoCopy {
            return Ok(());
        }
        let attach = self.command(Command::Attach, self.machine.locator()?.bytes());
        for number in 1..self.setup.options.connections {
            session.start_worker(number, attach.clone())?;
        }
        Ok(())
    }
}
