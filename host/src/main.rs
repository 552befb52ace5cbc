//! The `dbbackup` binary.
use dbbackup::supervisor::WORKER_ARGUMENT;
use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A worker is told everything over its socket: it reads no flags and no configuration.
    match arguments.as_slice() {
        [_, command] if command == WORKER_ARGUMENT => dbbackup::run_worker(),
        _ => ExitCode::from(dbbackup::main(arguments).code()),
    }
}
