//! The uploader as a library: the example of the handbook's "Direct Cloud Streaming", run on a real store.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Random, S3_BUCKET, S3Access, S3Options, S3Server, build_examples};
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
