//! The dbbackup host: finds and drives engine plugins, and owns everything between an engine's
//! entries and a committed backup. `ARCHITECTURE.md` has the map.
pub mod artefact;
pub mod backup;
pub mod catalog;
pub mod cleanup;
pub mod config;
pub mod connection;
pub mod env;
pub mod exit;
mod lock;
pub mod manifest;
mod nearest;
pub mod option_file;
pub mod pipeline;
pub mod plugin;
pub mod restore;
mod scratch_server;
pub mod supervisor;
pub mod target;
pub mod verify;
pub mod worker;
