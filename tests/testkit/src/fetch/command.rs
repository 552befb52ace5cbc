//! Runs a helper program to its end; its exit status is part of its output.
use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};

/// Runs `command` and returns its output.
///
/// # Errors
/// The program is missing or ends with another status than 0; the message holds the tail of its
/// stderr.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {program}: is it installed?"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = stderr.lines().rev().take(8).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        bail!("{program} ended with {}: {}", output.status, tail.join("\n"));
    }
    Ok(output)
}
