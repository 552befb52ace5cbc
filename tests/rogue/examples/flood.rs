//! Emits chunks as fast as they are taken: what `cargo xtask bench abi` measures the boundary with.
use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, Failure, Host, Sink,
    document::{assessment::Assessment, backup::BackupSummary, environment::Environment},
    export_plugin,
};

export_plugin! {
    manifest: "plugins/flood.json",
    engines: { "flood" => Flood: [backup] },
}

struct Flood(Options);

#[derive(Default, serde::Deserialize)]
struct Options {
    bytes: usize,
    chunk_bytes: usize,
}

impl Engine for Flood {
    type Options = Options;
    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self(options))
    }
    fn assess(&self, _environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        Ok(dbbackup_rogue::applicable("flood"))
    }
}

impl BackupEngine for Flood {
    /// Fills each chunk anew, as an engine does whose bytes come from somewhere.
    fn backup(&self, _run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        let pattern: Vec<u8> = (0..=u8::MAX).cycle().take(self.0.chunk_bytes).collect();
        let mut entry = sink.open_entry(&dbbackup_rogue::entry_meta())?;
        let mut left = self.0.bytes;
        while left > 0 {
            let now = left.min(pattern.len());
            entry.write_chunk(pattern.get(..now).unwrap_or_default().to_vec())?;
            left -= now;
        }
        entry.finish()?;
        Ok(BackupSummary::default())
    }
}
