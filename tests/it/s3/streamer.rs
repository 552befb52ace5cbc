//! The uploader as a library: the example of the handbook's "Direct Cloud Streaming", run on a real store.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Random, S3_BUCKET, S3Access, S3Options, S3Server, S3Sink, build_examples};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Several parts, the last of them short.
const BYTES: usize = 23_000_000;

pub(super) fn example() -> Result<PathBuf> {
    let is_it = |path: &PathBuf| path.file_name() == Some("stream_to_s3".as_ref());
    build_examples()?.into_iter().find(is_it).context("the example was not built")
}

#[test]
fn the_example_streams_what_it_is_given_and_says_where_it_is() -> Result<()> {
    let example = &example()?;
    let store = S3Server::start(S3Options::default())?;
    let mut random = Random::announced("a stream");
    let bytes: Vec<u8> =
        std::iter::repeat_with(|| random.bits().to_le_bytes()).take(BYTES / 8).flatten().collect();

    for (key, flags) in [("direct/db.tar.gz", &[][..]), ("direct/async.tar.gz", &["--async"])] {
        let said = stream(example, flags, &store, key, &bytes)?;
        ensure!(said.contains(&format!("s3://{S3_BUCKET}/{key}")), "it said {said:?}");
        ensure!(store.client()?.get(key)? == bytes, "other bytes are there");
        ensure!(store.client()?.uploads()?.is_empty(), "an upload is left");
    }
    // Nothing at all is an object too.
    stream(example, &[], &store, "direct/empty", &[])?;
    ensure!(store.client()?.get("direct/empty")?.is_empty(), "bytes out of nothing");
    Ok(())
}

fn stream(
    example: &Path,
    flags: &[&str],
    store: &S3Server,
    key: &str,
    bytes: &[u8],
) -> Result<String> {
    let mut run = begin(example, &store.access(), key)
        .args(flags)
        .args(["workers=3", "part_size=5242880"])
        .stdout(Stdio::piped())
        .spawn()
        .context("start the example")?;
    run.stdin.take().context("its input")?.write_all(bytes)?;
    let output = run.wait_with_output()?;
    ensure!(output.status.success(), "the example ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(super) fn begin(example: &Path, access: &S3Access, key: &str) -> Command {
    let mut run = Command::new(example);
    run.args([&access.endpoint, S3_BUCKET, key]).envs(access.env()).stdin(Stdio::piped());
    run
}

#[test]
fn memory_is_that_of_the_parts_on_their_way() -> Result<()> {
    const PART_BYTES: u64 = 8 << 20;
    const WORKERS: u64 = 4;
    let example = example()?;
    let sink = S3Sink::start()?;
    let options = [format!("workers={WORKERS}"), format!("part_size={PART_BYTES}")];
    let mut run = begin(&example, &sink.access(), "db.tar").args(options).spawn()?;
    let mut input = run.stdin.take().context("its input")?;
    let mut random = Random::announced("a long stream");
    let chunk: Vec<u8> =
        std::iter::repeat_with(|| random.bits().to_le_bytes()).take(1 << 17).flatten().collect();
    // Several times what it may hold.
    for _ in 0..500 {
        input.write_all(&chunk)?;
    }
    let peak = peak_memory_bytes(run.id())?;
    drop(input);
    ensure!(run.wait()?.success(), "the example failed");
    let limit = (WORKERS + 2) * PART_BYTES + 60_000_000;
    ensure!(peak < limit, "{peak} bytes of {limit}");
    // Were it not for the parts, the figure would say nothing of them.
    ensure!(peak > 2 * PART_BYTES, "{peak} bytes are no parts");
    Ok(())
}

/// What a process had in memory at most so far.
fn peak_memory_bytes(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
