//! Serving a target to the supervisor.
use super::Context;
use crate::{
    remote,
    supervisor::{
        job::{Receipt, TargetTask},
        message::FromWorker,
    },
    worker::{error::WorkerError, link::Link},
};
use std::{
    fs::File,
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Time between two signs of life while the supervisor wants nothing.
const IDLE_SIGN: Duration = Duration::from_secs(5);

/// Serves until the supervisor has no more requests. A place that cannot be opened is answered as the
/// job's error.
pub(super) fn serve(
    context: &Context,
    task: &TargetTask,
    socket: File,
) -> Result<Receipt, WorkerError> {
    let target = context.open_target(&task.place)?;
    let waiting = Arc::new(AtomicBool::new(true));
    let (ended, end) = crossbeam_channel::bounded::<()>(0);
    let (link, idle) = (Arc::clone(&context.link), Arc::clone(&waiting));
    let signs = thread::Builder::new()
        .name("idle".to_owned())
        .spawn(move || give_signs(&link, &idle, &end))
        .map_err(|source| WorkerError::Thread { source })?;
    let served = remote::serve(&target, UnixStream::from(OwnedFd::from(socket)), &waiting);
    drop(ended);
    if signs.join().is_err() {
        tracing::warn!("the thread that gives signs of life panicked");
    }
    served.map_err(|source| WorkerError::Output { source })?;
    Ok(Receipt::Target)
}

/// Says that the worker lives while the supervisor wants nothing; in between the engine has to.
fn give_signs(link: &Link, idle: &AtomicBool, end: &crossbeam_channel::Receiver<()>) {
    while end.recv_timeout(IDLE_SIGN).is_err_and(|error| error.is_timeout()) {
        if idle.load(Ordering::Relaxed) {
            link.tell(&FromWorker::Heartbeat);
        }
    }
}
