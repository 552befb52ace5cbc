//! Measures how fast chunks cross the plugin boundary; `cargo xtask bench abi` calls it.
//!
//! `abi_bench PLUGIN BYTES CHUNK_BYTES` loads a plugin as a worker does, lets its engine `flood` run
//! a backup into a sink that drops every chunk, and prints one line of JSON.
#![allow(clippy::print_stdout, reason = "the measured figures are this program's result")]
use anyhow::{Context, Result, bail};
use dbbackup::plugin::{PluginSettings, Registry, TrustPolicy};
use dbbackup_plugin_api::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{RResult, RSlice},
    },
    chunk::Chunk,
    document::{
        Doc, Extra,
        backup::{BackupRequest, LockBudgetDocument},
        entry::SinkLimits,
        environment::Environment,
    },
    error::AbiResult,
    host::{silent_host, unsupported},
    sink::{ArchiveSink, ArchiveSink_TO, EntryWriter, EntryWriter_TO, EntryWriterBox},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, bytes, chunk_bytes] = arguments.as_slice() else {
        bail!("usage: abi_bench PLUGIN BYTES CHUNK_BYTES");
    };
    let (bytes, chunk_bytes): (u64, u64) = (bytes.parse()?, chunk_bytes.parse()?);
    let settings = PluginSettings { trust: TrustPolicy::Dev, ..PluginSettings::only([]) };
    let mut registry = Registry::discover(&settings);
    registry.register(Path::new(plugin)).context("register the plugin")?;
    let options = serde_json::json!({"bytes": bytes, "chunk_bytes": chunk_bytes});
    let engine = registry.load("flood", silent_host(), options).context("load the engine")?;

    let dropped = Arc::new(AtomicU64::new(0));
    let sink = ArchiveSink_TO::from_value(Drain(dropped.clone()), TD_Opaque);
    let start = Instant::now();
    engine.backup(&request(), sink).context("run the backup")?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes = dropped.load(Ordering::Relaxed);
    println!("{}", serde_json::json!({"seconds": seconds, "bytes": bytes}));
    Ok(())
}

fn request() -> BackupRequest {
    BackupRequest {
        backup_id: "bench".to_owned(),
        connection: Default::default(),
        environment: Environment::default(),
        lock_budget: LockBudgetDocument { wait_ms: 0, hold_ms: 0 },
        max_replica_lag_ms: None,
        accept_degraded: Vec::new(),
        extra: Extra::new(),
    }
}

/// A sink that counts bytes and drops them; its writers share the count.
#[derive(Clone)]
struct Drain(Arc<AtomicU64>);

impl ArchiveSink for Drain {
    fn limits(&self) -> Doc {
        let limits = SinkLimits {
            open_streams: 1,
            open_files: 1,
            chunk_bytes: 1 << 20,
            extra: Extra::new(),
        };
        Doc::encode(&limits).unwrap_or_else(|_| Doc::empty())
    }

    fn open_entry(&self, _meta: Doc) -> AbiResult<EntryWriterBox> {
        RResult::ROk(EntryWriter_TO::from_value(self.clone(), TD_Opaque))
    }

    fn local_entries(&self, _entries: Doc) -> AbiResult<()> {
        unsupported("local entries")
    }
}

impl EntryWriter for Drain {
    fn write(&mut self, chunk: Chunk) -> AbiResult<()> {
        self.0.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        RResult::ROk(())
    }

    fn write_slice(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        RResult::ROk(())
    }

    fn finish(&mut self) -> AbiResult<()> {
        RResult::ROk(())
    }
}
