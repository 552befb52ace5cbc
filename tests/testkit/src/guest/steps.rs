//! Steps of a scenario inside a guest: each says how it ended in a line that is understood outside.
use crate::env;
use anyhow::{Result, bail, ensure};
use std::time::Instant;

const HELD: &str = "guest step held: ";
const FAILED: &str = "guest step failed: ";

/// The steps of a scenario. One that fails does not keep the others from running.
#[derive(Debug, Default)]
pub struct Steps {
    failed: usize,
}

impl Steps {
    /// Begins a scenario.
    ///
    /// # Errors
    /// Not inside a guest: a scenario makes and destroys whole volumes.
    pub fn begin() -> Result<Self> {
        ensure!(
            env::is_in_guest(),
            "this runs inside a guest, which the test that is not ignored starts"
        );
        Ok(Self::default())
    }

    /// Runs a step and says how it ended.
    #[allow(clippy::print_stdout, reason = "this is how a guest reports")]
    pub fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) {
        let started = Instant::now();
        let outcome = step();
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("\n{HELD}{name} ({seconds:.1} s)"),
            Err(error) => {
                self.failed += 1;
                println!("\n{error:?}\n{FAILED}{name} ({seconds:.1} s)");
            }
        }
    }

    /// Ends the scenario.
    ///
    /// # Errors
    /// A step failed.
    pub fn end(self) -> Result<()> {
        if self.failed > 0 {
            bail!("{} steps failed", self.failed);
        }
        Ok(())
    }
}

/// What a step came to.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) held: bool,
}

/// Finds the steps in a guest's output, in the order in which they ended.
pub(super) fn parse(output: &str) -> Vec<Step> {
    let step = |line: &str| {
        let (rest, held) = match line.strip_prefix(HELD) {
            Some(rest) => (rest, true),
            None => (line.strip_prefix(FAILED)?, false),
        };
        let (name, _seconds) = rest.rsplit_once(" (")?;
        Some(Step { name: name.to_owned(), held })
    };
    output.lines().filter_map(step).collect()
}
