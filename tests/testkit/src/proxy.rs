//! A TCP proxy that injects faults between a client and a server on this machine.
mod gate;
mod pump;

use crate::wait::pause;
use anyhow::{Context, Result};
use gate::Gate;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Which way bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both ends see an orderly close.
    Close,
    /// Both ends see a reset, as from a rebooted machine or a firewall.
    Reset,
}

/// A proxy on 127.0.0.1. Without orders it is transparent; dropping it ends every connection.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    gate: Arc<Gate>,
    acceptor: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a proxy in front of a port of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(server_port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("open the proxy")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server_port));
        let gate = Arc::new(Gate::default());
        let shared = Arc::clone(&gate);
        let acceptor = std::thread::spawn(move || accept(&listener, server, &shared));
        Ok(Self { address, gate, acceptor: Some(acceptor) })
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the connection that carries the byte after the next `bytes` in this direction,
    /// counted over all connections from now on. Exactly `bytes` get through; later connections
    /// are ended at their first byte, until [`FaultProxy::resume`].
    pub fn end_after(&self, direction: Direction, bytes: u64, ending: Ending) {
        self.gate.change(direction, |lane| lane.end_at = Some((lane.passed + bytes, ending)));
    }

    /// Cuts as [`FaultProxy::end_after`] does, with an orderly close.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.end_after(direction, bytes, Ending::Close);
    }

    /// Lets no byte through in this direction, until [`FaultProxy::resume`].
    pub fn stall(&self, direction: Direction) {
        self.stall_after(direction, 0);
    }

    /// Lets `bytes` more through in this direction and then none, until [`FaultProxy::resume`].
    pub fn stall_after(&self, direction: Direction, bytes: u64) {
        self.gate.change(direction, |lane| lane.stall_at = Some(lane.passed + bytes));
    }

    /// Bounds the rate of this direction, over all connections together.
    pub fn throttle(&self, direction: Direction, bytes_per_second: u64) {
        self.gate.change(direction, |lane| lane.bytes_per_second = Some(bytes_per_second));
    }

    /// Takes every standing order back, refusal of new connections included.
    pub fn resume(&self) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.gate.change(direction, gate::Lane::resume);
        }
        self.gate.refuse(false);
    }

    /// Ends every connection now; new ones are let in.
    pub fn end_all(&self, ending: Ending) {
        self.gate.end_all(ending);
    }

    /// Ends every new connection at once, until [`FaultProxy::resume`].
    pub fn refuse_new(&self) {
        self.gate.refuse(true);
    }

    /// Bytes that have passed in this direction.
    pub fn passed_bytes(&self, direction: Direction) -> u64 {
        self.gate.passed(direction)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.gate.accepted()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.gate.close();
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of the acceptor has been printed by its own thread.
            drop(acceptor.join());
        }
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, gate: &Arc<Gate>) {
    while !gate.is_closed() {
        match listener.accept() {
            Ok((client, _)) => serve(client, server, gate),
            Err(_) => pause(Duration::from_millis(2)),
        }
    }
}

/// Connects through to the server; a client whose server is gone sees its connection close.
fn serve(client: TcpStream, server: SocketAddr, gate: &Arc<Gate>) {
    if !gate.admit() {
        return;
    }
    let Ok(upstream) = TcpStream::connect(server) else { return };
    drop(pump::start(client, upstream, gate));
}
