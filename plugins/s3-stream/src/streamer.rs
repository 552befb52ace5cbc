//! The library face: a stream of bytes into one object, without a plugin or a host around it.
//!
//! ```no_run
//! use dbbackup_s3_stream::{CloudStreamer, S3Error, StreamerConfig};
//!
//! fn upload(mut source: impl std::io::Read) -> Result<String, Box<dyn std::error::Error>> {
//!     let config = StreamerConfig {
//!         region: Some("us-east-1".to_owned()),
//!         worker_count: 8,
//!         ..StreamerConfig::new("my-bucket", "backups/db.tar.gz")
//!     };
//!     let mut stream = CloudStreamer::new(config)?.start();
//!     std::io::copy(&mut source, &mut stream)?;
//!     Ok(stream.complete_blocking()?.location)
//! }
//! ```

use std::{
    fmt,
    io::{self, Write},
    mem,
    pin::Pin,
    sync::{Arc, mpsc},
    task::{Context, Poll},
};

use dbbackup_sdk::{runtime, shown};
use tokio::io::AsyncWrite;

use crate::{
    attend::GIVE_UP_DEADLINE,
    error::S3Error,
    location::Place,
    options::Options,
    schedule::{Plan, Schedule},
    store::Store,
    target::random_run,
    upload::{Canceller, Finished, ObjectUpload, UploadOrder},
};

/// Where a stream goes, and how. Credentials are those of the SDK's default chain.
#[derive(Clone, Debug)]
pub struct StreamerConfig {
    /// The bucket.
    pub bucket: String,
    /// Key of the object in the bucket.
    pub key: String,
    /// Region of the bucket; else that of the environment or profile.
    pub region: Option<String>,
    /// Smallest size of a part, bytes.
    pub part_size: u64,
    /// Parts that go up at the same time.
    pub worker_count: u16,
    /// Estimate of the length, bytes.
    pub expected_bytes: Option<u64>,
    /// True if an object that is there may be replaced.
    pub replace: bool,
    /// Everything else; what is said above counts more.
    pub options: Options,
}

impl StreamerConfig {
    /// A configuration with defaults for everything but the object.
    #[must_use]
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        let options = Options::default();
        Self {
            bucket: bucket.into(),
            key: key.into(),
            region: None,
            part_size: options.part_size_bytes(),
            worker_count: options.workers(),
            expected_bytes: None,
            replace: false,
            options,
        }
    }
}

/// A stream that has not begun. Nothing is connected yet.
#[derive(Debug)]
pub struct CloudStreamer {
    store: Arc<Store>,
    order: UploadOrder,
}

impl CloudStreamer {
    /// Checks the configuration and makes the client.
    ///
    /// # Errors
    /// [`S3Error::Option`], [`S3Error::Location`], [`S3Error::Key`], and what keeps the client from
    /// being made.
    pub fn new(config: StreamerConfig) -> Result<Self, S3Error> {
        let StreamerConfig { bucket, key, region, part_size, worker_count, .. } = config;
        let options = Options {
            region: region.or(config.options.region),
            part_size: Some(part_size),
            workers: Some(worker_count),
            ..config.options
        };
        options.check()?;
        let place = Place::parse(&format!("s3://{bucket}"))?;
        let order = UploadOrder {
            key: place.key_of(&key)?,
            run: random_run(),
            if_absent: !config.replace,
            workers: worker_count,
            schedule: Schedule::new(&Plan {
                part_size_bytes: part_size,
                max_parts: options.max_parts(),
                expected_bytes: config.expected_bytes,
                equal: options.equal_parts.unwrap_or(false),
            }),
        };
        // Not by `block_on`: this may be called from inside of a runtime, and takes no network.
        let (sender, opened) = mpsc::channel();
        drop(runtime::runtime()?.spawn(async move {
            let store = Store::open(&place, &options).await;
            // Nobody listens any more if the caller has panicked.
            drop(sender.send(store));
        }));
        let gone = |_| S3Error::Panicked { object: order.key.clone() };
        let store = opened.recv().map_err(gone)??;
        Ok(Self { store: Arc::new(store), order })
    }

    /// Begins: bytes may be written now.
    #[must_use]
    pub fn start(self) -> RunningStream {
        let upload = ObjectUpload::new(self.store, self.order);
        let canceller = upload.canceller();
        RunningStream { canceller, state: State::Idle(Box::new(upload)) }
    }
}

