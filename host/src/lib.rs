//! The dbbackup host: finds and drives engine plugins, and owns everything between an engine's
//! entries and a committed backup. `ARCHITECTURE.md` has the map.
pub mod exit;
pub mod pipeline;
pub mod supervisor;
