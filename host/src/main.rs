//! The `dbbackup` binary.
use dbbackup::{conformance::CHECK_ARGUMENT, supervisor::WORKER_ARGUMENT};
use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // A worker is told everything over its socket: it reads no flags and no configuration. So is
    // one check of the conformance kit, which fails as a wrong command line if typed by hand.
    match arguments.as_slice() {
        [_, command, ..] if command == WORKER_ARGUMENT => dbbackup::run_worker(),
        [_, command] if command == CHECK_ARGUMENT => {
            dbbackup::conformance::run_as_check().unwrap_or(ExitCode::from(2))
        }
        _ => ExitCode::from(dbbackup::main(arguments).code()),
    }
}
