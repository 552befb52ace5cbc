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
        std_types::{RArc, ROption, RResult, RSlice, RStr, RString, RVec},
    },
    capability::RawCapability,
    chunk::Chunk,
    document::{
        Doc, Extra,
        backup::{BackupRequest, LockBudgetDocument},
        entry::SinkLimits,
        environment::Environment,
    },
    error::AbiResult,
    host::{HostServices, HostServices_TO, unsupported},
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
    let host = HostServices_TO::from_ptr(RArc::new(NoServices), TD_Opaque);
    let options = serde_json::json!({"bytes": bytes, "chunk_bytes": chunk_bytes});
    let engine = registry.load("flood", host, options).context("load the engine")?;

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

/// A host that does nothing but let the engine run.
#[derive(Clone)]
struct NoServices;

impl HostServices for NoServices {
    fn log_enabled(&self, _level: u8, _target: RStr<'_>) -> bool {
        false
    }
    fn log(&self, _level: u8, _target: RStr<'_>, _message: RStr<'_>, _fields_json: RStr<'_>) {}
    fn progress(&self, _phase: RStr<'_>, _done: u64, _total: u64, _unit: RStr<'_>) {}
    fn heartbeat(&self) {}
    fn is_cancelled(&self) -> bool {
        false
    }
    fn wait_cancelled(&self, _milliseconds: u64) -> bool {
        false
    }
    fn scratch_directory(&self) -> AbiResult<RString> {
        unsupported("scratch directory")
    }
    fn secret(&self, _name: RStr<'_>) -> AbiResult<ROption<RVec<u8>>> {
        unsupported("secrets")
    }
    fn journal_record(&self, _record: Doc) -> AbiResult<u64> {
        unsupported("journal")
    }
    fn journal_done(&self, _number: u64) -> AbiResult<()> {
        unsupported("journal")
    }
    fn capability(&self, _id: RStr<'_>) -> ROption<RawCapability> {
        ROption::RNone
    }
}
