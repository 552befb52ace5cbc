//! Packets over one stream, with errors that say what became of the connection.

use std::{
    io,
    ops::Range,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, pki_types::ServerName};

use crate::wire::{
    Canceller, Compression, ConnectOptions, SequenceRule, ServerError, WireError,
    auth::Way,
    packet::{FrameError, MAX_PAYLOAD_BYTES, PacketReader, PieceBuffer, Sequence, write_parts},
    socket::Socket,
    stream::Stream,
    transport::Transport,
};

/// Time to wait for the reason that the server may have sent before it closed the connection.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A stream of packets in both directions. After an error it is unusable, and says so.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: Stream,
    reader: PacketReader,
    sequence: Sequence,
    canceller: Canceller,
    last_packet: Range<usize>,
    unusable: bool,
}

impl Channel {
    /// Opens the socket. Until the login is over, the connect time-out bounds every read and write.
    pub(crate) fn connect(options: &ConnectOptions) -> Result<Self, WireError> {
        let deadline = Instant::now() + options.connect_timeout();
        let address = options.address();
        let socket = Socket::connect(&address, deadline)?;
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let canceller = socket
            .set_timeouts(left, left)
            .and_then(|()| Canceller::of(&socket))
            .map_err(|source| WireError::Unreachable { address: address.to_string(), source })?;
        Ok(Self {
            stream: Stream::new(Transport::Plain(socket)),
            reader: PacketReader::new(),
            sequence: Sequence::default(),
            canceller,
            last_packet: 0..0,
            unusable: false,
        })
    }

