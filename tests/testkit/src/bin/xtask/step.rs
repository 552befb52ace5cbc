//! One step of a task: named, run, and its failure is the task's.
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Instant;

/// Announces and runs a program whose output the user sees.
///
/// # Errors
/// The program is missing or ends with another status than 0.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    println!("== {name}");
    let started = Instant::now();
    let status = command.status().with_context(|| format!("start {name}"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    println!("   {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}
