//! Integration tests.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and print"
)]
mod file_target;
mod interrupted_backup;
mod logical;
mod logical_consistency;
mod logical_faults;
mod logical_restore;
mod logical_round_trip;
mod restore_safety;
mod shop;
mod tidy;
mod undo_journal;
mod wire_client;
