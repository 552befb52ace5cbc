//! A logged-in connection: commands out, packets in.

use std::time::Duration;

use crate::wire::{
    Canceller, ConnectOptions, QueryResult, SequenceRule, ServerError, WireError,
    channel::Channel,
    handshake::Greeting,
    login::{LoggedIn, Preparation, log_in},
    packet::{MAX_PAYLOAD_BYTES, PieceBuffer},
    result::Completion,
};

/// Command bytes that this client sends itself.
mod command {
    pub(super) const QUIT: u8 = 0x01;
    pub(super) const QUERY: u8 = 0x03;
    pub(super) const PING: u8 = 0x0e;
    pub(super) const RESET_CONNECTION: u8 = 0x1f;
}

/// Largest value of the server's time-out variables: one year.
const MAX_SERVER_TIMEOUT_SECONDS: u64 = 31_536_000;

/// A connection to a MySQL or MariaDB server. Blocking; for one thread at a time.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    greeting: Greeting,
    capabilities: u32,
    status: u16,
    unfinished: bool,
}

impl Connection {
    /// Connects, logs in, and runs the init statements.
    ///
    /// # Errors
    /// - [`WireError::Unreachable`]: nobody answers there within the connect time-out.
    /// - [`WireError::Server`]: refused, by the login or by an init statement.
    /// - [`WireError::TlsNotOffered`], [`WireError::Tls`] and the other TLS errors.
    /// - [`WireError::AuthPlugin`], [`WireError::ClearPassword`]: the account's plugin will not do.
    pub fn connect(options: &ConnectOptions) -> Result<Self, WireError> {
        let preparation = Preparation::of(options)?;
        let channel = Channel::connect(options)?;
        let LoggedIn { channel, greeting, capabilities, status } =
            log_in(channel, preparation, options)?;
        let mut connection = Self { channel, greeting, capabilities, status, unfinished: false };
        connection.set_payload_limit(MAX_PAYLOAD_BYTES);
        let budget = options.stall_budget();
        connection.set_timeouts(budget, budget)?;
        for statement in &options.init_statements {
            connection.execute(statement)?;
        }
        Ok(connection)
    }

