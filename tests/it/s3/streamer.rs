//! The uploader as a library: the example of the handbook's "Direct Cloud Streaming", run on a real store.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Random, S3_BUCKET, S3Options, S3Server, build_examples};
use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Several parts, the last of them short.
const BYTES: usize = 23_000_000;

#[test]
fn the_example_streams_what_it_is_given_and_says_where_it_is() -> Result<()> {
    let examples = build_examples()?;
    let is_it = |path: &&std::path::PathBuf| path.file_name() == Some("stream_to_s3".as_ref());
    let example = examples.iter().find(is_it).context("the example was not built")?;
    let store = S3Server::start(S3Options::default())?;
    let mut random = Random::announced("a stream");
    let bytes: Vec<u8> =
        std::iter::repeat_with(|| random.bits().to_le_bytes()).take(BYTES / 8).flatten().collect();

    let said = stream(example, &store, "direct/db.tar.gz", &bytes)?;
    ensure!(said.contains(&format!("s3://{S3_BUCKET}/direct/db.tar.gz")), "it said {said:?}");
    ensure!(store.client()?.get("direct/db.tar.gz")? == bytes, "other bytes are there");
    ensure!(store.client()?.uploads()?.is_empty(), "an upload is left");
    // Nothing at all is an object too.
    stream(example, &store, "direct/empty", &[])?;
    ensure!(store.client()?.get("direct/empty")?.is_empty(), "bytes out of nothing");
    Ok(())
}

fn stream(example: &Path, store: &S3Server, key: &str, bytes: &[u8]) -> Result<String> {
    let access = store.access();
    let mut run = Command::new(example)
        .args([&access.endpoint, S3_BUCKET, key, "workers=3", "part_size=5242880"])
        .envs(access.env())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the example")?;
    run.stdin.take().context("its input")?.write_all(bytes)?;
    let output = run.wait_with_output()?;
    ensure!(output.status.success(), "the example ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
