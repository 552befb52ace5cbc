//! One client's connection: a request after the other, each passed on or broken.
use super::answer::{self, Answer};
use super::copy::{CopyError, Treatment, copy};
use super::log::Entry;
use super::{Fault, Shared};
use crate::s3::http::{Framing, Head, read_head};
use crate::s3::request::Target;
use std::io;
use std::sync::{Arc, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

/// The longest answer in chunks that is held to be cut in the middle: a page of a listing.
const LONGEST_CUT_BYTES: u64 = 4 * 1024 * 1024;

/// What becomes of the client's connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Keep,
    Close,
    Reset,
}

/// How the sending of a request to the store has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Whole,
    /// The store does not want the rest; it may have answered all the same.
    Refused,
    ClientGone,
}

/// Serves a client until either side ends the connection, or a fault does.
pub(super) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    // Only speed depends on it.
    drop(client.set_nodelay(true));
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    while let Ok(Some(head)) = read_head(&mut reader).await {
        let target = Target::of(&head);
        // Before the rules are asked, so that no end of them is missed.
        let cleared = shared.cleared.subscribe();
        let fault = shared.rules.lock().unwrap_or_else(PoisonError::into_inner).decide(&target);
        let entry = shared.log.begin(&head, &target, fault);
        let exchange = Exchange {
            shared: &shared,
            reader: &mut reader,
            writer: &mut writer,
            head,
            target,
            fault,
            cleared,
            entry,
        };
        match exchange.run().await {
            Ok(Next::Keep) => {}
            Ok(Next::Reset) => return reset(reader.get_ref().as_ref()),
            Ok(Next::Close) | Err(_) => return,
        }
    }
}

/// Resets a connection, whatever is still in its buffers, by dissolving the association.
fn reset(client: &TcpStream) {
    match rustix::net::connect_unspec(client) {
        // An error is a client that was faster.
        Ok(()) | Err(_) => {}
    }
}

/// One request, from its head on.
struct Exchange<'a> {
    shared: &'a Shared,
    reader: &'a mut BufReader<OwnedReadHalf>,
    writer: &'a mut OwnedWriteHalf,
    head: Head,
    target: Target,
    fault: Option<Fault>,
    cleared: watch::Receiver<()>,
    entry: Arc<Entry>,
}

