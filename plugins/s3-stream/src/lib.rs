//! Engine `s3-stream`: the place where backups live is a bucket. Objects go up in parallel parts out of
//! pooled buffers and come back by ranged reads; nothing touches a local disk.
//!
//! A run's life in the store: its marker (`marker`), its upload (`upload`), which is recorded for
//! `undo` before it begins, and at the end the manifest, which the host puts. What a run leaves behind
//! is found by `unfinished` and removed by `leftovers`.
//!
//! Programs without a host use [`CloudStreamer`].

mod attend;
mod checksum;
mod client;
mod clock;
mod error;
mod leftovers;
mod location;
mod marker;
mod options;
mod pool;
mod reader;
mod refusal;
mod request;
mod schedule;
mod store;
mod streamer;
mod target;
mod undo;
mod unfinished;
mod upload;
mod writer;

use dbbackup_sdk::{
    Engine, Failure, Host, TargetEngine, UndoEngine,
    document::{
        assessment::{Assessment, Blocker, Remedy},
        environment::Environment,
        target::TargetLocation,
        undo::{UndoOutcome, UndoRecord},
    },
};

use crate::{attend::attend, undo::Undoing};
pub use crate::{
    error::{S3Error, Step},
    location::Place,
    options::{Encryption, LockMode, ObjectLock, Options},
    reader::S3Reader,
    refusal::Refusal,
    schedule::{Plan, Schedule},
    streamer::{CloudStreamer, RunningStream, StreamerConfig, Uploaded},
    target::S3Target,
    writer::S3Writer,
};

#[cfg(feature = "plugin")]
dbbackup_sdk::export_plugin! {
    manifest: "plugin.json",
    engines: { "s3-stream" => S3Stream: [target, undo] },
}

/// The engine with its options.
#[derive(Debug)]
pub struct S3Stream {
    options: Options,
}

impl Engine for S3Stream {
    type Options = Options;

    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        options.check()?;
        Ok(Self { options })
    }

    /// A place makes no backups; the question is the host's, whose answer is no.
    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        let blocker = Blocker {
            what: "s3-stream is a place for backups and makes none".to_owned(),
            remedy: Some(Remedy::Advice(
                "dbbackup stream-backup --target s3://BUCKET/NAME sends any engine's backup there"
                    .to_owned(),
            )),
        };
        Ok(Assessment { blockers: vec![blocker], ..Assessment::default() })
    }
}

impl TargetEngine for S3Stream {
    type Target = S3Target;

    fn open(&self, location: &TargetLocation, host: &Host) -> Result<S3Target, Failure> {
        Ok(S3Target::open(&location.location, &self.options, host)?)
    }
}

impl UndoEngine for S3Stream {
    fn undo(
        &self,
        record: &UndoRecord,
        dry_run: bool,
        host: &Host,
    ) -> Result<UndoOutcome, Failure> {
        let undone = attend(host, async { Undoing::of(record).await?.run(dry_run).await });
        Ok(undone?)
    }
}
