//! The most memory that a dump takes, of all its processes together, whatever the size of the data.
use super::dump::{backup, options};
use super::figure::{Bound, Figure};
use super::setting::{Setting, manifest_of, remove};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{DataSet, Flavor, Scratch, Server, children_of, pause};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The bound that every backup keeps, MB.
const BOUND_MB: f64 = 300.0;
/// How often the processes are looked at.
const INTERVAL: Duration = Duration::from_millis(20);
/// Tables of the data set, and how many there are when it has grown to four times its size.
const TABLES: u32 = 4;
const GROWN_TABLES: u32 = 16;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let data = setting.data(DataSet::Sysbench)?;
    let mut server = data.start(options())?;
    let small = peak(setting, &server, "mysqldump", "dump.sql.gz", setting.scale)?;
    server.stop()?;

    let scratch = Scratch::new()?;
    let datadir = scratch.join("data");
    data.copy_to(&datadir)?;
    let server = Server::start_on(Flavor::Mysql97, &datadir, options().without_binlog())?;
    grow(&server, data.schema())?;
    let scale = setting.scale * f64::from(GROWN_TABLES / TABLES);
    Ok(vec![small, peak(setting, &server, "mysqldump", "dump.sql.gz", scale)?])
}

/// Copies each table three times.
fn grow(server: &Server, schema: &str) -> Result<()> {
    println!("   four times the data");
    for number in TABLES + 1..=GROWN_TABLES {
        let from = (number - 1) % TABLES + 1;
        server.sql(&format!(
            "CREATE TABLE {schema}.sbtest{number} LIKE {schema}.sbtest{from}; \
             INSERT INTO {schema}.sbtest{number} SELECT * FROM {schema}.sbtest{from}"
        ))?;
    }
    Ok(())
}

/// The most memory of one backup of a server with sysbench tables.
pub(crate) fn peak(
    setting: &Setting,
    server: &Server,
    engine: &str,
    output: &str,
    scale: f64,
) -> Result<Figure> {
    let begun = Figure::begin(format!("{output}: memory"), format!("sysbench x {scale}"))?;
    let output = setting.path(output);
    let bytes = watched(backup(setting, server, engine, &output))?;
    remove(&output)?;
    remove(&manifest_of(&output))?;
    #[allow(clippy::cast_precision_loss, reason = "sizes that a double counts exactly")]
    let megabytes = bytes as f64 / 1e6;
    begun.value("", Bound::Below(BOUND_MB), "MB", vec![megabytes])
}

/// Runs a command and sums the largest resident size of each of its processes, bytes. Their peaks
/// need not coincide, so that this is no less than the truth.
fn watched(mut command: Command) -> Result<u64> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let mut peaks = BTreeMap::new();
    let status = loop {
        note(child.id(), &mut peaks)?;
        if let Some(status) = child.try_wait()? {
            break status;
        }
        pause(INTERVAL);
    };
    ensure!(status.success(), "the backup ended with {status}");
    ensure!(peaks.len() > 1, "the backup had no worker");
    Ok(peaks.values().sum())
}

/// Notes the peaks of a process and of all below it.
fn note(process: u32, peaks: &mut BTreeMap<u32, u64>) -> Result<()> {
    // A process that has just ended has no status to read, and its peak was noted before.
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/status")) else { return Ok(()) };
    if let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        let kilobytes = line.split_whitespace().next().context("VmHWM without a number")?;
        let bytes = kilobytes.parse::<u64>().context("VmHWM is no number")? * 1024;
        let peak = peaks.entry(process).or_default();
        *peak = bytes.max(*peak);
    }
    children_of(process)?.into_iter().try_for_each(|child| note(child, peaks))
}
