//! Streams standard input into an object and prints where it is:
//! `stream_to_s3 ENDPOINT BUCKET KEY [WORKERS [PART_SIZE]]`; an endpoint `-` is that of AWS.
//! Credentials come from the environment or a profile.

use std::{
    error::Error,
    io::{self, Read, Write},
};

use dbbackup_s3_stream::{CloudStreamer, Options, StreamerConfig};
use dbbackup_sdk::{Classify, shown};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (place, sizes) = arguments.split_at_checked(3).ok_or(USAGE)?;
    let [endpoint, bucket, key] = place else { return Err(USAGE.into()) };
    let mut config = StreamerConfig::new(bucket, key);
    config.replace = true;
    config.options =
        Options { endpoint: (endpoint != "-").then(|| endpoint.clone()), ..Options::default() };
    if let Some(workers) = sizes.first() {
        config.worker_count = workers.parse()?;
    }
    if let Some(part_size) = sizes.get(1) {
        config.part_size = part_size.parse()?;
    }
    let mut stream = CloudStreamer::new(config)?.start();
    copy(&mut io::stdin().lock(), &mut stream)?;
    let uploaded = stream.complete_blocking().map_err(|error| {
        let hint = error.hint().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
        format!("{}{hint}", shown(&error))
    })?;
    let mut out = io::stdout().lock();
    writeln!(out, "Uploaded to: {}", uploaded.location)?;
    for clause in uploaded.degraded {
        writeln!(out, "Note: {clause}")?;
    }
    Ok(())
}

const USAGE: &str = "usage: stream_to_s3 ENDPOINT BUCKET KEY [WORKERS [PART_SIZE]]";

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
