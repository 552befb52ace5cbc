//! The artefact's way out of the worker, watched: for how long has the target taken no bytes?
use crate::{
    pipeline::{BlockFile, ChunkWriter, Progress},
    supervisor::{event::FlowEvent, message::FromWorker},
    worker::link::Link,
};
use dbbackup_plugin_api::chunk::Chunk;
use rustix::fs::{FileType, fstat};
use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

/// Time between two reports of what has flowed.
const FLOW_INTERVAL: Duration = Duration::from_millis(500);
/// Largest single write, so that a full target is told from a slow one.
const WRITE_BYTES: usize = 1 << 20;

/// The artefact's own file.
pub(super) struct WatchedBlocks {
    file: BlockFile,
    progress: Arc<Progress>,
}

impl WatchedBlocks {
    pub(super) fn new(file: BlockFile, progress: Arc<Progress>) -> Self {
        Self { file, progress }
    }
}

impl ChunkWriter for WatchedBlocks {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        let (file, progress) = (&mut self.file, &self.progress);
        chunk.chunks(WRITE_BYTES).try_for_each(|piece| progress.on_target(|| file.append(piece)))
    }

    fn finish(&mut self) -> io::Result<()> {
        let (file, progress) = (&mut self.file, &self.progress);
        progress.on_target(|| file.finish())
    }
}

/// A pipe, or a file that others may write to as well.
pub(super) struct WatchedFile {
    file: File,
    progress: Arc<Progress>,
}

impl WatchedFile {
    pub(super) fn new(file: File, progress: Arc<Progress>) -> Self {
        Self { file, progress }
    }
}

impl ChunkWriter for WatchedFile {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        let (file, progress) = (&mut self.file, &self.progress);
        chunk.chunks(WRITE_BYTES).try_for_each(|piece| progress.on_target(|| file.write_all(piece)))
    }

    fn finish(&mut self) -> io::Result<()> {
        let facts = fstat(&self.file)?;
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::RegularFile => self.progress.on_target(|| self.file.sync_all()),
            _ => Ok(()),
        }
    }
}

/// Reports flow until it is dropped.
pub(super) struct FlowReporter {
    thread: Option<JoinHandle<()>>,
    stop: Option<crossbeam_channel::Sender<()>>,
}

impl FlowReporter {
    pub(super) fn start(link: Arc<Link>, progress: Arc<Progress>) -> io::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let thread = thread::Builder::new().name("flow".to_owned()).spawn(move || {
            let timed_out = Err(crossbeam_channel::RecvTimeoutError::Timeout);
            while stopped.recv_timeout(FLOW_INTERVAL) == timed_out {
                link.tell(&FromWorker::Flow(flow(&progress)));
            }
            link.tell(&FromWorker::Flow(flow(&progress)));
        })?;
        Ok(Self { thread: Some(thread), stop: Some(stop) })
    }
}

impl Drop for FlowReporter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the reporter of progress panicked");
        }
    }
}

fn flow(progress: &Progress) -> FlowEvent {
    let blocked = progress.target_blocked().filter(|time| *time >= FLOW_INTERVAL);
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    FlowEvent {
        bytes_in: progress.content_bytes(),
        bytes_out: progress.output_bytes(),
        target_blocked_ms: blocked.map(milliseconds),
        target_steps: progress.target_steps(),
        engine_waits_for_us: progress.engine_is_waiting(),
    }
}