impl Exchange<'_> {
    async fn run(mut self) -> io::Result<Next> {
        if self.head.header("expect").is_some() {
            self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let length = match self.head.request_framing()? {
            Framing::Empty => 0,
            Framing::Length(length) => length,
            Framing::Chunked | Framing::UntilEnd => {
                self.answer(answer::length_required(&self.head, &self.target)).await?;
                return Ok(Next::Close);
            }
        };
        let instead = self.fault.and_then(|fault| answer::instead(fault, &self.head, &self.target));
        if let Some(answer) = instead {
            self.drain(length).await?;
            self.answer(answer).await?;
            return Ok(Next::Keep);
        }
        if self.fault == Some(Fault::Reset) {
            self.drain(length / 2).await?;
            return Ok(Next::Reset);
        }
        self.forward(length).await
    }

    /// Reads part of the body and throws it away.
    async fn drain(&mut self, bytes: u64) -> io::Result<()> {
        let note = |bytes| self.entry.note(|request| request.request_bytes += bytes);
        copy(self.reader, &mut tokio::io::sink(), bytes, Treatment::default(), note).await?;
        Ok(())
    }

    async fn answer(&mut self, answer: Answer) -> io::Result<()> {
        self.entry.note(|request| request.status = Some(answer.status));
        self.writer.write_all(&answer.head.to_bytes()).await?;
        self.writer.write_all(&answer.body).await
    }

    /// Passes the request on and the answer back.
    async fn forward(mut self, length: u64) -> io::Result<Next> {
        match self.fault {
            Some(Fault::Stall(time)) => tokio::time::sleep(time).await,
            // An error is the end of the proxy.
            Some(Fault::Hold) => drop(self.cleared.changed().await),
            _ => {}
        }
        // A store that is gone resets connections, or refuses them: both end the client's.
        let Ok(store) = TcpStream::connect(self.shared.server).await else {
            return Ok(Next::Reset);
        };
        store.set_nodelay(true)?;
        let (store_reader, store_writer) = store.into_split();
        let mut store_reader = BufReader::new(store_reader);
        // The store may answer before it has read the body, and then not read the rest.
        let ((sent, _open), answer) =
            tokio::join!(self.send(store_writer, length), answer_head(&mut store_reader));
        let Some(answer) = answer? else { return Ok(Next::Close) };
        if sent == Sent::ClientGone {
            return Ok(Next::Close);
        }
        let next = self.relay(answer, &mut store_reader).await?;
        Ok(if sent == Sent::Refused && next == Next::Keep { Next::Close } else { next })
    }

    /// Sends head and body. The store's connection stays open while what is returned lives: with
    /// it closed, the store would take a client that waits for one that has gone.
    async fn send(
        &mut self,
        mut store: OwnedWriteHalf,
        length: u64,
    ) -> (Sent, Option<OwnedWriteHalf>) {
        let mut head = self.head.clone();
        head.remove("connection");
        let head = head.with("Connection", "close");
        if store.write_all(&head.to_bytes()).await.is_err() {
            return (Sent::Refused, Some(store));
        }
        let treatment = self.treatment(self.fault == Some(Fault::Corrupt), length);
        let note = |bytes| self.entry.note(|request| request.request_bytes += bytes);
        match copy(self.reader, &mut store, length, treatment, note).await {
            Ok(copied) if copied.bytes == length => (Sent::Whole, Some(store)),
            Err(CopyError::Destination(_)) => (Sent::Refused, Some(store)),
            Ok(_) | Err(CopyError::Source(_)) => (Sent::ClientGone, None),
        }
    }

    /// Gives the store's answer to the client, or what the fault leaves of it.
    async fn relay(
        &mut self,
        mut answer: Head,
        store: &mut BufReader<OwnedReadHalf>,
    ) -> io::Result<Next> {
        let framing = answer.answer_framing(self.head.word(0))?;
        answer.remove("connection");
        if let Some(fault) = self.fault {
            answer = answer::altered(fault, answer);
        }
        match self.fault {
            Some(Fault::HideMissing) if answer.status() == Some(404) => {
                self.answer(answer::denied(&self.head, &self.target)).await?;
                return Ok(Next::Keep);
            }
            Some(Fault::LostAnswer) => {
                tokio::io::copy(store, &mut tokio::io::sink()).await?;
                return Ok(Next::Reset);
            }
            Some(Fault::Truncate) => return self.truncate(answer, framing, store).await,
            _ => {}
        }
        self.entry.note(|request| request.status = answer.status());
        self.writer.write_all(&answer.to_bytes()).await?;
        let limit = match framing {
            Framing::Empty => 0,
            Framing::Length(length) => length,
            Framing::Chunked | Framing::UntilEnd => u64::MAX,
        };
        let flips = self.fault == Some(Fault::CorruptGet) && limit < u64::MAX;
        let treatment = self.treatment(flips, limit);
        let note = |bytes| self.entry.note(|request| request.answer_bytes += bytes);
        let copied = copy(store, self.writer, limit, treatment, note).await?;
        let is_whole = match framing {
            Framing::Empty | Framing::Length(_) => copied.bytes == limit,
            Framing::Chunked => copied.ends_with_last_chunk(),
            Framing::UntilEnd => false,
        };
        Ok(if is_whole { Next::Keep } else { Next::Close })
    }

    /// Gives the client half of the body, or half of the head if there is no body.
    async fn truncate(
        &mut self,
        answer: Head,
        framing: Framing,
        store: &mut BufReader<OwnedReadHalf>,
    ) -> io::Result<Next> {
        let head = answer.to_bytes();
        if framing == Framing::Empty {
            let half = head.get(..head.len() / 2).unwrap_or_default();
            self.writer.write_all(half).await?;
            return Ok(Next::Close);
        }
        self.entry.note(|request| request.status = answer.status());
        self.writer.write_all(&head).await?;
        let note = |bytes| self.entry.note(|request| request.answer_bytes += bytes);
        if let Framing::Length(length) = framing {
            copy(store, self.writer, length / 2, Treatment::default(), note).await?;
        } else {
            let mut body = Vec::new();
            store.take(LONGEST_CUT_BYTES).read_to_end(&mut body).await?;
            let mut half = body.get(..body.len() / 2).unwrap_or_default();
            copy(&mut half, self.writer, u64::MAX, Treatment::default(), note).await?;
        }
        Ok(Next::Close)
    }

    /// What the fault does to a body of this length.
    fn treatment(&self, flips: bool, length: u64) -> Treatment {
        let rate = match self.fault {
            Some(Fault::Slow(kib)) => Some(u64::from(kib.max(1)) * 1024),
            _ => None,
        };
        Treatment { flip_at: flips.then_some(length / 2), bytes_per_second: rate }
    }
}

/// Reads the head of an answer, past those that only announce it.
async fn answer_head(store: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Head>> {
    loop {
        match read_head(store).await? {
            Some(head) if matches!(head.status(), Some(100..=199)) => {}
            head => return Ok(head),
        }
    }
}