/// An object that was uploaded, as the store confirms it.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// `s3://bucket/key`.
    pub location: String,
    /// Its length.
    pub size_bytes: u64,
    /// CRC64NVME of the whole in base64, if the store confirms one.
    pub crc64nvme: Option<String>,
    /// What the store did not do although it was asked, a clause each.
    pub degraded: Vec<String>,
}

impl Uploaded {
    fn of(location: String, finished: Finished) -> Self {
        let Finished { size_bytes, crc64, degraded, .. } = finished;
        Self { location, size_bytes, crc64nvme: crc64, degraded }
    }
}

/// A stream into an object: [`Write`] outside of a runtime, [`AsyncWrite`] in any tokio runtime.
/// Dropped before it is complete, it removes what was stored; [`abort`](Self::abort) says whether it has.
pub struct RunningStream {
    canceller: Canceller,
    state: State,
}

/// Something that gives the upload back when it is done.
type Work = Pin<Box<dyn Future<Output = (Box<ObjectUpload>, Result<(), S3Error>)> + Send>>;

/// The removal of everything that was stored.
type GivingUp = Pin<Box<dyn Future<Output = Result<(), S3Error>> + Send>>;

enum State {
    /// Bytes can be taken as long as the part has room.
    Idle(Box<ObjectUpload>),
    /// A part is sent off and room for the next one is waited for.
    Busy(Work),
    /// Completed, or being so.
    Ended,
}

impl RunningStream {
    /// Makes the object visible and durable. Nothing is visible before, or after an error.
    ///
    /// # Errors
    /// The first error of the upload.
    pub async fn complete(mut self) -> Result<Uploaded, S3Error> {
        let mut upload = self.idle().await?;
        // On our runtime: the caller's may have no timer.
        let finishing = runtime::runtime()?.spawn(async move {
            let finished = finish(&mut upload).await;
            if finished.is_err() {
                give_up(&mut upload).await;
            }
            finished.map(|finished| Uploaded::of(upload.url(), finished))
        });
        finishing.await.map_err(|_| S3Error::Panicked { object: "the stream".to_owned() })?
    }

    /// The same for programs without a runtime.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub fn complete_blocking(self) -> Result<Uploaded, S3Error> {
        runtime::block_on(self.complete())?
    }

    /// Gives the upload up and removes what was stored of it; when this returns, nothing is left. Dropping
    /// the stream does the same, and inside of a runtime does not wait for it. Each request is tried again
    /// for 20 seconds. There is no run marker to remove: only backups of `dbbackup` have one.
    ///
    /// # Errors
    /// What keeps it from being removed, such as [`S3Error::GaveUp`]: parts may still take room.
    /// [`S3Error::Unanswered`] if the object may still appear, because the store was told to make it
    /// visible by a [`complete`](Self::complete) that was not answered.
    pub async fn abort(mut self) -> Result<(), S3Error> {
        let Some(giving_up) = self.giving_up() else { return Ok(()) };
        // On our runtime: the caller's may have no timer, and this goes on if nobody waits any more.
        let given_up = runtime::runtime()?.spawn(giving_up).await;
        given_up.map_err(|_| S3Error::Panicked { object: "the stream".to_owned() })?
    }

    /// The same for programs without a runtime.
    ///
    /// # Errors
    /// As for [`abort`](Self::abort).
    pub fn abort_blocking(self) -> Result<(), S3Error> {
        runtime::block_on(self.abort())?
    }

    /// What removes everything that was stored; none if the stream has ended. Whoever still sends a part
    /// stops at once.
    fn giving_up(&mut self) -> Option<GivingUp> {
        let giving_up: GivingUp = match mem::replace(&mut self.state, State::Ended) {
            State::Ended => return None,
            State::Idle(mut upload) => {
                Box::pin(async move { upload.abort(GIVE_UP_DEADLINE, None).await })
            }
            State::Busy(work) => Box::pin(async move {
                let (mut upload, _) = work.await;
                upload.abort(GIVE_UP_DEADLINE, None).await
            }),
        };
        self.canceller.cancel();
        Some(giving_up)
    }

    /// The upload, once it is not busy any more.
    async fn idle(&mut self) -> Result<Box<ObjectUpload>, S3Error> {
        match mem::replace(&mut self.state, State::Ended) {
            State::Idle(upload) => Ok(upload),
            State::Busy(work) => {
                let (upload, result) = work.await;
                if let Err(error) = result {
                    self.state = State::Idle(upload);
                    return Err(error);
                }
                Ok(upload)
            }
            State::Ended => Err(S3Error::Ended { object: "the stream".to_owned() }),
        }
    }

    /// Takes what has room; none if there is no room before something was sent off.
    fn take(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let State::Idle(upload) = &mut self.state else { return Ok(None) };
        upload.admit(bytes.len()).map_err(as_io)?;
        let taken = upload.fill(bytes);
        Ok((taken > 0 || bytes.is_empty()).then_some(taken))
    }

    /// Goes on with sending off the full part.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut work: Work = match mem::replace(&mut self.state, State::Ended) {
            State::Busy(work) => work,
            State::Idle(upload) => Box::pin(room(upload)),
            State::Ended => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        };
        match work.as_mut().poll(context) {
            Poll::Pending => {
                self.state = State::Busy(work);
                Poll::Pending
            }
            Poll::Ready((upload, result)) => {
                self.state = State::Idle(upload);
                Poll::Ready(result.map_err(as_io))
            }
        }
    }
}

