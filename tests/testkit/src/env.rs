//! Every environment variable that the test kit reads.
#![allow(
    clippy::disallowed_methods,
    reason = "this file is where the test kit reads its environment"
)]
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// Where fetched servers and their templates are kept: `$XDG_CACHE_HOME` or `~/.cache`, then
/// `dbbackup-testbed`.
///
/// # Errors
/// Neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn cache_root() -> Result<PathBuf> {
    let base = match non_empty("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => {
            let home = non_empty("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
            PathBuf::from(home).join(".cache")
        }
    };
    Ok(base.join("dbbackup-testbed"))
}

/// Whether this is a run of continuous integration, where a skipped test is a failure.
pub fn is_ci() -> bool {
    non_empty("CI").is_some_and(|value| value != "false" && value != "0")
}

/// Whether the long acceptance tests were asked for (`cargo xtask test --acceptance`).
pub fn is_acceptance() -> bool {
    non_empty(ACCEPTANCE).is_some()
}

/// How often a test tries something at random: `usually`, or `in_acceptance` in a long run.
pub fn times(usually: u64, in_acceptance: u64) -> u64 {
    if is_acceptance() { in_acceptance } else { usually }
}

/// Set to `1` by `cargo xtask test --acceptance`.
pub const ACCEPTANCE: &str = "DBBACKUP_TEST_ACCEPTANCE";

/// Set by `cargo xtask test` to the file that collects the reasons of skipped tests.
pub const SKIP_FILE: &str = "DBBACKUP_TEST_SKIP_FILE";

/// The file that collects the reasons of skipped tests, if a run collects them.
pub fn skip_file() -> Option<PathBuf> {
    non_empty(SKIP_FILE).map(PathBuf::from)
}

/// Set by `cargo xtask test` to the file that names what it has built
/// ([`Product::write`](crate::Product::write)), so that no test builds it again.
pub const PRODUCT_FILE: &str = "DBBACKUP_TEST_PRODUCT_FILE";

pub(crate) fn product_file() -> Option<PathBuf> {
    non_empty(PRODUCT_FILE).map(PathBuf::from)
}

/// Set inside a guest of the test kit ([`Guest::run_test`](crate::Guest::run_test)).
pub const IN_GUEST: &str = "DBBACKUP_TEST_IN_GUEST";

/// Whether this process runs inside a guest, whose volumes are there to be destroyed.
pub fn is_in_guest() -> bool {
    non_empty(IN_GUEST).is_some()
}

/// The seed given to tests with random choices, so that a failure can be repeated.
pub fn seed() -> Option<u64> {
    non_empty("DBBACKUP_TEST_SEED").and_then(|seed| seed.to_str()?.parse().ok())
}

/// The `PATH` of this process.
pub fn path() -> OsString {
    non_empty("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"))
}

/// The cargo that runs us, or the one on the `PATH`, with an environment like the user's own.
///
/// What cargo tells a running test about its package would reach the build scripts of a nested
/// build, and those that watch it (ring's does) would build half of the dependencies anew.
pub fn cargo() -> Command {
    const TOLD: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    let mut cargo = Command::new(non_empty("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if TOLD.iter().any(|prefix| text.starts_with(prefix)) {
            cargo.env_remove(&name);
        }
    }
    cargo.env_remove("CARGO_PRIMARY_PACKAGE").env_remove("CARGO_TARGET_TMPDIR");
    cargo
}

/// What tells one run of nextest from another; `cargo test` has none.
pub(crate) fn run_id() -> Option<String> {
    non_empty("NEXTEST_RUN_ID").and_then(|id| id.into_string().ok())
}

fn non_empty(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
