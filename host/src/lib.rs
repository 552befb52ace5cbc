//! The dbbackup host: finds and drives engine plugins, and owns everything between an engine's
//! entries and a committed backup. `ARCHITECTURE.md` has the map.
pub mod config;
pub mod connection;
pub mod env;
pub mod exit;
mod nearest;
pub mod option_file;
pub mod pipeline;
pub mod plugin;
pub mod supervisor;
