//! The dbbackup host: finds and drives engine plugins, and owns everything between an engine's
//! entries and a committed backup. `ARCHITECTURE.md` has the map.
pub mod artefact;
pub mod backup;
pub mod catalog;
pub mod cleanup;
mod cli;
mod command;
pub mod config;
pub mod conformance;
pub mod connection;
mod coordinates;
pub mod engine_options;
pub mod env;
pub mod exit;
mod lock;
mod logging;
pub mod manifest;
mod nearest;
pub mod option_file;
mod output;
pub mod pipeline;
pub mod plugin;
mod progress;
pub mod remote;
pub mod replica_statement;
pub mod restore;
mod scratch_server;
pub mod selector;
pub mod supervisor;
pub mod target;
pub mod verify;
pub mod worker;

pub use command::{main, run_worker};

// The library's face: what a program that embeds the host starts from.
pub use backup::{BackupJob, BackupOutcome, ChosenEngine};
pub use connection::Connection;
pub use plugin::Registry;
pub use selector::{Choice, Selector, SelectorConfig};
pub use supervisor::{Runtime, StateDir, WorkerCommand};
