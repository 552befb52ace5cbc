//! The `dbbackup` binary.
fn main() {}
