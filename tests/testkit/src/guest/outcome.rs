//! What became of a guest's command.
use super::steps;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A guest's command that has ended, one way or another.
#[derive(Debug)]
pub struct GuestOutcome {
    code: Option<i32>,
    output: String,
    console: String,
    elapsed: Duration,
}

impl GuestOutcome {
    pub(super) fn read(run: &Path, output: &Path, elapsed: Duration) -> Result<Self> {
        let lossy = |path: &Path| -> Result<String> {
            let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
            Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
        };
        let code = match fs::read_to_string(run.join("code")) {
            Ok(text) => Some(text.trim().parse().context("the guest's exit code")?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).context("read the guest's exit code"),
        };
        let (output, console) = (lossy(output)?, lossy(&run.join("console"))?);
        Ok(Self { code, output, console, elapsed })
    }

    /// The command's exit code: 124 if its time was up, none if the guest did not come that far.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// What the command printed.
    pub fn output(&self) -> &str {
        &self.output
    }

    /// From the start of the guest to its end.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Expects the exit code 0.
    ///
    /// # Errors
    /// It is another one.
    pub fn expect_success(&self) -> Result<&Self> {
        if self.code != Some(0) {
            bail!("{self}");
        }
        Ok(self)
    }

    /// Expects that exactly these [`Steps`](super::Steps) have run and held, in this order.
    ///
    /// # Errors
    /// One failed, did not run, or was not expected; the message says which, and why.
    pub fn expect_steps(&self, names: &[&str]) -> Result<&Self> {
        let steps = steps::parse(&self.output);
        let failed: Vec<&str> =
            steps.iter().filter(|step| !step.held).map(|step| step.name.as_str()).collect();
        let ran: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        if !failed.is_empty() || ran != names || self.code != Some(0) {
            bail!("expected the steps {names:?}, ran {ran:?}, failed {failed:?}\n{self}");
        }
        Ok(self)
    }
}

impl fmt::Display for GuestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINES: usize = 200;
        let tail = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
        };
        let code = self.code.map_or("no exit code".to_owned(), |code| format!("exit code {code}"));
        writeln!(f, "a guest's command ended with {code} after {:?}", self.elapsed)?;
        writeln!(f, "-- output\n{}\n-- kernel\n{}", tail(&self.output), tail(&self.console))
    }
}
