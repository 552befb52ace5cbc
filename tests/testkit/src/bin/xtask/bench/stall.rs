//! How long a backup keeps commits waiting, beside a control that burns the same processor time and
//! reads and writes the same bytes, but asks the server for nothing.
use super::contest::chain;
use super::dump::backup;
use super::figure::{Bound, Figure};
use super::pipeline::{pack, tar};
use super::setting::{Setting, remove};
use anyhow::{Result, ensure};
use dbbackup_testkit::{Server, WriteLoad};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The rest between two transactions of the probe.
const PROBE_REST: Duration = Duration::from_millis(5);
/// Transactions of the probe before anything is measured.
const WARM_UP: u64 = 50;
/// How long the warm-up may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// The most that a backup may add to the longest transaction, milliseconds.
const BOUND_MS: f64 = 100.0;

/// Of one of our engines; its control packs the files of the tables with the same pipeline.
pub(crate) fn of_engine(
    setting: &Setting,
    server: &Server,
    engine: &str,
    tables: &Path,
) -> Result<Figure> {
    let ours = |output: &Path| chain(vec![backup(setting, server, engine, output)], None);
    let control = |output: &Path| chain(vec![pack(setting, tables, output)], None);
    measure(setting, server, engine, Bound::AtMost(BOUND_MS), ours, control)
}

/// Of a peer that compresses with zstd; its control does the same with the files of the tables.
pub(crate) fn of_peer(
    setting: &Setting,
    server: &Server,
    peer: &str,
    tables: &Path,
    run: impl Fn(&Path) -> Result<()>,
) -> Result<Figure> {
    let control = |output: &Path| {
        let mut zstd = setting.peer("zstd");
        zstd.args(["-q", "-3", "-T2"]);
        chain(vec![tar(setting, tables), zstd], Some(output))
    };
    measure(setting, server, peer, Bound::Informative, run, control)
}

/// The longest transaction while a backup runs, less that of its control, in each round.
fn measure(
    setting: &Setting,
    server: &Server,
    name: &str,
    bound: Bound,
    backup: impl Fn(&Path) -> Result<()>,
    control: impl Fn(&Path) -> Result<()>,
) -> Result<Figure> {
    let begun = Figure::begin(format!("{name}: stall of commits"), "5 ms probe")?;
    let directory = setting.path("turn");
    let output = directory.join("stall.tar.zst");
    let mut differences = Vec::new();
    for _ in 0..setting.rounds {
        let longest = longest_transaction(server, &directory, || backup(&output))?;
        let of_control = longest_transaction(server, &directory, || control(&output))?;
        println!("   longest transaction {longest:.0} ms, of the control {of_control:.0} ms");
        differences.push(longest - of_control);
    }
    remove(&directory)?;
    server.sql("DROP DATABASE write_load")?;
    begun.value("control of the same load", bound, "ms more", differences)
}

/// The longest transaction of the probe while `run` does its work, milliseconds.
fn longest_transaction(
    server: &Server,
    directory: &Path,
    run: impl FnOnce() -> Result<()>,
) -> Result<f64> {
    remove(directory)?;
    fs::create_dir(directory)?;
    rustix::fs::sync();
    let probe = WriteLoad::start_paced(server, PROBE_REST)?;
    probe.wait_for_commits(WARM_UP, DEADLINE)?;
    probe.forget_longest();
    run()?;
    let report = probe.stop();
    ensure!(report.failures == 0, "the probe failed: {:?}", report.last_failure);
    Ok(report.longest.as_secs_f64() * 1e3)
}
