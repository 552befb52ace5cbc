//! The `dbbackup` binary.
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(dbbackup::main(std::env::args_os().collect()).code())
}
