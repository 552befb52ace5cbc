//! The threads of an archive pipeline and the queues between them.
//!
//! ```text
//! assembler -> workers (read local files, compress) -> digest (in order) -> output (in order)
//! ```
//! A block's place in the order is fixed when it is submitted: the digest stage holds a queue of
//! promises, one a block, and takes each as it is kept.
use super::{
    block::{Block, BufferPool, PooledBytes},
    cancel::Latch,
    compress::{Compressor, end_mark},
    digest::DigestStage,
    encoding::Encoding,
    error::PipelineError,
    local,
    output::{OutputDigest, OutputStage},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{sync::Arc, thread::JoinHandle};

/// Blocks that wait for the output thread.
const OUTPUT_QUEUE: usize = 4;

/// A block after compression; without packed bytes it is stored as it is.
struct Packed {
    block: Block,
    packed: Option<Vec<u8>>,
}

type Promise = Receiver<Packed>;

/// What an ordered queue carries. Only `End` says that all is there: a queue that closes without it
/// belongs to a run that failed, aborted or panicked.
enum Step<T> {
    Next(T),
    End,
}

struct Job {
    block: Block,
    done: Sender<Packed>,
}

/// What all threads of a pipeline share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) latch: Arc<Latch>,
    pub(super) pool: Arc<BufferPool>,
    pub(super) encoding: Encoding,
}

/// The running threads, and the way into them.
pub(super) struct Stages {
    shared: Shared,
    jobs: Sender<Job>,
    promises: Sender<Step<Promise>>,
    threads: Vec<JoinHandle<()>>,
    result: Receiver<Vec<OutputDigest>>,
}

impl Stages {
    /// Starts `workers` compressing threads, the digest thread and the output thread.
    pub(super) fn start(
        shared: Shared,
        workers: usize,
        digest: DigestStage,
        output: Box<dyn FnOnce() -> Result<OutputStage, PipelineError> + Send>,
    ) -> Result<Self, PipelineError> {
        // Every worker has one block at hand, and a few find the next one waiting: what is in flight
        // decides how much memory a backup takes.
        let in_flight = workers + workers / 4 + 2;
        let (jobs, job_queue) = bounded(in_flight);
        let (promises, promise_queue) = bounded(in_flight);
        let (to_output, output_queue) = bounded(OUTPUT_QUEUE);
        let (answer, result) = bounded(1);
        let mut stages = Self { shared, jobs, promises, threads: Vec::new(), result };
        for number in 0..workers {
            let queue = job_queue.clone();
            stages.spawn(format!("compress-{number}"), move |shared| work(shared, &queue))?;
        }
        stages.spawn("digest".to_owned(), move |shared| {
            follow(shared, digest, &promise_queue, &to_output)
        })?;
        stages.spawn("output".to_owned(), move |shared| {
            let output = output().map_err(|error| shared.latch.fail(error))?;
            let digest = write_out(shared, output, &output_queue)?;
            // The receiver is gone only if the pipeline was aborted.
            drop(answer.send(digest));
            Ok(())
        })?;
        Ok(stages)
    }

    /// Gives a block its place in the output, as soon as there is room.
    pub(super) fn submit(&self, block: Block) -> Result<(), PipelineError> {
        let (done, promise) = bounded(1);
        self.shared.latch.send(&self.promises, Step::Next(promise))?;
        self.shared.latch.send(&self.jobs, Job { block, done })
    }

    /// Lets the threads run dry and waits for the target to be durable.
    pub(super) fn finish(self) -> Result<Vec<OutputDigest>, PipelineError> {
        let Self { shared, jobs, promises, threads, result } = self;
        let ended = shared.latch.send(&promises, Step::End);
        drop((jobs, promises));
        let digest = ended.and_then(|()| shared.latch.recv(&result));
        for thread in threads {
            if thread.join().is_err() {
                shared.latch.fail(PipelineError::StageDied);
            }
        }
        // Only now have all threads had their chance to report.
        shared.latch.check_failure()?;
        digest?.ok_or_else(|| shared.latch.fail(PipelineError::StageDied))
    }

