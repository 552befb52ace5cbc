//! Skipped tests: printed and counted, and failures in continuous integration.
use crate::env;
use std::fs::OpenOptions;
use std::io::Write as _;

/// Ends the test early because something it needs is missing, such as root.
///
/// The reason is printed and counted; with `CI=true` the test fails instead.
///
/// ```no_run
/// fn needs_root() -> anyhow::Result<()> {
///     if !dbbackup_testkit::is_root() {
///         dbbackup_testkit::skip!("mounting a filesystem needs root");
///     }
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::note_skip(&::std::format!($($reason)*), ::std::module_path!())?;
        return ::std::result::Result::Ok(());
    }};
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Prints and counts a skipped test; use [`skip!`](crate::skip).
///
/// # Errors
/// In continuous integration, always.
#[allow(clippy::print_stderr, reason = "a skipped test is reported to the person who runs it")]
pub fn note_skip(reason: &str, module: &str) -> anyhow::Result<()> {
    if env::is_ci() {
        anyhow::bail!("skipped in continuous integration: {reason}");
    }
    let thread = std::thread::current();
    let line = format!("skipped {module}::{}: {reason}", thread.name().unwrap_or("test"));
    eprintln!("{line}");
    if let Some(path) = env::skip_file() {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(file, "{line}")?;
    }
    Ok(())
}
