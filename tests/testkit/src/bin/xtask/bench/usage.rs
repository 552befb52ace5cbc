//! What a piece of work takes: time on the clock, and time of processors.
use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::time::Instant;

/// Fields of `/proc/PID/stat` behind the name of the process.
const OWN_TIMES: usize = 11;
const CHILDREN_TIMES: usize = 13;

/// What a run took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Seconds on the clock.
    pub(crate) wall: f64,
    /// Seconds of processors, in user mode and in the kernel, of all processes together.
    pub(crate) cpu: f64,
}

impl Usage {
    /// Measures a run: the child processes that it starts and waits for, with their own children,
    /// and `servers`, which live on.
    ///
    /// # Errors
    /// The run's own, or a server is gone.
    pub(crate) fn of(servers: &[u32], run: impl FnOnce() -> Result<()>) -> Result<Self> {
        let before = cpu_seconds(servers)?;
        let started = Instant::now();
        run()?;
        let wall = started.elapsed().as_secs_f64();
        Ok(Self { wall, cpu: cpu_seconds(servers)? - before })
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s (CPU {:.2} s)", self.wall, self.cpu)
    }
}

fn cpu_seconds(servers: &[u32]) -> Result<f64> {
    let mut ticks = times("self", CHILDREN_TIMES)?;
    for server in servers {
        ticks += times(&server.to_string(), OWN_TIMES)?;
    }
    #[allow(clippy::cast_precision_loss, reason = "far fewer ticks than a double counts exactly")]
    Ok(ticks as f64 / clock_ticks_per_second() as f64)
}

/// Ticks in user mode and in the kernel of a process, or of its children that were waited for.
fn times(process: &str, first_field: usize) -> Result<u64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name in parentheses may hold anything, so the fields count from its end.
    let (_, fields) = stat.rsplit_once(')').with_context(|| format!("no name in {path}"))?;
    let mut ticks = 0;
    for field in fields.split_whitespace().skip(first_field).take(2) {
        ticks += field.parse::<u64>().with_context(|| format!("read {field} in {path}"))?;
    }
    Ok(ticks)
}

/// How many tasks want a processor, on the average of the last minute.
pub(crate) fn load_average() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("read /proc/loadavg")?;
    let first = text.split_whitespace().next().context("/proc/loadavg is empty")?;
    first.parse().with_context(|| format!("read the load {first}"))
}
