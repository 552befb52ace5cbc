//! The byte stream under the packets: the socket itself, or TLS over it.

use std::{
    io::{self, BufReader, Read, Write},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::wire::{auth::Way, socket::Socket};

/// Bytes that are read from the socket at once under TLS: left to itself, rustls asks for 4 KiB, and
/// bulk data cost four system calls for each of its records.
const TLS_READ_BYTES: usize = 128 * 1024;

/// A byte stream to the server.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, ReadAhead>>),
}

/// A socket that reads more than it is asked for, and writes what it is given.
#[derive(Debug)]
pub(crate) struct ReadAhead(BufReader<Socket>);

impl Transport {
    /// Does the TLS handshake over a plain socket. The inner result is the verdict of TLS, the outer
    /// one that of the socket.
    pub(crate) fn start_tls(
        mut socket: Socket,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<io::Result<Self>, rustls::Error> {
        let mut session = ClientConnection::new(config, name)?;
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut socket) {
                // rustls wraps its own verdict into an `io::Error` of this kind.
                return match error.downcast::<rustls::Error>() {
                    Ok(verdict) => Err(verdict),
                    Err(error) => Ok(Err(error)),
                };
            }
        }
        let socket = ReadAhead(BufReader::with_capacity(TLS_READ_BYTES, socket));
        Ok(Ok(Self::Tls(Box::new(StreamOwned::new(session, socket)))))
    }

    pub(crate) fn set_timeouts(&self, read: Duration, write: Duration) -> io::Result<()> {
        self.socket().set_timeouts(read, write)
    }

    /// Who can read what is sent.
    pub(crate) fn way(&self) -> Way {
        match self {
            Self::Plain(Socket::Tcp(_)) => Way::Open,
            Self::Plain(Socket::Unix(_)) => Way::Local,
            Self::Tls(_) => Way::Encrypted,
        }
    }

    /// Name of the cipher suite, or nothing without TLS.
    pub(crate) fn cipher(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => {
                let suite = stream.conn.negotiated_cipher_suite()?;
                Some(format!("{:?}", suite.suite()))
            }
        }
    }

    fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.sock.0.get_ref(),
        }
    }
}

/// Reads what the server sent before it closed. TLS would first try to send what is left of ours,
/// fail, and never look.
#[derive(Debug)]
pub(crate) struct LastWords<'t>(pub(crate) &'t mut Transport);

impl Read for LastWords<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = match self.0 {
            Transport::Plain(socket) => return socket.read(buffer),
            Transport::Tls(stream) => stream,
        };
        loop {
            match stream.conn.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if stream.conn.read_tls(&mut stream.sock)? == 0 {
                return Ok(0);
            }
            stream.conn.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for ReadAhead {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}
