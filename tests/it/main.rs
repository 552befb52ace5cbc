//! Integration tests.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and print"
)]
mod abi_gate;
mod conformance;
mod file_target;
mod generations;
mod interrupted_backup;
mod load_matrix;
mod logical;
mod logical_consistency;
mod logical_faults;
mod logical_restore;
mod logical_round_trip;
mod negotiation;
mod page_check;
mod plugin_files;
mod restore_safety;
mod rogue_runs;
mod shop;
mod tidy;
mod undo_journal;
mod vendor;
mod wire_client;
