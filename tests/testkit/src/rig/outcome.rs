//! What a run of `dbbackup` has come to.
use anyhow::{Context, Result, bail};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Exit status and output of a run that has ended.
#[derive(Debug)]
pub struct Outcome {
    pub(super) status: ExitStatus,
    /// What it wrote to stdout: the result and nothing else.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr: the log.
    pub stderr: String,
    pub(super) command_line: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Outcome {
    /// The exit code, or `None` if a signal ended the run.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended the run.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// The command line, for people.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// Expects the exit code.
    ///
    /// # Errors
    /// The run ended otherwise; the message holds its output.
    pub fn expect_exit(&self, code: i32) -> Result<&Self> {
        if self.code() != Some(code) {
            bail!("expected exit code {code}, but {self}");
        }
        Ok(self)
    }

    /// Expects exit code 0.
    ///
    /// # Errors
    /// As for [`Outcome::expect_exit`].
    pub fn expect_success(&self) -> Result<&Self> {
        self.expect_exit(0)
    }

    /// Expects `text` on stderr.
    ///
    /// # Errors
    /// It is not there.
    pub fn expect_stderr(&self, text: &str) -> Result<&Self> {
        if !self.stderr.contains(text) {
            bail!("expected {text:?} on stderr, but {self}");
        }
        Ok(self)
    }

    /// Expects `text` on stdout.
    ///
    /// # Errors
    /// It is not there.
    pub fn expect_stdout(&self, text: &str) -> Result<&Self> {
        if !self.stdout_text().contains(text) {
            bail!("expected {text:?} on stdout, but {self}");
        }
        Ok(self)
    }

    /// Expects that the log holds no warning and no error but those with one of `named` in them.
    ///
    /// # Errors
    /// It holds another one.
    pub fn expect_log_without_others_than(&self, named: &[&str]) -> Result<&Self> {
        let is_grave =
            |line: &&str| line.split_whitespace().any(|word| matches!(word, "WARN" | "ERROR"));
        let is_named = |line: &str| named.iter().any(|text| line.contains(text));
        if let Some(line) = self.stderr.lines().filter(is_grave).find(|line| !is_named(line)) {
            bail!("unexpected in the log: {line:?}; {self}");
        }
        Ok(self)
    }

    /// Stdout as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Stdout as the one JSON document that `--json` promises.
    ///
    /// # Errors
    /// It is something else.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.stdout).with_context(|| format!("no JSON: {self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} ended with {} after {:?}\nstdout: {}\nstderr: {}",
            self.command_line,
            self.status,
            self.elapsed,
            shortened(&self.stdout_text()),
            shortened(&self.stderr)
        )
    }
}

/// The end of a long text, where the reason stands.
fn shortened(text: &str) -> &str {
    const LONGEST: usize = 6_000;
    let mut from = text.len().saturating_sub(LONGEST);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or(text)
}
