//! A connection that has left SQL for the clone protocol.

use dbbackup_sdk::{
    server::ConnectOptions,
    wire::{Canceller, Connection, SequenceRule, ServerError, WireError},
};

use crate::{
    error::CloneError,
    rpc::{CodecError, Command, MAX_PAYLOAD_BYTES, Response},
};

/// The server's command that begins the clone protocol.
const COM_CLONE: u8 = 0x20;

/// One connection of a clone.
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection,
}

impl Link {
    /// Connects and enters the protocol. The donor waits for us as long as the stall budget of the
    /// options says: it takes over the session's time-outs at this moment.
    ///
    /// # Errors
    /// No connection, or the server refuses: no `BACKUP_ADMIN`, no clone plugin.
    pub(crate) fn open(
        options: &ConnectOptions,
        connected: impl FnOnce(u32, Canceller),
    ) -> Result<Self, CloneError> {
        let mut connection = Connection::connect(options)?;
        connected(connection.connection_id(), connection.canceller());
        connection.set_stall_budget(options.stall_budget())?;
        connection.send_command(COM_CLONE, &[])?;
        let answer = connection.read_packet()?;
        match answer.first() {
            Some(0x00) => {}
            Some(0xff) => return Err(WireError::from(ServerError::parse(answer)?).into()),
            _ => return Err(WireError::Malformed { what: "answer to COM_CLONE" }.into()),
        }
        connection.set_sequence_rule(SequenceRule::EachPayload);
        connection.set_payload_limit(MAX_PAYLOAD_BYTES);
        Ok(Self { connection })
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn send(&mut self, command: &[u8]) -> Result<(), CloneError> {
        Ok(self.connection.write_packet(command)?)
    }

    /// The next response; an error of the donor is one here too.
    ///
    /// # Errors
    /// The connection is gone, the donor failed, or what came is not the protocol.
    pub(crate) fn next(&mut self) -> Result<Response<'_>, CloneError> {
        let packet = self.connection.read_packet()?;
        if packet.first() == Some(&0xff) {
            return Err(WireError::from(ServerError::parse(packet)?).into());
        }
        match Response::parse(packet)? {
            Response::Error { code, message } => Err(CloneError::Donor { code, message }),
            response => Ok(response),
        }
    }

    /// Sends a command and hands every response on until the donor says that it is done.
    ///
    /// # Errors
    /// As [`Link::next`], and whatever `take` fails with.
    pub(crate) fn exchange(
        &mut self,
        command: &[u8],
        mut take: impl FnMut(Response<'_>) -> Result<(), CloneError>,
    ) -> Result<(), CloneError> {
        self.send(command)?;
        loop {
            match self.next()? {
                Response::Complete => return Ok(()),
                response => take(response)?,
            }
        }
    }

    /// Leaves the protocol and closes the connection. The reset proves that the server speaks SQL
    /// with us again: it has let go of the clone.
    ///
    /// # Errors
    /// The connection is gone, or the server does not answer as it should.
    pub(crate) fn leave(mut self) -> Result<(), CloneError> {
        self.exchange(&Command::Exit.bare(), unexpected)?;
        self.connection.set_sequence_rule(SequenceRule::Command);
        self.connection.reset()?;
        Ok(self.connection.quit()?)
    }
}

/// For commands that are answered by their end alone.
pub(crate) fn unexpected(response: Response<'_>) -> Result<(), CloneError> {
    Err(CodecError::Order { what: response.name(), expected: "the end of a command" }.into())
}
