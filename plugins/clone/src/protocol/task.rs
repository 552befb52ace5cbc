//! The threads behind the connections: each reads what its donor's side sends, checks it, and passes
//! it on through a bounded channel. While the channel is full they do not read, and the donor waits.

use crossbeam_channel::{Receiver, Sender};
use dbbackup_sdk::server::ConnectOptions;

use crate::{
    error::CloneError,
    protocol::{
        buffers::Buffers,
        event::{Beginning, Event, Task},
        link::{Link, unexpected},
        registry::Registry,
    },
    rpc::{Command, DataPart, Descriptor, Response},
};

/// Longest piece in which the bytes of a block are passed on.
const PIECE_BYTES: usize = 1024 * 1024;

/// How a connection reports.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    pub(crate) task: Task,
    pub(crate) events: Sender<(Task, Event)>,
}

impl Reporter {
    /// Passes an event on; false once nobody listens any more.
    fn tell(&self, event: Event) -> bool {
        self.events.send((self.task, event)).is_ok()
    }

    fn pass(&self, event: Event) -> Result<(), CloneError> {
        if self.tell(event) { Ok(()) } else { Err(CloneError::Abandoned) }
    }

    /// Runs the body of a thread and reports how it ended.
    pub(crate) fn run(self, body: impl FnOnce(&Self) -> Result<(), CloneError>) {
        let outcome = body(&self);
        // Nobody listens after a failure elsewhere, which has been reported then.
        self.tell(Event::Ended(outcome));
    }
}

/// The master: begins the clone, or goes on with it, and reads until the donor has sent everything.
pub(crate) fn master(
    options: &ConnectOptions,
    registry: &Registry,
    begin: &[u8],
    reporter: &Reporter,
) -> Result<(), CloneError> {
    let mut link = registry.open(options)?;
    let mut beginning = Beginning::default();
    link.exchange(begin, |response| beginning.take(response))?;
    reporter.pass(Event::Begun(Box::new(beginning.finish()?)))?;
    read(&mut link, reporter)?;
    leave(link)
}

/// A worker: joins a clone that copies already, and reads its share.
pub(crate) fn worker(
    options: &ConnectOptions,
    registry: &Registry,
    attach: &[u8],
    reporter: &Reporter,
) -> Result<(), CloneError> {
    let mut link = registry.open(options)?;
    let mut beginning = Beginning::default();
    link.exchange(attach, |response| beginning.take(response))?;
    beginning.finish()?;
    // Told before the donor gives it anything: no stage is acknowledged without it from now on.
    reporter.pass(Event::Attached)?;
    read(&mut link, reporter)?;
    leave(link)
}

/// The acknowledger: sends what it is given, and says when the donor has taken it.
pub(crate) fn acknowledger(
    options: &ConnectOptions,
    registry: &Registry,
    packets: &Receiver<Vec<u8>>,
    reporter: &Reporter,
) -> Result<(), CloneError> {
    let mut link = registry.open(options)?;
    for packet in packets {
        link.exchange(&packet, unexpected)?;
        reporter.pass(Event::Acknowledged)?;
    }
    leave(link)
}

/// Everything has arrived: what goes wrong with the farewell takes nothing back.
fn leave(link: Link) -> Result<(), CloneError> {
    if let Err(error) = link.leave() {
        tracing::debug!(%error, "leave the clone protocol");
    }
    Ok(())
}

fn read(link: &mut Link, reporter: &Reporter) -> Result<(), CloneError> {
    link.send(&Command::Execute.bare())?;
    let buffers = Buffers::default();
    loop {
        let descriptor = match link.next()? {
            Response::Complete => return Ok(()),
            Response::Descriptor { descriptor, .. } => Descriptor::parse(descriptor)?,
            other => return Err(CloneError::order(&other.name(), "a descriptor")),
        };
        match descriptor {
            Descriptor::Task { .. } => {}
            Descriptor::State(change) => reporter.pass(Event::State(change))?,
            Descriptor::File(meta) => reporter.pass(Event::File(Box::new(meta)))?,
            Descriptor::Data(part) => read_data(link, part, &buffers, reporter)?,
        }
    }
}

fn read_data(
    link: &mut Link,
    part: DataPart,
    buffers: &Buffers,
    reporter: &Reporter,
) -> Result<(), CloneError> {
    let bytes = match link.next()? {
        Response::Data(bytes) => bytes,
        other => return Err(CloneError::order(&other.name(), "the data of a block")),
    };
    if bytes.len() as u64 != u64::from(part.length) {
        return Err(CloneError::DataLength { announced: part.length, bytes: bytes.len() });
    }
    let mut offset = part.offset;
    let mut rest = bytes;
    loop {
        let (now, later) = rest.split_at_checked(PIECE_BYTES).unwrap_or((rest, &[]));
        let length = u32::try_from(now.len()).unwrap_or(u32::MAX);
        let piece = DataPart { offset, length, ..part };
        let is_last = later.is_empty();
        reporter.pass(Event::Data { part: piece, bytes: buffers.copy(now), is_last })?;
        if is_last {
            return Ok(());
        }
        offset += u64::from(length);
        rest = later;
    }
}
