//! Every environment variable that the test kit reads.
#![allow(
    clippy::disallowed_methods,
    reason = "this file is where the test kit reads its environment"
)]
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::path::PathBuf;

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

/// The seed given to tests with random choices, so that a failure can be repeated.
pub fn seed() -> Option<u64> {
    non_empty("DBBACKUP_TEST_SEED").and_then(|seed| seed.to_str()?.parse().ok())
}

/// The `PATH` of this process.
pub fn path() -> OsString {
    non_empty("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"))
}

/// The cargo that runs us, or the one on the `PATH`.
pub fn cargo() -> OsString {
    non_empty("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// What tells one run of nextest from another; `cargo test` has none.
pub(crate) fn run_id() -> Option<String> {
    non_empty("NEXTEST_RUN_ID").and_then(|id| id.into_string().ok())
}

fn non_empty(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
