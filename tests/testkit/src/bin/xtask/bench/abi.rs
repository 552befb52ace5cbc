//! Chunks from an engine in a shared library into a sink of the host that drops them.
use super::figure::{Bound, Figure};
use super::setting::Setting;
use super::usage::Usage;
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::process::{Command, Stdio};

/// Bytes of one run: some seconds at the bound.
const BYTES: u64 = 16 << 30;
/// Bytes of a chunk, as the engines make them.
const CHUNK_BYTES: u64 = 1 << 20;

/// What the program prints.
#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    bytes: u64,
}

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let (program, plugin) = (setting.example("abi_bench"), setting.example("flood"));
    let begun = Figure::begin("chunks through the boundary", "1 MiB chunks")?;
    let mut rates = Vec::new();
    let mut cpu = 0.0;
    for _ in 0..setting.rounds {
        let usage = Usage::of(&[], || {
            let mut command = Command::new(&program);
            command.arg(&plugin).args([BYTES.to_string(), CHUNK_BYTES.to_string()]);
            let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
            ensure!(output.status.success(), "{} ended with {}", program.display(), output.status);
            let answer: Answer = serde_json::from_slice(&output.stdout)?;
            ensure!(answer.bytes == BYTES, "{} bytes of {BYTES} arrived", answer.bytes);
            rates.push(gigabytes() / answer.seconds);
            Ok(())
        })?;
        cpu += usage.cpu;
    }
    println!("   {:.1} GB/s of CPU time", f64::from(setting.rounds) * gigabytes() / cpu);
    Ok(vec![begun.value("", Bound::Above(3.0), "GB/s", rates)?])
}

#[allow(clippy::cast_precision_loss, reason = "a power of two")]
fn gigabytes() -> f64 {
    BYTES as f64 / 1e9
}
