//! A store that forgets: it answers uploads as fast as it can read them, and keeps sizes alone.
//!
//! It measures what a client costs. It checks no signature, no checksum and no order of parts, so
//! that it proves nothing about a client.
mod answer;
mod objects;
mod tls;

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
use tls::Tls;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite,
    AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

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
    tls: Option<Tls>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Sink {
    /// Starts a sink.
    ///
    /// # Errors
    /// No port is free.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// Starts a sink that speaks `https`, with a certificate from an authority made for it.
    ///
    /// # Errors
    /// No port is free, or the certificates cannot be written.
    pub fn start_with_tls() -> Result<Self> {
        Self::start_with(Some(Tls::new()?))
    }

    fn start_with(tls: Option<Tls>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("open the S3 sink")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let (end, ended) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let thread = std::thread::Builder::new()
            .name("s3-sink".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(&listener, acceptor.as_ref(), &serving) => {}
                        // Told to end, or its owner is gone: both end it.
                        _ = ended => {}
                    }
                });
            })
            .map_err(|error| anyhow!("start the thread of the S3 sink: {error}"))?;
        Ok(Self { shared, port, tls, end: Some(end), thread: Some(thread) })
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL that clients connect to.
    pub fn endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// A bucket of the sink, with keys that it does not look at.
    pub fn access(&self) -> S3Access {
        S3Access {
            endpoint: self.endpoint(),
            bucket: S3_BUCKET.to_owned(),
            access_key: "sink".to_owned(),
            secret_key: "sink".to_owned(),
            ca: self.tls.as_ref().map(|tls| tls.ca().to_owned()),
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

async fn accept(listener: &TcpListener, acceptor: Option<&TlsAcceptor>, shared: &Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let (acceptor, shared) = (acceptor.cloned(), Arc::clone(shared));
                // A client that breaks off is its own business.
                tokio::spawn(async move { drop(greet(client, acceptor, &shared).await) });
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn greet(
    client: TcpStream,
    acceptor: Option<TlsAcceptor>,
    shared: &Shared,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    match acceptor {
        Some(acceptor) => serve(acceptor.accept(client).await?, shared).await,
        None => serve(client, shared).await,
    }
}

/// Serves a client until it ends its connection.
async fn serve(client: impl AsyncRead + AsyncWrite, shared: &Shared) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(client);
    let mut reader = BufReader::new(reader);
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(head) = read_head(&mut reader).await? {
        let target = Target::of(&head);
        if head.header("expect").is_some() {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            writer.flush().await?;
        }
        let keeps = target.operation == S3Operation::Put;
        let (length, kept) = match head.request_framing()? {
            Framing::Empty => (0, Vec::new()),
            Framing::Length(length) => {
                let keeps = keeps && length <= KEPT_BYTES;
                let kept = read_body(&mut reader, length, keeps, &mut buffer, &shared.received);
                (length, kept.await?)
            }
            Framing::Chunked => {
                let length = read_chunks(&mut reader, &mut buffer, &shared.received).await?;
                (length, Vec::new())
            }
            Framing::UntilEnd => {
                writer.write_all(&answer::empty(411, &[])).await?;
                return writer.flush().await;
            }
        };
        writer.write_all(&decide(shared, &head, &target, length, kept)).await?;
        writer.flush().await?;
    }
    Ok(())
}

/// Reads a body in chunks to its end, and returns how many bytes were in them.
async fn read_chunks(
    reader: &mut (impl AsyncBufRead + Unpin),
    buffer: &mut [u8],
    received: &AtomicU64,
) -> io::Result<u64> {
    let mut total = 0_u64;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        read_body(reader, size, false, buffer, received).await?;
        // The end of the chunk, or of a body without trailers.
        line.clear();
        reader.read_line(&mut line).await?;
        total = total.saturating_add(size);
        if size == 0 {
            return Ok(total);
        }
    }
}

/// Reads a body to its end, into the buffer again and again; returns it only if it is to be kept.
async fn read_body(
    reader: &mut (impl AsyncRead + Unpin),
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
