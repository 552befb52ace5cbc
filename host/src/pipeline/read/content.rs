//! The decompressed content of an artefact, in order, made by all cores.
//!
//! ```text
//! splitter (reads, decrypts, cuts) -> workers (decompress) -> reader (in order)
//! ```
//! Errors come in the same order as content: everything before the damage is delivered.
use super::{
    ReadError,
    decompress::Decompressor,
    split::{Piece, Splitter},
};
use crate::pipeline::{
    cancel::{CancelFlag, lock},
    encoding::Compression,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::{
    io::Read,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

/// Longest time between two looks at the cancellation.
const POLL: Duration = Duration::from_millis(20);

type Answer = Result<Vec<u8>, ReadError>;
type Buffers = Arc<Mutex<Vec<Vec<u8>>>>;

/// What the splitter announces, in order.
enum Ordered {
    /// A block that a worker decompresses.
    Promised(Receiver<Answer>),
    /// Content as it is.
    Ready(Vec<u8>),
    /// The content is complete and the artefact as a whole good.
    End,
    /// Nothing more can be read.
    Failed(ReadError),
}

struct Job {
    packed: Vec<u8>,
    offset: u64,
    content_bytes: usize,
    done: Sender<Answer>,
}

/// What a reader is made for.
pub(super) struct ContentSpec {
    pub(super) name: String,
    pub(super) compression: Compression,
    pub(super) threads: usize,
    pub(super) cancel: CancelFlag,
    /// Where the input starts in the artefact.
    pub(super) offset: u64,
    /// Content that is wanted; all of it if none.
    pub(super) limit_bytes: Option<u64>,
}

/// Reads content in order.
pub(super) struct ContentReader {
    name: String,
    cancel: CancelFlag,
    ordered: Option<Receiver<Ordered>>,
    threads: Vec<JoinHandle<()>>,
    spare: Buffers,
    block: Vec<u8>,
    at: usize,
    position: u64,
    trailing_zeros: u64,
    /// The end or the error that everything after it answers.
    ended: Option<Result<(), ReadError>>,
}

impl ContentReader {
    /// Starts the threads; `finish` is called at the end of the input and says whether it is good.
    pub(super) fn start<R: Read + Send + 'static>(
        spec: ContentSpec,
        input: R,
        finish: impl FnOnce() -> Result<(), ReadError> + Send + 'static,
    ) -> Result<Self, ReadError> {
        let in_flight = spec.threads + spec.threads / 4 + 2;
        let (jobs, queue) = bounded::<Job>(in_flight);
        let (announce, ordered) = bounded(in_flight);
        let spare = Buffers::default();
        let mut reader = Self {
            name: spec.name.clone(),
            cancel: spec.cancel.clone(),
            ordered: Some(ordered),
            threads: Vec::new(),
            spare: spare.clone(),
            block: Vec::new(),
            at: 0,
            position: 0,
            trailing_zeros: 0,
            ended: None,
        };
        if spec.compression != Compression::None {
            for number in 0..spec.threads {
                let (queue, spare, name) = (queue.clone(), spare.clone(), spec.name.clone());
                let compression = spec.compression;
                reader.spawn(format!("decompress-{number}"), move || {
                    decompress(&name, compression, &queue, &spare);
                })?;
            }
        }
        let splitter = Splitter::new(spec.name.clone(), spec.compression, input, spec.offset);
        let announcer = Announcer { jobs, announce, spare, limit_bytes: spec.limit_bytes };
        reader.spawn("split".to_owned(), move || announcer.run(splitter, finish))?;
        Ok(reader)
    }

    /// Bytes that are at hand, at least one; none at the end of the content.
    pub(super) fn chunk(&mut self) -> Result<&[u8], ReadError> {
        while self.at == self.block.len() {
            match &self.ended {
                Some(Ok(())) => return Ok(&[]),
                Some(Err(error)) => return Err(error.clone()),
                None => {}
            }
            match self.next_block() {
                Ok(Some(block)) => self.take_block(block),
                Ok(None) => self.ended = Some(Ok(())),
                Err(error) => self.ended = Some(Err(error)),
            }
        }
        Ok(self.block.get(self.at..).unwrap_or_default())
    }

    /// Copies content into the front of `buffer`, and answers how much; 0 only at the end.
    pub(super) fn copy_chunk(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let chunk = self.chunk()?;
        let taken = chunk.len().min(buffer.len());
        if let (Some(place), Some(bytes)) = (buffer.get_mut(..taken), chunk.get(..taken)) {
            place.copy_from_slice(bytes);
        }
        self.consume(taken);
        Ok(taken)
    }

    /// Marks `bytes` of the chunk as read.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.at = self.block.len().min(self.at + bytes);
        self.position += bytes as u64;
    }

    /// Passes over `bytes` of content, as far as there are any.
    pub(super) fn skip(&mut self, bytes: u64) -> Result<(), ReadError> {
        let mut left = bytes;
        while left > 0 {
            let chunk = self.chunk()?;
            let now = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if now == 0 {
                break;
            }
            self.consume(now);
            left -= now as u64;
        }
        Ok(())
    }

    /// Content bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Zeros at the end of the content that has come from the threads so far.
    pub(super) fn trailing_zeros(&self) -> u64 {
        self.trailing_zeros
    }

    /// Name for errors.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn take_block(&mut self, block: Vec<u8>) {
        self.trailing_zeros = match block.iter().rposition(|byte| *byte != 0) {
            Some(last) => (block.len() - 1 - last) as u64,
            None => self.trailing_zeros + block.len() as u64,
        };
        let used = std::mem::replace(&mut self.block, block);
        lock(&self.spare).push(used);
        self.at = 0;
    }

    fn next_block(&self) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(ordered) = &self.ordered else { return Ok(None) };
        match self.wait(ordered)? {
            Ordered::Promised(promise) => self.wait(&promise)?.map(Some),
            Ordered::Ready(block) => Ok(Some(block)),
            Ordered::End => Ok(None),
            Ordered::Failed(error) => Err(error),
        }
    }

    fn wait<T>(&self, queue: &Receiver<T>) -> Result<T, ReadError> {
        loop {
            if self.cancel.is_cancelled() {
                return Err(ReadError::Cancelled);
            }
            match queue.recv_timeout(POLL) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ReadError::Thread { name: self.name.clone() });
                }
            }
        }
    }

    fn spawn(
        &mut self,
        name: String,
        stage: impl FnOnce() + Send + 'static,
    ) -> Result<(), ReadError> {
        let thread = std::thread::Builder::new().name(format!("reader-{name}")).spawn(stage);
        let thread = thread.map_err(|_| ReadError::Thread { name: self.name.clone() })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for ContentReader {
    fn drop(&mut self) {
        // Without a receiver the splitter ends, and without a splitter the workers end.
        self.ordered = None;
        for thread in self.threads.drain(..) {
            // A panic was reported by the panic hook; nothing is read from it any more.
            drop(thread.join());
        }
    }
}

/// The splitter's side of the queues.
struct Announcer {
    jobs: Sender<Job>,
    announce: Sender<Ordered>,
    spare: Buffers,
    limit_bytes: Option<u64>,
}

/// The reader is gone; there is no one to read for.
struct ReaderGone;

impl Announcer {
    fn run<R: Read + Send + 'static>(
        self,
        mut splitter: Splitter<R>,
        finish: impl FnOnce() -> Result<(), ReadError>,
    ) {
        let mut announced = 0;
        let last = loop {
            if self.limit_bytes.is_some_and(|limit| announced >= limit) {
                break Ordered::End;
            }
            let mut buffer = lock(&self.spare).pop().unwrap_or_default();
            let sent = match splitter.next(&mut buffer) {
                Ok(Piece::Packed { offset, content_bytes }) => {
                    announced += content_bytes as u64;
                    self.promise(buffer, offset, content_bytes)
                }
                Ok(Piece::Plain) => {
                    announced += buffer.len() as u64;
                    self.announce.send(Ordered::Ready(buffer)).map_err(|_| ReaderGone)
                }
                Ok(Piece::End) => break finish().map_or_else(Ordered::Failed, |()| Ordered::End),
                Err(error) => break Ordered::Failed(error),
            };
            if let Err(ReaderGone) = sent {
                return;
            }
        };
        // Nobody may be left to hear how it ended.
        drop(self.announce.send(last));
    }

    fn promise(
        &self,
        packed: Vec<u8>,
        offset: u64,
        content_bytes: usize,
    ) -> Result<(), ReaderGone> {
        let (done, promise) = bounded(1);
        self.announce.send(Ordered::Promised(promise)).map_err(|_| ReaderGone)?;
        self.jobs.send(Job { packed, offset, content_bytes, done }).map_err(|_| ReaderGone)
    }
}

/// A worker: decompresses whole blocks.
fn decompress(name: &str, compression: Compression, jobs: &Receiver<Job>, spare: &Buffers) {
    // Without a decompressor all promises are dropped, which the reader reports.
    let Ok(mut decompressor) = Decompressor::new(compression) else { return };
    for Job { packed, offset, content_bytes, done } in jobs {
        let mut content = lock(spare).pop().unwrap_or_default();
        content.resize(content_bytes, 0);
        let answer = match decompressor.decompress(&packed, &mut content) {
            Ok(()) => Ok(content),
            Err(source) => Err(ReadError::Damaged { name: name.to_owned(), offset, source }),
        };
        lock(spare).push(packed);
        // Nobody waits any more only if the reader is gone.
        drop(done.send(answer));
    }
}
