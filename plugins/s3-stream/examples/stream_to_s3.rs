//! Streams standard input into an object and prints where it is:
//! `stream_to_s3 ENDPOINT BUCKET KEY [OPTION=VALUE ...]`; an endpoint `-` is that of AWS.
//! Credentials come from the environment or a profile.

use std::{
    error::Error,
    io::{self, Read, Write},
    process::ExitCode,
};

use dbbackup_s3_stream::{CloudStreamer, Options, StreamerConfig};
use dbbackup_sdk::shown;

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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
    let mut stream = CloudStreamer::new(config)?.start();
    copy(&mut io::stdin().lock(), &mut stream)?;
    let uploaded = stream.complete_blocking()?;
    let mut out = io::stdout().lock();
    writeln!(out, "Uploaded to: {}", uploaded.location)?;
    for clause in uploaded.degraded {
        writeln!(out, "Note: {clause}")?;
    }
    Ok(())
}

const USAGE: &str = "usage: stream_to_s3 ENDPOINT BUCKET KEY [OPTION=VALUE ...]";

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
