//! Integration tests.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::result_large_err,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may panic and print"
)]
mod abi_gate;
mod aftermath;
mod busy_server;
mod clone_abandoned;
mod clone_beside;
mod clone_chunks;
mod clone_cuts;
mod clone_encrypted;
mod clone_faults;
mod clone_hostile;
mod clone_killed;
mod clone_led_outside;
mod clone_methods;
mod clone_protocol;
mod clone_round_trip;
mod cloned;
mod command_line;
mod configuration;
mod conformance;
mod doctor;
mod file_target;
mod generations;
mod interrupted_backup;
mod killed;
mod library_face;
mod load_matrix;
mod logical;
mod logical_consistency;
mod logical_faults;
mod logical_restore;
mod logical_round_trip;
mod negotiation;
mod page_check;
mod plugin_files;
mod replica;
mod restore_safety;
mod rogue_runs;
mod s3;
mod s3_server;
mod select;
mod selection;
mod shop;
mod snapshot_btrfs;
mod snapshot_lvm;
mod snapshot_zfs;
mod tasks;
mod tidy;
mod undo_journal;
mod vendor;
mod volume_machine;
mod wire_client;
