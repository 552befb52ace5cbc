//! The worker: a child process that loads plugins, does one job, and reports to its supervisor.
//!
//! A plugin that crashes, exits or hangs ends this process and nothing else. All that goes to the
//! supervisor goes over one socket, which plugins never see: it leaves descriptor 0 before any of
//! them is loaded, as the artefact leaves descriptor 1.
mod error;
mod link;
mod log;
mod output;
mod reader;
mod report;
mod services;
mod setup;
mod sink;
mod target;
mod task;

pub use setup::SetupError;

use crate::supervisor::{
    job::Receipt,
    message::{FILES_A_MESSAGE, FromWorker},
};
use link::Link;
use setup::Setup;
use std::{io, mem, process::ExitCode, sync::Arc};
use task::Context;

/// Second argument of a process that only becomes another program, one that dies with its parent.
pub(crate) const EXEC_ARGUMENT: &str = "exec";

/// Exit status of a worker that has reported an error.
const REPORTED: u8 = 1;

/// Runs as a worker, if standard input is a supervisor's socket.
///
/// # Errors
/// [`SetupError`] if it is not, as when somebody types `dbbackup worker`.
pub fn run() -> Result<ExitCode, SetupError> {
    let mut arguments = std::env::args_os().skip(2);
    if arguments.next().is_some_and(|argument| argument == EXEC_ARGUMENT) {
        return Err(setup::become_guarded(arguments));
    }
    let setup = Setup::of_this_process()?;
    let Setup { socket, artefact } = setup;
    let (link, job) = Link::open(socket)?;
    log::install(Arc::clone(&link), job.log_level);
    let task = job.task.clone();
    let context = Context::new(Arc::clone(&link), job);
    let sent = match task::run(&context, task, artefact) {
        Ok(receipt) => send_receipt(&link, receipt).map(|()| ExitCode::SUCCESS),
        Err(error) => {
            let message = FromWorker::Error { report: context.report(&error) };
            link.send(&message).map(|()| ExitCode::from(REPORTED))
        }
    };
    // A supervisor that is gone hears nothing any more, and nothing is committed without it.
    Ok(sent.unwrap_or(ExitCode::from(REPORTED)))
}

/// Sends a receipt, the files of a backup in pieces before it.
fn send_receipt(link: &Link, mut receipt: Receipt) -> io::Result<()> {
    if let Receipt::Backup(backup) = &mut receipt {
        let files = mem::take(&mut backup.files);
        for piece in files.chunks(FILES_A_MESSAGE) {
            link.send(&FromWorker::Files { files: piece.to_vec() })?;
        }
    }
    link.send(&FromWorker::Receipt(Box::new(receipt)))
}
