//! The thread that writes and syncs the files that engines push, while the next bytes come.
use super::super::{
    aligned::AlignedBlock,
    cancel::{Latch, lock},
    error::PipelineError,
    progress::Progress,
    uncached::UncachedFile,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

/// Jobs that wait: blocks in memory, and files that are open.
const WAITING_JOBS: usize = 8;
/// Files below this size go through the page cache.
const LEAST_DIRECT_BYTES: u64 = 1 << 20;

/// A file of the directory.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: UncachedFile,
    path: PathBuf,
}

/// What a finished file gets.
#[derive(Debug)]
pub(super) struct Dress {
    pub(super) size_bytes: u64,
    pub(super) mode: Option<u32>,
    pub(super) modified_unix: Option<u64>,
}

enum Job {
    Write { file: Arc<DiskFile>, block: AlignedBlock, offset: u64 },
    Finish { file: Arc<DiskFile>, dress: Dress },
}

/// The thread; its first failure is that of the run.
pub(super) struct Disk {
    latch: Arc<Latch>,
    blocks: Arc<Mutex<Vec<AlignedBlock>>>,
    running: Mutex<Option<Running>>,
}

struct Running {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Disk {
    pub(super) fn start(latch: Arc<Latch>, progress: Arc<Progress>) -> Result<Self, PipelineError> {
        let (jobs, queue) = bounded(WAITING_JOBS);
        let blocks = Arc::<Mutex<Vec<AlignedBlock>>>::default();
        let (inner, pool) = (latch.clone(), blocks.clone());
        let spawned = thread::Builder::new()
            .name("pipeline-disk".to_owned())
            .spawn(move || work(&inner, &progress, &queue, &pool));
        let thread = spawned.map_err(|source| {
            let name = "disk".to_owned();
            latch.fail(PipelineError::Thread { name, source: Arc::new(source) })
        })?;
        Ok(Self { latch, blocks, running: Mutex::new(Some(Running { jobs, thread })) })
    }

    /// An empty block; how many are in use is bounded by the queue and the open files.
    pub(super) fn block(&self) -> AlignedBlock {
        lock(&self.blocks).pop().unwrap_or_else(AlignedBlock::new)
    }

    /// Has a block written; waits while too many are ahead of it.
    pub(super) fn write(
        &self,
        file: &Arc<DiskFile>,
        block: AlignedBlock,
        offset: u64,
    ) -> Result<(), PipelineError> {
        self.send(Job::Write { file: file.clone(), block, offset })
    }

    /// Has a file made durable that nobody writes to any more.
    pub(super) fn finish_file(
        &self,
        file: Arc<DiskFile>,
        dress: Dress,
    ) -> Result<(), PipelineError> {
        self.send(Job::Finish { file, dress })
    }

    /// Answers once every file is durable.
    pub(super) fn finish(&self) -> Result<(), PipelineError> {
        let Some(Running { jobs, thread }) = lock(&self.running).take() else {
            return Err(PipelineError::Aborted);
        };
        drop(jobs);
        if thread.join().is_err() {
            return Err(self.latch.fail(PipelineError::StageDied));
        }
        self.latch.check()
    }

    fn send(&self, job: Job) -> Result<(), PipelineError> {
        let jobs = lock(&self.running).as_ref().map(|running| running.jobs.clone());
        self.latch.send(&jobs.ok_or(PipelineError::Aborted)?, job)
    }
}

impl Drop for Disk {
    /// The run has failed if the thread still runs: it ends within one job.
    fn drop(&mut self) {
        if let Some(Running { jobs, thread }) = lock(&self.running).take() {
            drop(jobs);
            // A panic was reported by the panic hook, and the run is lost anyway.
            drop(thread.join());
        }
    }
}

/// The thread. After a failure elsewhere the files are worthless, and the queue ends.
fn work(
    latch: &Latch,
    progress: &Progress,
    queue: &Receiver<Job>,
    blocks: &Mutex<Vec<AlignedBlock>>,
) {
    while let Ok(Some(job)) = latch.recv(queue) {
        let (file, done) = match job {
            Job::Write { file, mut block, offset } => {
                let done = progress.on_target(|| file.write(block.bytes(), offset));
                block.clear();
                lock(blocks).push(block);
                (file, done)
            }
            Job::Finish { file, dress } => {
                let done = progress.on_target(|| file.finish(&dress));
                (file, done)
            }
        };
        if let Err(source) = done {
            let path = file.path.clone();
            latch.fail(PipelineError::WriteFile { path, source: Arc::new(source) });
        }
    }
}

impl DiskFile {
    /// Creates a file that is written through the page cache.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = UncachedFile::cached(File::create_new(path)?);
        Ok(Self { file, path: path.to_owned() })
    }

    /// Creates a file that is written in whole blocks, and past the page cache if it is large; one
    /// without a size may become so.
    pub(super) fn create_for_blocks(path: &Path, size_bytes: Option<u64>) -> io::Result<Self> {
        if size_bytes.is_some_and(|size| size < LEAST_DIRECT_BYTES) {
            return Self::create(path);
        }
        let file = UncachedFile::new(File::create_new(path)?)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes bytes.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write(bytes, offset)
    }

    /// Gives the file its mode, time and length, and makes it durable. The owner stays that of the
    /// running user: the manifest has the original one for the restore.
    fn finish(&self, dress: &Dress) -> io::Result<()> {
        let file = self.file.file();
        if let Some(mode) = dress.mode {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        if file.metadata()?.len() != dress.size_bytes {
            file.set_len(dress.size_bytes)?;
        }
        if let Some(seconds) = dress.modified_unix {
            let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
            file.set_modified(time.ok_or(io::ErrorKind::InvalidInput)?)?;
        }
        self.file.finish(dress.size_bytes)
    }
}