    /// Goes on under TLS.
    pub(crate) fn start_tls(
        mut self,
        options: &ConnectOptions,
        config: std::sync::Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, WireError> {
        // Bytes before the handshake would be believed as if they had come under TLS.
        if self.reader.has_unread() {
            return Err(WireError::malformed("greeting (bytes before TLS)"));
        }
        let Transport::Plain(socket) = self.stream.transport else {
            return Err(WireError::malformed("greeting (TLS twice)"));
        };
        match Transport::start_tls(socket, config, name) {
            Ok(Ok(transport)) => {
                self.stream = Stream::new(transport);
                Ok(self)
            }
            Ok(Err(_)) if self.canceller.is_cancelled() => Err(WireError::Cancelled),
            Ok(Err(source)) => Err(WireError::Disconnected {
                during: "establishing TLS",
                source: timed_out(source),
            }),
            Err(source) => {
                let address = options.address().to_string();
                Err(WireError::Tls { address, source })
            }
        }
    }

    /// Compresses everything from now on, as the login has agreed.
    pub(crate) fn start_compression(&mut self, compression: Compression) -> Result<(), WireError> {
        // Bytes of a packet that was not compressed would be mixed with some that were.
        if self.reader.has_unread() {
            return Err(WireError::malformed("login (bytes after its end)"));
        }
        self.sequence.compressed = true;
        let started = self.stream.start_compression(compression);
        started.map_err(|source| WireError::Compression { name: compression.name(), source })
    }

    pub(crate) fn canceller(&self) -> &Canceller {
        &self.canceller
    }

    pub(crate) fn tls_cipher(&self) -> Option<String> {
        self.stream.transport.cipher()
    }

    /// Who can read what is sent.
    pub(crate) fn way(&self) -> Way {
        self.stream.transport.way()
    }

    pub(crate) fn set_timeouts(
        &mut self,
        read: Duration,
        write: Duration,
    ) -> Result<(), WireError> {
        match self.stream.transport.set_timeouts(read, write) {
            Ok(()) => Ok(()),
            Err(source) => Err(self.lost("setting time-outs", source)),
        }
    }

    pub(crate) fn set_sequence_rule(&mut self, rule: SequenceRule) {
        self.sequence.rule = rule;
    }

    pub(crate) fn restart_sequence(&mut self) {
        self.sequence.restart();
        self.stream.restart();
    }

    pub(crate) fn set_payload_limit(&mut self, bytes: usize) {
        self.reader.set_limit(bytes);
    }

    /// The next payload, whole and valid until the next call.
    #[inline]
    pub(crate) fn read(&mut self, during: &'static str) -> Result<&[u8], WireError> {
        self.check_usable()?;
        match self.reader.read(&mut self.stream, &mut self.sequence) {
            Ok(range) => {
                self.last_packet = range;
                self.last_packet()
            }
            Err(FrameError::Io(source)) => Err(self.lost(during, source)),
            Err(FrameError::Wire(error)) => Err(self.broken(error)),
        }
    }

    /// The payload that was read last, once more.
    #[inline]
    pub(crate) fn last_packet(&self) -> Result<&[u8], WireError> {
        self.reader.slice(self.last_packet.clone())
    }

    /// Sends a payload given in parts.
    pub(crate) fn write(&mut self, during: &'static str, parts: &[&[u8]]) -> Result<(), WireError> {
        self.check_usable()?;
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if bytes > MAX_PAYLOAD_BYTES {
            let limit_bytes = MAX_PAYLOAD_BYTES as u64;
            return Err(WireError::PacketTooLarge { bytes: bytes as u64, limit_bytes });
        }
        if self.sequence.rule == SequenceRule::EachPayload {
            self.stream.restart();
        }
        match write_parts(&mut self.stream, &mut self.sequence, parts) {
            Ok(()) => Ok(()),
            Err(source) => Err(self.last_words(during, source)),
        }
    }

    /// Adds to a payload of unknown length.
    pub(crate) fn push_piece(
        &mut self,
        pieces: &mut PieceBuffer,
        bytes: &[u8],
    ) -> Result<(), WireError> {
        self.check_usable()?;
        match pieces.push(&mut self.stream, &mut self.sequence, bytes) {
            Ok(()) => Ok(()),
            Err(source) => Err(self.last_words("sending a command", source)),
        }
    }

    /// Ends a payload of unknown length.
    pub(crate) fn finish_pieces(&mut self, pieces: &mut PieceBuffer) -> Result<(), WireError> {
        self.check_usable()?;
        match pieces.finish(&mut self.stream, &mut self.sequence) {
            Ok(()) => Ok(()),
            Err(source) => Err(self.last_words("sending a command", source)),
        }
    }

    /// Marks the channel unusable and returns the error that made it so.
    pub(crate) fn broken(&mut self, error: WireError) -> WireError {
        self.unusable = true;
        if self.canceller.is_cancelled() { WireError::Cancelled } else { error }
    }

    pub(crate) fn check_usable(&self) -> Result<(), WireError> {
        match self.unusable {
            false => Ok(()),
            true if self.canceller.is_cancelled() => Err(WireError::Cancelled),
            true => Err(WireError::Unusable),
        }
    }

    fn lost(&mut self, during: &'static str, source: io::Error) -> WireError {
        self.broken(WireError::Disconnected { during, source: timed_out(source) })
    }

    /// A server that dislikes a packet says why and closes, while we are still writing: the reason
    /// is worth more than "broken pipe".
    fn last_words(&mut self, during: &'static str, source: io::Error) -> WireError {
        let timed_out =
            matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        let lost = self.lost(during, source);
        if timed_out || self.stream.transport.set_timeouts(LAST_WORDS, LAST_WORDS).is_err() {
            return lost;
        }
        let Ok(range) = self.reader.read(&mut self.stream.last_words(), &mut self.sequence) else {
            return lost;
        };
        match self.reader.slice(range).and_then(ServerError::parse) {
            Ok(reason) => WireError::Server(reason),
            Err(_) => lost,
        }
    }
}

/// A socket time-out says `WouldBlock`, which reads like a harmless condition.
fn timed_out(source: io::Error) -> io::Error {
    match source.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => source,
    }
}
