//! Safe Rust for authors of dbbackup engine plugins: implement [`Engine`] and a trait for each role,
//! then say [`export_plugin!`]. `docs/writing-an-engine.md` leads through it.
//!
//! abi_stable's types stay behind this crate; an engine's code needs no `unsafe`.

pub mod doctor;
#[cfg(feature = "server")]
pub mod dump;
pub mod engine;
pub mod export;
pub mod failure;
pub mod host;
mod log;
#[cfg(feature = "server")]
pub mod runtime;
#[cfg(feature = "server")]
pub mod server;
pub mod sink;
#[cfg(feature = "server")]
pub mod snapshot;
pub mod stream;
pub mod target;
pub mod tool;
#[cfg(feature = "server")]
pub mod wire;

pub use dbbackup_plugin_api as plugin_api;
pub use dbbackup_plugin_api::{abi_stable, document, error::ErrorCode, position};
pub use engine::{
    BackupEngine, BackupRun, DoctorEngine, Engine, ReplayEngine, ReplayRun, RestoreEngine,
    RestoreRun, Run, StreamEngine, StreamRun, TargetEngine, UndoEngine, VerifyEngine, VerifyRun,
};
pub use serde;
pub use serde_json;
pub use tracing;

pub use failure::{Classify, Failure, HostError, shown};
pub use host::{Host, JournalEntry, Unit, undo_record};
pub use sink::{EntryReader, EntryWriter, Sink};
pub use tool::{Tool, ToolError, ToolLock, ToolLockError};
