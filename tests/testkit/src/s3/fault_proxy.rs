//! A proxy in front of a store that understands S3 well enough to break single requests.
//!
//! It passes the `Host` header on, so that signatures stay valid, and makes one connection to the
//! store for each request. It speaks plain HTTP on both sides.
mod answer;
mod copy;
mod exchange;
mod log;
mod rule;

pub use log::S3Request;
pub use rule::{Fault, FaultRule};

use super::request::S3Operation;
use anyhow::{Context, Result};
use log::Log;
use rule::Rules;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// What the connections of a proxy share.
#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    rules: Mutex<Rules>,
    /// Told whenever the rules are taken back.
    cleared: watch::Sender<()>,
    log: Log,
}

/// A proxy on 127.0.0.1. Without rules it is transparent; dropping it ends every connection.
#[derive(Debug)]
pub struct S3FaultProxy {
    shared: Arc<Shared>,
    port: u16,
    runtime: Option<Runtime>,
}

impl S3FaultProxy {
    /// Starts a proxy in front of a store's port for plain HTTP on this machine.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(server_port: u16) -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("open the S3 proxy")?;
        let port = listener.local_addr()?.port();
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server_port));
        let shared = Arc::new(Shared {
            server,
            rules: Mutex::new(Rules::default()),
            cleared: watch::Sender::new(()),
            log: Log::default(),
        });
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((client, _)) => {
                        tokio::spawn(exchange::serve(client, Arc::clone(&accepting)));
                    }
                    // Out of descriptors for a moment: the client stays in the queue.
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        Ok(Self { shared, port, runtime: Some(runtime) })
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL that clients connect to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds a rule after those that stand; the first that fires decides a request.
    pub fn add(&self, rule: FaultRule) {
        self.rules(|rules| rules.add(rule));
    }

    /// Takes every rule back, and lets go what is held. Other faults that a request is in the middle of
    /// go on.
    pub fn clear(&self) {
        self.rules(Rules::clear);
        self.shared.cleared.send_replace(());
    }

    /// How many requests have met a fault so far.
    pub fn faults(&self) -> usize {
        self.shared.log.count(|request| request.fault.is_some())
    }

    /// Every request so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<S3Request> {
        self.shared.log.requests()
    }

    /// Every request of this kind so far, in the order of their arrival.
    pub fn requests_of(&self, operation: S3Operation) -> Vec<S3Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.operation == operation);
        requests
    }

    /// Forgets the requests so far, and with them what has been read.
    pub fn forget(&self) {
        self.shared.log.forget();
    }

    /// Bytes of objects that were handed out to `GetObject`s so far.
    pub fn read_bytes(&self) -> u64 {
        let gets = self.requests_of(S3Operation::Get);
        gets.iter().map(|request| request.answer_bytes).sum()
    }

    fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for S3FaultProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