    /// A handle that ends this connection from another thread.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.channel.canceller().clone()
    }

    /// The server's number for this connection, as `KILL` takes it.
    #[must_use]
    pub fn connection_id(&self) -> u32 {
        self.greeting.connection_id
    }

    /// The version in the greeting. MariaDB may prefix it with `5.5.5-`, and a proxy may invent it:
    /// `SELECT VERSION()` is the better source.
    #[must_use]
    pub fn greeting_version(&self) -> &str {
        &self.greeting.server_version
    }

    /// Name of the TLS cipher suite, or nothing for a connection without TLS.
    #[must_use]
    pub fn tls_cipher(&self) -> Option<String> {
        self.channel.tls_cipher()
    }

    /// Whether `\` is an ordinary character in strings of this session, as of the last statement.
    #[must_use]
    pub fn no_backslash_escapes(&self) -> bool {
        Completion { status: self.status, ..Completion::default() }.no_backslash_escapes()
    }

    /// Sets how long a single read or write may block before the connection counts as cut. Set it
    /// high for a statement that computes for hours: keep-alive probes find dead peers all the same.
    ///
    /// # Errors
    /// [`WireError::Disconnected`] when the socket refuses.
    pub fn set_timeouts(&mut self, read: Duration, write: Duration) -> Result<(), WireError> {
        self.channel.set_timeouts(read, write)
    }

    /// Makes the server wait for us as long as `budget`: a bulk session must not be ended because a
    /// target is slow. Sets `net_write_timeout`, `net_read_timeout` and `wait_timeout`.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    pub fn set_stall_budget(&mut self, budget: Duration) -> Result<(), WireError> {
        let seconds = budget.as_secs().clamp(1, MAX_SERVER_TIMEOUT_SECONDS);
        self.execute(format!(
            "SET SESSION net_write_timeout={seconds}, net_read_timeout={seconds}, \
             wait_timeout={seconds}"
        ))?;
        Ok(())
    }

    /// Sends a statement and returns its result, read as it arrives.
    ///
    /// # Errors
    /// - [`WireError::Server`]: refused or failed; the connection stays usable.
    /// - [`WireError::Unfinished`]: the previous result was not read to its end.
    /// - [`WireError::Disconnected`], [`WireError::Cancelled`]: the session is gone.
    pub fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<QueryResult<'_>, WireError> {
        self.query_parts(&[sql.as_ref()])
    }

    /// Sends a statement given in parts, which are not joined in memory first.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn query_parts(&mut self, parts: &[&[u8]]) -> Result<QueryResult<'_>, WireError> {
        self.send_command_parts(command::QUERY, parts)?;
        QueryResult::begin(self)
    }

    /// Begins a statement of unknown length, to be written piece by piece and then finished with
    /// [`PayloadWriter::query`]. Holds at most 16 MiB of it.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn query_writer(&mut self) -> Result<PayloadWriter<'_>, WireError> {
        self.command_writer(command::QUERY)
    }

    /// Sends a statement and waits for its end; rows are skipped.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<Completion, WireError> {
        self.query(sql)?.finish()
    }

    /// Asks the server whether it is there.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn ping(&mut self) -> Result<(), WireError> {
        self.send_command(command::PING, &[])?;
        self.read_ok()
    }

    /// Gives the session its first state back: variables, locks, transaction, temporary tables.
    /// Session time-outs and init statements are gone with it.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn reset(&mut self) -> Result<(), WireError> {
        self.send_command(command::RESET_CONNECTION, &[])?;
        self.read_ok()
    }

    /// Says goodbye and closes. Dropping the connection closes it without.
    ///
    /// # Errors
    /// [`WireError::Disconnected`] when the server is gone already.
    pub fn quit(mut self) -> Result<(), WireError> {
        self.send_command(command::QUIT, &[])
    }

    /// Sends any command; its answer is read with [`Connection::read_packet`].
    ///
    /// # Errors
    /// As [`Connection::query`], [`WireError::Server`] excepted.
    pub fn send_command(&mut self, command: u8, payload: &[u8]) -> Result<(), WireError> {
        self.send_command_parts(command, &[payload])
    }

    /// Begins a command of unknown length; finish it with [`PayloadWriter::finish`].
    ///
    /// # Errors
    /// As [`Connection::send_command`].
    pub fn command_writer(&mut self, command: u8) -> Result<PayloadWriter<'_>, WireError> {
        self.check_ready()?;
        self.channel.restart_sequence();
        let mut pieces = PieceBuffer::default();
        self.channel.push_piece(&mut pieces, &[command])?;
        self.unfinished = true;
        Ok(PayloadWriter { connection: self, pieces })
    }

    /// Chooses how sequence numbers run from now on.
    pub fn set_sequence_rule(&mut self, rule: SequenceRule) {
        self.channel.set_sequence_rule(rule);
    }

    /// Refuses payloads over this many bytes from now on. A row can be as long as the server's
    /// `max_allowed_packet`.
    pub fn set_payload_limit(&mut self, bytes: usize) {
        self.channel.set_payload_limit(bytes);
    }

    /// The next payload, whole and valid until the next call. Its meaning is the caller's business:
    /// an error packet (first byte 0xFF) is handed out like any other, see [`ServerError::parse`].
    ///
    /// # Errors
    /// [`WireError::Disconnected`], [`WireError::Cancelled`], [`WireError::Malformed`],
    /// [`WireError::PacketTooLarge`]: the connection is unusable.
    pub fn read_packet(&mut self) -> Result<&[u8], WireError> {
        self.read_packet_during("reading a packet")
    }

    /// Sends a payload that goes on with the current dialogue.
    ///
    /// # Errors
    /// [`WireError::Disconnected`], [`WireError::Cancelled`]: the connection is unusable.
    pub fn write_packet(&mut self, payload: &[u8]) -> Result<(), WireError> {
        self.channel.write("sending a packet", &[payload])
    }

    /// Sends a payload with sequence number 0 in the middle of a dialogue, as the acknowledgement
    /// of semi-synchronous replication wants it.
    ///
    /// # Errors
    /// As [`Connection::write_packet`].
    pub fn write_restarted_packet(&mut self, payload: &[u8]) -> Result<(), WireError> {
        self.channel.restart_sequence();
        self.write_packet(payload)
    }

    fn send_command_parts(&mut self, command: u8, parts: &[&[u8]]) -> Result<(), WireError> {
        self.check_ready()?;
        self.channel.restart_sequence();
        let mut all = Vec::with_capacity(parts.len() + 1);
        let command = [command];
        all.push(&command[..]);
        all.extend_from_slice(parts);
        self.channel.write("sending a command", &all)
    }

    fn read_ok(&mut self) -> Result<(), WireError> {
        let packet = self.read_packet()?;
        match packet.first() {
            Some(0x00) => {
                self.status = Completion::parse_ok(packet)?.status;
                Ok(())
            }
            Some(0xff) => Err(ServerError::parse(packet)?.into()),
            _ => Err(self.channel.broken(WireError::malformed("answer to a command"))),
        }
    }

    fn check_ready(&self) -> Result<(), WireError> {
        self.channel.check_usable()?;
        if self.unfinished { Err(WireError::Unfinished) } else { Ok(()) }
    }
}

/// What the reader of results uses.
impl Connection {
    #[inline]
    pub(crate) fn has(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    pub(crate) fn set_unfinished(&mut self, unfinished: bool) {
        self.unfinished = unfinished;
    }

    pub(crate) fn set_status(&mut self, status: u16) {
        self.status = status;
    }

    #[inline]
    pub(crate) fn read_packet_during(&mut self, during: &'static str) -> Result<&[u8], WireError> {
        self.channel.read(during)
    }

    /// The packet that was read last, once more.
    #[inline]
    pub(crate) fn last_packet(&self) -> Result<&[u8], WireError> {
        self.channel.last_packet()
    }

    /// Marks the connection unusable and returns the error that made it so.
    pub(crate) fn broken(&mut self, error: WireError) -> WireError {
        self.channel.broken(error)
    }
}

/// Writes the payload of a command piece by piece.
///
/// Dropping it unfinished leaves the connection useless, since the server waits for the rest: every
/// further command ends in [`WireError::Unfinished`].
#[derive(Debug)]
pub struct PayloadWriter<'c> {
    connection: &'c mut Connection,
    pieces: PieceBuffer,
}

impl<'c> PayloadWriter<'c> {
    /// Adds bytes; sends them whenever 16 MiB have come together.
    ///
    /// # Errors
    /// [`WireError::Server`]: the server refused what it has so far and closes the connection;
    /// [`WireError::Disconnected`], [`WireError::Cancelled`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.connection.channel.push_piece(&mut self.pieces, bytes)
    }

    /// Sends the rest; the answer is the caller's to read with [`Connection::read_packet`].
    ///
    /// # Errors
    /// As [`PayloadWriter::write`].
    pub fn finish(self) -> Result<&'c mut Connection, WireError> {
        let Self { connection, mut pieces } = self;
        connection.channel.finish_pieces(&mut pieces)?;
        connection.unfinished = false;
        Ok(connection)
    }

    /// Sends the rest of a statement and returns its result.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn query(self) -> Result<QueryResult<'c>, WireError> {
        QueryResult::begin(self.finish()?)
    }
}