    /// Ends all threads; whatever was written is worthless.
    pub(super) fn abort(self) {
        let Self { shared, jobs, promises, threads, result } = self;
        shared.latch.fail(PipelineError::Aborted);
        drop((jobs, promises, result));
        for thread in threads {
            // A panic was reported by the panic hook, and the run is lost anyway.
            drop(thread.join());
        }
    }

    fn spawn(
        &mut self,
        name: String,
        stage: impl FnOnce(&Shared) -> Result<(), PipelineError> + Send + 'static,
    ) -> Result<(), PipelineError> {
        let shared = self.shared.clone();
        let thread =
            std::thread::Builder::new().name(format!("pipeline-{name}")).spawn(move || {
                if let Err(error) = stage(&shared) {
                    shared.latch.fail(error);
                }
            });
        match thread {
            Ok(thread) => {
                self.threads.push(thread);
                Ok(())
            }
            Err(source) => {
                let source = Arc::new(source);
                Err(self.shared.latch.fail(PipelineError::Thread { name, source }))
            }
        }
    }
}

/// A worker: reads what is missing of a block, compresses it, and keeps its promise.
fn work(shared: &Shared, jobs: &Receiver<Job>) -> Result<(), PipelineError> {
    let mut compressor = Compressor::new(shared.encoding)
        .map_err(|source| PipelineError::Compress { block_bytes: 0, source: Arc::new(source) })?;
    while let Some(Job { mut block, done }) = shared.latch.recv(jobs)? {
        // Latched before the promise is dropped, or its breach would be found first.
        read_files(&mut block).map_err(|error| shared.latch.fail(error))?;
        let mut packed = shared.pool.packed();
        let is_packed = compressor.compress(block.bytes(), &mut packed).map_err(|source| {
            let (block_bytes, source) = (block.len(), Arc::new(source));
            shared.latch.fail(PipelineError::Compress { block_bytes, source })
        })?;
        let packed = is_packed.then_some(packed);
        // Nobody waits any more only if the run has failed, which the next look finds.
        drop(done.send(Packed { block, packed }));
    }
    Ok(())
}

fn read_files(block: &mut Block) -> Result<(), PipelineError> {
    for (range, place) in block.unread() {
        local::read(&range.source, range.offset, place)?;
    }
    Ok(())
}

/// The digest thread: takes blocks in their order.
fn follow(
    shared: &Shared,
    mut digest: DigestStage,
    promises: &Receiver<Step<Promise>>,
    output: &Sender<Step<PooledBytes>>,
) -> Result<(), PipelineError> {
    while let Step::Next(promise) = next(shared, promises)? {
        let kept = shared.latch.recv(&promise)?;
        let Packed { mut block, packed } = kept.ok_or_else(|| broken(shared))?;
        let len = packed.as_ref().map_or(block.len(), Vec::len);
        digest.take(&mut block, len as u64);
        let pool = shared.pool.clone();
        let bytes = match packed {
            None => PooledBytes::raw(block, pool),
            Some(packed) => {
                shared.pool.recycle(block);
                PooledBytes::packed(packed, pool)
            }
        };
        shared.latch.send(output, Step::Next(bytes))?;
    }
    let mark = PooledBytes::packed(end_mark(shared.encoding.compression()), shared.pool.clone());
    shared.latch.send(output, Step::Next(mark))?;
    shared.latch.send(output, Step::End)
}

/// The output thread: writes blocks in their order.
fn write_out(
    shared: &Shared,
    mut output: OutputStage,
    queue: &Receiver<Step<PooledBytes>>,
) -> Result<Vec<OutputDigest>, PipelineError> {
    while let Step::Next(bytes) = next(shared, queue)? {
        // Latched before the queue is dropped, or its loss would be found first.
        output.write(bytes).map_err(|error| shared.latch.fail(error))?;
    }
    output.finish()
}

fn next<T>(shared: &Shared, queue: &Receiver<Step<T>>) -> Result<Step<T>, PipelineError> {
    shared.latch.recv(queue)?.ok_or_else(|| broken(shared))
}

/// The error behind a broken promise or queue: the latched one, or else a panic.
fn broken(shared: &Shared) -> PipelineError {
    shared.latch.fail(PipelineError::StageDied)
}
