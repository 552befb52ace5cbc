//! What the kit found: a line a check.
use crate::plugin::PluginLabel;
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// The outcome of all checks.
#[derive(Clone, Debug, Serialize)]
pub struct ConformanceReport {
    /// The file tested.
    pub file: PathBuf,
    /// Its id and version.
    pub plugin: Option<PluginLabel>,
    /// Every check, in order.
    pub outcomes: Vec<CheckOutcome>,
}

/// The outcome of one check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckOutcome {
    /// Name of the check.
    pub check: String,
    /// The promise that it tries.
    pub promise: String,
    /// The engine; none for checks of the plugin as a whole.
    pub engine: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Time it took.
    pub milliseconds: u64,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The promise holds.
    Passed,
    /// It does not.
    Failed {
        /// What happened instead.
        why: String,
    },
    /// It could not be tried. Never counted as passed.
    NotRun {
        /// What it needs.
        why: String,
    },
}

impl ConformanceReport {
    /// True if no check failed and at least one passed.
    pub fn is_conformant(&self) -> bool {
        self.count(|v| matches!(v, Verdict::Failed { .. })) == 0
            && self.count(|v| *v == Verdict::Passed) > 0
    }

    /// How many checks have such a verdict.
    pub fn count(&self, is_such: impl Fn(&Verdict) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| is_such(&outcome.verdict)).count()
    }
}

impl fmt::Display for ConformanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.outcomes {
            writeln!(f, "{outcome}")?;
        }
        let passed = self.count(|v| *v == Verdict::Passed);
        let failed = self.count(|v| matches!(v, Verdict::Failed { .. }));
        let not_run = self.count(|v| matches!(v, Verdict::NotRun { .. }));
        writeln!(f, "{passed} passed, {failed} failed, {not_run} not run")
    }
}

impl fmt::Display for CheckOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.engine.as_deref().unwrap_or("plugin");
        let (word, why) = match &self.verdict {
            Verdict::Passed => ("passed", ""),
            Verdict::Failed { why } => ("FAILED", why.as_str()),
            Verdict::NotRun { why } => ("not run", why.as_str()),
        };
        write!(f, "{word:<8} {place:<16} {:<20} {}", self.check, self.promise)?;
        if why.is_empty() { Ok(()) } else { write!(f, "\n         {why}") }
    }
}
