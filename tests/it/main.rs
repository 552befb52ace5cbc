//! Integration tests.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and print"
)]
mod logical;
mod logical_consistency;
mod logical_faults;
mod logical_restore;
mod logical_round_trip;
mod tidy;
mod wire_client;
