//! Opens TCP and Unix sockets, bounds every wait on them, and lets another thread end them.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::net::sockopt;

use crate::wire::{Address, WireError};

/// Probing starts after this much silence, so that a peer whose machine vanished is noticed even
/// while a long statement runs and no time-out is due.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Time between two probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Probes without an answer before the connection counts as cut.
const KEEPALIVE_PROBES: u32 = 4;

/// A connected stream socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects before `deadline`, trying every address that the name has.
    pub(crate) fn connect(address: &Address, deadline: Instant) -> Result<Self, WireError> {
        let connected = match address {
            Address::Unix(path) => UnixStream::connect(path).map(Self::Unix),
            Address::Tcp { host, port } => connect_tcp(host, *port, deadline).map(Self::Tcp),
        };
        connected.map_err(|source| WireError::Unreachable { address: address.to_string(), source })
    }

    pub(crate) fn set_timeouts(&self, read: Duration, write: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => {
                socket.set_read_timeout(Some(read))?;
                socket.set_write_timeout(Some(write))
            }
            Self::Unix(socket) => {
                socket.set_read_timeout(Some(read))?;
                socket.set_write_timeout(Some(write))
            }
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    fn shutdown(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Both),
            Self::Unix(socket) => socket.shutdown(Shutdown::Both),
        }
    }
}

fn connect_tcp(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                sockopt::set_socket_keepalive(&socket, true)?;
                sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
                sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
                sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends a connection from any thread, at once, also while it waits in a read or write.
///
/// The server notices when it next writes to the connection; to end a statement that computes
/// without writing, kill it through a second session as well.
#[derive(Debug, Clone)]
pub struct Canceller {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cancelled: AtomicBool,
    socket: Socket,
}

impl Canceller {
    pub(crate) fn of(socket: &Socket) -> io::Result<Self> {
        let socket = socket.try_clone()?;
        Ok(Self { shared: Arc::new(Shared { cancelled: AtomicBool::new(false), socket }) })
    }

    /// Shuts the socket down; whatever the connection does next ends in
    /// [`WireError::Cancelled`](crate::wire::WireError::Cancelled). A second call does nothing.
    pub fn cancel(&self) {
        if self.shared.cancelled.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.shared.socket.shutdown() {
            // The peer closed it first: the connection is ended all the same.
            tracing::debug!(%error, "shut down a cancelled connection");
        }
    }

    /// Whether [`Canceller::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }
}