/// Sends the full part off and waits for room for the next one.
async fn room(mut upload: Box<ObjectUpload>) -> (Box<ObjectUpload>, Result<(), S3Error>) {
    if upload.is_to_begin()
        && let Err(error) = begin(&mut upload).await
    {
        return (upload, Err(error));
    }
    let result = upload.make_room().await;
    (upload, result)
}

async fn begin(upload: &mut ObjectUpload) -> Result<(), S3Error> {
    upload.expect_absent().await.map_err(|error| upload.fail(error))?;
    upload.begin().await.map(drop)
}

async fn finish(upload: &mut ObjectUpload) -> Result<Finished, S3Error> {
    if upload.id().is_none() {
        // It goes up in one step, and nobody has looked yet.
        upload.expect_absent().await.map_err(|error| upload.fail(error))?;
    }
    upload.finish().await
}

async fn give_up(upload: &mut ObjectUpload) {
    if let Err(error) = upload.abort(GIVE_UP_DEADLINE, None).await {
        tracing::warn!(object = upload.url(), error = %shown(&error), "parts of an upload are left");
    }
}

fn as_io(error: S3Error) -> io::Error {
    io::Error::other(error)
}

impl Write for RunningStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if let Some(taken) = self.take(bytes)? {
                return Ok(taken);
            }
            runtime::block_on(std::future::poll_fn(|context| self.poll_room(context)))
                .map_err(io::Error::other)??;
        }
    }

    /// What was written goes up by itself, and is durable when the stream is complete.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncWrite for RunningStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(taken) = self.take(bytes)? {
                return Poll::Ready(Ok(taken));
            }
            std::task::ready!(self.poll_room(context))?;
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does not complete the object: a source that broke off must not look like one that ended.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for RunningStream {
    fn drop(&mut self) {
        let Some(giving_up) = self.giving_up() else { return };
        let warned = async {
            if let Err(error) = giving_up.await {
                tracing::warn!(error = %shown(&error), "parts of an upload are left");
            }
        };
        // Inside of a runtime nobody may block: then it happens while the program goes on.
        let is_inside = tokio::runtime::Handle::try_current().is_ok();
        match runtime::runtime() {
            Ok(runtime) if is_inside => drop(runtime.spawn(warned)),
            Ok(runtime) => runtime.block_on(warned),
            Err(error) => {
                tracing::warn!(error = %shown(&error), "parts of an upload may be left");
            }
        }
    }
}

impl fmt::Debug for RunningStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunningStream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_checked_before_anything_is_connected() {
        let refused = |config: StreamerConfig| CloudStreamer::new(config).unwrap_err().to_string();
        assert!(refused(StreamerConfig::new("", "key")).contains("no bucket"));
        assert!(refused(StreamerConfig::new("bucket", "")).contains("empty"));
        let small = StreamerConfig { part_size: 1, ..StreamerConfig::new("bucket", "key") };
        assert!(refused(small).contains("part_size"));
    }

    #[test]
    fn a_stream_that_nothing_was_written_to_is_dropped_in_peace() {
        drop(CloudStreamer::new(StreamerConfig::new("bucket", "key")).unwrap().start());
    }

    #[test]
    fn a_stream_that_nothing_was_written_to_is_aborted_with_nothing_to_remove() {
        let stream = || CloudStreamer::new(StreamerConfig::new("bucket", "key")).unwrap().start();
        stream().abort_blocking().unwrap();
        // From inside of a runtime that has no timer, too.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stream().abort()).unwrap();
    }
}
