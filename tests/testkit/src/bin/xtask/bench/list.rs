//! `engine list` with seven plugins: what a user waits for before anything happens.
use super::figure::{Bound, Figure};
use super::setting::Setting;
use super::usage::Usage;
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::Rig;
use std::process::Stdio;

const PLUGINS: usize = 7;
/// Milliseconds.
const BOUND: Bound = Bound::Below(20.0);
/// Runs in each round: each takes only milliseconds.
const RUNS: u32 = 20;
/// Plugins of the test suite that lie in nothing that is read without running them.
const FILLERS: [&str; 6] =
    ["well", "well_two", "misdeeds", "constructor_aborts", "constructor_panics", "init_fails"];

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let rig = rig_with_plugins(setting)?;
    let begun = Figure::begin("engine list", format!("{PLUGINS} plugins"))?;
    let busy = begun.another("engine list: CPU");
    let mut milliseconds = Vec::new();
    let mut cpu_milliseconds = Vec::new();
    for _ in 0..setting.rounds {
        let mut cpu = 0.0;
        for _ in 0..RUNS {
            let usage = Usage::of(&[], || list(&rig))?;
            milliseconds.push(usage.wall * 1e3);
            cpu += usage.cpu * 1e3;
        }
        // The system counts in hundredths of a second, so that one run alone would say nothing.
        cpu_milliseconds.push(cpu / f64::from(RUNS));
    }
    Ok(vec![
        begun.value("", BOUND, "ms", milliseconds)?,
        busy.value("", BOUND, "ms", cpu_milliseconds)?,
    ])
}

/// The product's own plugins, filled up with those of the test suite.
fn rig_with_plugins(setting: &Setting) -> Result<Rig> {
    let rig = Rig::of(&setting.product)?;
    let missing = PLUGINS.saturating_sub(setting.product.plugins.len()).min(FILLERS.len());
    let fillers = FILLERS.get(..missing).unwrap_or_default();
    for filler in fillers {
        rig.add_plugin(&setting.example(filler))?;
    }
    let listed = rig.dbbackup(["engine", "list", "--json"]).run()?;
    let document = listed.expect_success()?.json()?;
    let plugins = document.pointer("/data/plugins").and_then(|plugins| plugins.as_array());
    let plugins = plugins.context("engine list names no plugins")?;
    let is_usable = |plugin: &&serde_json::Value| plugin.get("usable") == Some(&true.into());
    let usable = plugins.iter().filter(is_usable).count();
    ensure!(usable >= PLUGINS, "{usable} usable plugins instead of {PLUGINS}: {document}");
    Ok(rig)
}

fn list(rig: &Rig) -> Result<()> {
    let mut command = rig.dbbackup(["engine", "list"]).to_command();
    let output = command.stdin(Stdio::null()).output().context("start dbbackup")?;
    ensure!(output.status.success(), "engine list ended with {}", output.status);
    Ok(())
}
