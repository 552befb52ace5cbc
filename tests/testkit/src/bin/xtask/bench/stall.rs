//! How long a backup keeps commits waiting, beside a control that burns the same processor time and
//! reads and writes the same bytes, but asks the server for nothing.
use super::contest::chain;
use super::dump::backup;
use super::figure::{Bound, Figure};
use super::pipeline::pack;
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

/// The longest transaction while a backup runs, less that of the control, in each round.
pub(crate) fn measure(
    setting: &Setting,
    server: &Server,
    engine: &str,
    tables: &Path,
) -> Result<Figure> {
    let begun = Figure::begin(format!("{engine}: stall of commits"), "5 ms probe")?;
    let directory = setting.path("turn");
    let mut differences = Vec::new();
    for _ in 0..setting.rounds {
        let mut longest = [0.0; 2];
        let [ours, control] = &mut longest;
        let output = directory.join("stall.tar.zst");
        let run = || chain(vec![backup(setting, server, engine, &output)], None);
        *ours = longest_transaction(server, &directory, run)?;
        let run = || chain(vec![pack(setting, tables, &output)], None);
        *control = longest_transaction(server, &directory, run)?;
        println!("   longest transaction {ours:.0} ms, of the control {control:.0} ms");
        differences.push(*ours - *control);
    }
    remove(&directory)?;
    server.sql("DROP DATABASE write_load")?;
    begun.value("control of the same load", Bound::AtMost(BOUND_MS), "ms more", differences)
}

/// The longest transaction while something else runs, as it is, in each round.
pub(crate) fn of_peer(
    setting: &Setting,
    server: &Server,
    peer: &str,
    run: impl Fn(&Path) -> Result<()>,
) -> Result<Figure> {
    let begun = Figure::begin(format!("{peer}: stall of commits"), "5 ms probe")?;
    let directory = setting.path("turn");
    let output = directory.join("stall");
    let turn = |_| longest_transaction(server, &directory, || run(&output));
    let longest = (0..setting.rounds).map(turn).collect::<Result<_>>()?;
    remove(&directory)?;
    server.sql("DROP DATABASE write_load")?;
    begun.value("", Bound::Informative, "ms", longest)
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
