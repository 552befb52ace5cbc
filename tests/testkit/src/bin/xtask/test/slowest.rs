//! The times of tests, read from what the two harnesses print.
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

/// Seconds by test.
#[derive(Debug, Default)]
pub(super) struct Times {
    seconds: BTreeMap<String, f64>,
}

impl Times {
    /// Takes the time from a line that reports the end of a test; other lines are no matter.
    pub(super) fn note(&mut self, line: &str) {
        if let Some((name, seconds)) = nextest(line).or_else(|| stock(line)) {
            self.seconds.insert(name, seconds);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.seconds.len()
    }

    /// The `count` slowest, slowest first.
    pub(super) fn slowest(&self, count: usize) -> Vec<(f64, &str)> {
        let mut all: Vec<(f64, &str)> =
            self.seconds.iter().map(|(name, seconds)| (*seconds, name.as_str())).collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0));
        all.truncate(count);
        all
    }
}

/// `        PASS [   0.015s] (1/5) crate::binary module::test`
fn nextest(line: &str) -> Option<(String, f64)> {
    let line = line.trim_start();
    let rest = ["PASS", "FAIL", "TIMEOUT", "ABORT", "SIGSEGV", "SIGKILL", "SIGABRT", "LEAK"]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    let (seconds, name) = rest.trim_start().strip_prefix('[')?.split_once("s]")?;
    let name = name.trim_start();
    let name = match name.strip_prefix('(') {
        Some(counted) => counted.split_once(')')?.1.trim_start(),
        None => name,
    };
    Some((name.to_owned(), seconds.trim().parse().ok()?))
}

/// `test module::test ... ok <0.005s>`
fn stock(line: &str) -> Option<(String, f64)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let (_, time) = outcome.split_once('<')?;
    Some((name.to_owned(), time.split_once("s>")?.0.parse().ok()?))
}
