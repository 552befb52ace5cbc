//! A store that forgets: it answers uploads as fast as it can read them, and keeps sizes alone.
//!
//! It measures what a client costs. It checks no signature, no checksum and no order of parts, so
//! that it proves nothing about a client.
mod answer;
mod objects;

use super::access::S3Access;
use super::http::{Framing, Head, read_head};
use super::request::{S3Operation, Target};
use super::server::S3_BUCKET;
use anyhow::{Context, Result, anyhow};
use objects::Objects;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What is read of a body at once: large enough that system calls do not count.
const BUFFER_BYTES: usize = 256 * 1024;
/// Objects up to this size are kept whole and can be read: manifests and the like.
const KEPT_BYTES: u64 = 1024 * 1024;

/// What the connections of a sink share.
#[derive(Debug, Default)]
struct Shared {
    objects: Mutex<Objects>,
    received: AtomicU64,
}

/// A sink on 127.0.0.1 with a thread of its own. It takes any bucket and any key. Dropping it ends
/// every connection.
#[derive(Debug)]
pub struct S3Sink {
    shared: Arc<Shared>,
    port: u16,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Sink {
    /// Starts a sink.
    ///
    /// # Errors
    /// No port is free.
    pub fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("open the S3 sink")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let (end, ended) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("s3-sink".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(&listener, &serving) => {}
                        // Told to end, or its owner is gone: both end it.
                        _ = ended => {}
                    }
                });
            })
            .map_err(|error| anyhow!("start the thread of the S3 sink: {error}"))?;
        Ok(Self { shared, port, end: Some(end), thread: Some(thread) })
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL that clients connect to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A bucket of the sink, with keys that it does not look at.
    pub fn access(&self) -> S3Access {
        S3Access {
            endpoint: self.endpoint(),
            bucket: S3_BUCKET.to_owned(),
            access_key: "sink".to_owned(),
            secret_key: "sink".to_owned(),
            ca: None,
        }
    }

    /// Bytes of bodies that have arrived so far.
    pub fn received_bytes(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// The size of an object, if it has been put or completed.
    pub fn object_bytes(&self, bucket: &str, key: &str) -> Option<u64> {
        let objects = self.shared.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.size(&format!("{bucket}/{key}"))
    }
}

impl Drop for S3Sink {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by itself.
            drop(thread.join());
        }
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let shared = Arc::clone(shared);
                // A client that breaks off is its own business.
                tokio::spawn(async move { drop(serve(client, &shared).await) });
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Serves a client until it ends its connection.
async fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(head) = read_head(&mut reader).await? {
        let target = Target::of(&head);
        if head.header("expect").is_some() {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let length = match head.request_framing()? {
            Framing::Empty => 0,
            Framing::Length(length) => length,
            Framing::Chunked | Framing::UntilEnd => {
                return writer.write_all(&answer::empty(411, &[])).await;
            }
        };
        let keeps = target.operation == S3Operation::Put && length <= KEPT_BYTES;
        let kept = read_body(&mut reader, length, keeps, &mut buffer, &shared.received).await?;
        writer.write_all(&decide(shared, &head, &target, length, kept)).await?;
    }
    Ok(())
}

/// Reads a body to its end, into the buffer again and again; returns it only if it is to be kept.
async fn read_body(
    reader: &mut BufReader<OwnedReadHalf>,
    length: u64,
    keeps: bool,
    buffer: &mut [u8],
    received: &AtomicU64,
) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut left = length;
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let room = buffer.get_mut(..room).unwrap_or_default();
        let read = reader.read(room).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if keeps {
            kept.extend_from_slice(room.get(..read).unwrap_or_default());
        }
        let read = u64::try_from(read).unwrap_or(left);
        received.fetch_add(read, Ordering::Relaxed);
        left = left.saturating_sub(read);
    }
    Ok(kept)
}

fn decide(shared: &Shared, head: &Head, target: &Target, length: u64, kept: Vec<u8>) -> Vec<u8> {
    let mut objects = shared.objects.lock().unwrap_or_else(PoisonError::into_inner);
    // The SDKs' own framing inside of a body tells the length of what it frames.
    let told = head.header("x-amz-decoded-content-length").and_then(|told| told.parse().ok());
    answer::to(&mut objects, head, target, told.unwrap_or(length), kept)
}
