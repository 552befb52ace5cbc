//! The messages between supervisor and worker: one JSON document a line, each of bounded size.
use super::{
    event::{FlowEvent, LogEvent, ProgressEvent},
    job::{ErrorReport, Job, Receipt},
};
use dbbackup_plugin_api::document::{manifest::FileRecord, undo::UndoRecord};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::io::{self, BufRead, Read, Write};
use zeroize::Zeroizing;

/// Largest message that either side takes, bytes. A manifest with 200,000 files fits.
pub(crate) const MAX_MESSAGE_BYTES: u64 = 64 << 20;

/// File records that go into one message of a receipt.
pub(crate) const FILES_A_MESSAGE: usize = 1000;

/// The hidden command that makes a process a worker.
pub const WORKER_ARGUMENT: &str = "worker";

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub(crate) enum ToWorker {
    /// The work; always first, and once.
    Job(Box<Job>),
    /// Stop soon, and leave nothing behind.
    Cancel,
    /// Answer to a journal request.
    Journalled {
        /// Number of the request.
        request: u64,
        /// Number of the record, or why there is none.
        answer: Result<u64, ErrorReport>,
    },
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub(crate) enum FromWorker {
    /// A log event.
    Log {
        /// The event.
        event: LogEvent,
    },
    /// Progress of a phase.
    Progress(ProgressEvent),
    /// The engine says that it is alive.
    Heartbeat,
    /// Sent by the worker itself once a second.
    Flow(FlowEvent),
    /// A side effect is about to happen; the worker waits for the answer.
    JournalRecord {
        /// Number of the request.
        request: u64,
        /// Who undoes it.
        owner: RecordOwner,
        /// What it is.
        record: UndoRecord,
    },
    /// A side effect was undone; the worker waits for the answer.
    JournalDone {
        /// Number of the request.
        request: u64,
        /// Number of the record.
        number: u64,
    },
    /// A part of the receipt's files.
    Files {
        /// The files, in their order.
        files: Vec<FileRecord>,
    },
    /// The work is done; believed only together with a clean exit.
    Receipt(Box<Receipt>),
    /// The work failed.
    Error {
        /// Why.
        report: ErrorReport,
    },
}

/// Who can undo a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "owner", rename_all = "snake_case")]
pub(crate) enum RecordOwner {
    /// The host itself.
    Host,
    /// The undo role of an engine.
    Engine {
        /// Plugin id.
        plugin: String,
        /// Engine id.
        engine: String,
    },
}

/// Writes one message and its line end in one call.
///
/// # Errors
/// Those of the socket; `InvalidData` if the message is larger than a peer takes.
pub(crate) fn send<M: Serialize>(to: &mut impl Write, message: &M) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(message).map_err(io::Error::other)?);
    line.push(b'\n');
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > MAX_MESSAGE_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("message of {} bytes is larger than {MAX_MESSAGE_BYTES}", line.len()),
        ));
    }
    to.write_all(&line)?;
    to.flush()
}

/// Reads one message; none once the peer has closed its end.
///
/// # Errors
/// Those of the socket; `InvalidData` if a line is too long, is cut off, or is no message.
pub(crate) fn receive<M: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<M>> {
    let mut line = Zeroizing::new(Vec::new());
    from.take(MAX_MESSAGE_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        let what = format!("message of {} bytes without an end", line.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    serde_json::from_slice(&line).map(Some).map_err(|source| {
        io::Error::new(io::ErrorKind::InvalidData, format!("not a message: {source}"))
    })
}

#[cfg(test)]
mod tests;
