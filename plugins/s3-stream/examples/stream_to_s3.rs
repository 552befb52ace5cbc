//! Streams standard input into an object and prints where it is:
//! `stream_to_s3 [--async] ENDPOINT BUCKET KEY [OPTION=VALUE ...]`; an endpoint `-` is that of AWS.
//! Credentials come from the environment or a profile. A stream is written to as `Write`, or as
//! `AsyncWrite` from a program with a runtime of its own: `--async` does that.

use std::{
    error::Error,
    io::{self, Read, Write},
    process::ExitCode,
};

use dbbackup_s3_stream::{CloudStreamer, Options, RunningStream, StreamerConfig, Uploaded};
use dbbackup_sdk::shown;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a standard error there is nobody to tell.
            writeln!(io::stderr(), "error: {}", shown(&*error)).ok();
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let before = arguments.len();
    arguments.retain(|argument| argument != "--async");
    let is_async = arguments.len() < before;
    let (place, options) = arguments.split_at_checked(3).ok_or(USAGE)?;
    let [endpoint, bucket, key] = place else { return Err(USAGE.into()) };
    let mut options = options_of(options)?;
    options.endpoint = (endpoint != "-").then(|| endpoint.clone());
    let config = StreamerConfig {
        part_size: options.part_size_bytes(),
        worker_count: options.workers(),
        replace: true,
        options,
        ..StreamerConfig::new(bucket, key)
    };
    let stream = CloudStreamer::new(config)?.start();
    let uploaded = if is_async { upload_in_a_runtime(stream)? } else { upload(stream)? };
    let mut out = io::stdout().lock();
    writeln!(out, "Uploaded to: {}", uploaded.location)?;
    for clause in uploaded.degraded {
        writeln!(out, "Note: {clause}")?;
    }
    Ok(())
}

fn upload(mut stream: RunningStream) -> Result<Uploaded, Box<dyn Error>> {
    if let Err(error) = copy(&mut io::stdin().lock(), &mut stream) {
        // Dropping it would do, but would not say whether parts are left that cost.
        stream.abort_blocking()?;
        return Err(error.into());
    }
    Ok(stream.complete_blocking()?)
}

fn upload_in_a_runtime(mut stream: RunningStream) -> Result<Uploaded, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        if let Err(error) = copy_async(&mut io::stdin().lock(), &mut stream).await {
            // Dropped here, it would still be at it when the program ends.
            stream.abort().await?;
            return Err(error.into());
        }
        Ok(stream.complete().await?)
    })
}

const USAGE: &str = "usage: stream_to_s3 [--async] ENDPOINT BUCKET KEY [OPTION=VALUE ...]";

/// Options of the engine, as its page lists them: `workers=8 unsigned_payload=true encryption=AES256`.
fn options_of(arguments: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = serde_json::Map::new();
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or(USAGE)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        options.insert(name.to_owned(), value);
    }
    Ok(serde_json::from_value(options.into())?)
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(chunk.get(..read).unwrap_or_default())?;
    }
}

/// Nothing else runs here that a blocking read could hold up.
async fn copy_async(from: &mut impl Read, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(chunk.get(..read).unwrap_or_default()).await?;
    }
}
