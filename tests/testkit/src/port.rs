//! A TCP port that is ours until we drop it, over restarts of the server too.
use crate::env;
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that the kernel hands out to outgoing connections, which would take the port
/// while a server restarts.
const FIRST: u16 = 14_000;
const COUNT: u16 = 16_000;

/// A leased port; other processes of the test kit leave it alone while this lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lease: File,
}

impl Port {
    /// Leases a port that nobody listens on.
    pub(crate) fn lease() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let directory = env::cache_root()?.join("ports");
        fs::create_dir_all(&directory)
            .with_context(|| format!("create {}", directory.display()))?;
        // Processes start at different places, so that they seldom meet.
        let spread = u16::try_from(std::process::id().wrapping_mul(397) % u32::from(COUNT))?;
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + spread.wrapping_add(step) % COUNT;
            let lease = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(directory.join(number.to_string()))?;
            let is_free = || TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            if lease.try_lock().is_ok() && is_free() {
                return Ok(Self { number, _lease: lease });
            }
        }
        bail!("no free port between {FIRST} and {}", FIRST + COUNT)
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
