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
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Time between two reports of what has flowed.
const FLOW_INTERVAL: Duration = Duration::from_millis(500);
/// Largest single write, so that a full target is told from a slow one.
const WRITE_BYTES: usize = 1 << 20;

/// Since when a write is in progress: milliseconds from the start of the watch, plus one; 0 if none.
#[derive(Debug)]
pub(super) struct BlockWatch {
    started: Instant,
    since: AtomicU64,
}

impl BlockWatch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), since: AtomicU64::new(0) })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    pub(super) fn during<T>(&self, write: impl FnOnce() -> T) -> T {
        self.since.store(self.now(), Ordering::Relaxed);
        let done = write();
        self.since.store(0, Ordering::Relaxed);
        done
    }

    /// For how long the write in progress has lasted, if one has lasted for a while.
    fn blocked_ms(&self) -> Option<u64> {
        let since = self.since.load(Ordering::Relaxed);
        let lasted = self.now().saturating_sub(since);
        let interval = u64::try_from(FLOW_INTERVAL.as_millis()).unwrap_or(u64::MAX);
        (since != 0 && lasted >= interval).then_some(lasted)
    }
}

/// The artefact's own file.
pub(super) struct WatchedBlocks {
    file: BlockFile,
    watch: Arc<BlockWatch>,
}

impl WatchedBlocks {
    pub(super) fn new(file: BlockFile, watch: Arc<BlockWatch>) -> Self {
        Self { file, watch }
    }
}

impl ChunkWriter for WatchedBlocks {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        let (file, watch) = (&mut self.file, &self.watch);
        chunk.chunks(WRITE_BYTES).try_for_each(|piece| watch.during(|| file.append(piece)))
    }

    fn finish(&mut self) -> io::Result<()> {
        let (file, watch) = (&mut self.file, &self.watch);
        watch.during(|| file.finish())
    }
}

/// A pipe, or a file that others may write to as well.
pub(super) struct WatchedFile {
    file: File,
    watch: Arc<BlockWatch>,
}

impl WatchedFile {
    pub(super) fn new(file: File, watch: Arc<BlockWatch>) -> Self {
        Self { file, watch }
    }
}

impl ChunkWriter for WatchedFile {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        let (file, watch) = (&mut self.file, &self.watch);
        chunk.chunks(WRITE_BYTES).try_for_each(|piece| watch.during(|| file.write_all(piece)))
    }

    fn finish(&mut self) -> io::Result<()> {
        let facts = fstat(&self.file)?;
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::RegularFile => self.watch.during(|| self.file.sync_all()),
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
    pub(super) fn start(
        link: Arc<Link>,
        progress: Arc<Progress>,
        watch: Arc<BlockWatch>,
    ) -> io::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let thread = thread::Builder::new().name("flow".to_owned()).spawn(move || {
            let timed_out = Err(crossbeam_channel::RecvTimeoutError::Timeout);
            while stopped.recv_timeout(FLOW_INTERVAL) == timed_out {
                link.tell(&FromWorker::Flow(flow(&progress, &watch)));
            }
            link.tell(&FromWorker::Flow(flow(&progress, &watch)));
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

fn flow(progress: &Progress, watch: &BlockWatch) -> FlowEvent {
    FlowEvent {
        bytes_in: progress.content_bytes(),
        bytes_out: progress.output_bytes(),
        target_blocked_ms: watch.blocked_ms(),
        engine_waits_for_us: progress.engine_is_waiting(),
    }
}
