//! Runs that are killed, by `SIGKILL`, at a chosen place and a random moment after it.
use anyhow::Result;
use dbbackup_testkit::{Outcome, Random, Running, Signal, env, pause, wait_until};
use std::{fs, path::Path, time::Duration};

/// Moments that are tried in an ordinary run of the tests, and in an acceptance run.
const MOMENTS: u64 = 6;
const ACCEPTANCE_MOMENTS: u64 = 100;
/// How long a run may take to come to a place.
const PATIENCE: Duration = Duration::from_secs(120);

/// The process that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// What runs the engine.
    Worker,
    /// What was started, and commits.
    Supervisor,
}

/// Where a run is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Counted from 0.
    pub(crate) number: u64,
    /// How much of an undisturbed run has to be behind it, in thousandths of its progress.
    pub(crate) permille: u64,
    /// How much longer it goes on.
    pub(crate) then: Duration,
}

/// Moments spread over a whole run, its end most of all: that is where a backup comes into being.
pub(crate) fn moments(name: &str) -> impl Iterator<Item = Moment> {
    let count = env::times(MOMENTS, ACCEPTANCE_MOMENTS);
    let mut random = Random::announced(name);
    (0..count).map(move |number| {
        let permille = 1000 * number / count + random.below(1000 / count);
        let (permille, longest_ms) = if permille < 750 { (permille, 40) } else { (990, 300) };
        Moment { number, permille, then: Duration::from_millis(random.below(longest_ms)) }
    })
}

/// Lets a run come to a moment, unless it ends before.
pub(crate) fn come_to(
    run: &mut Running,
    moment: Moment,
    whole: u64,
    mut progress: impl FnMut() -> Result<u64>,
) -> Result<()> {
    let place = whole * moment.permille / 1000;
    run.wait_for_worker(PATIENCE)?;
    wait_until(&format!("it has come to {moment:?}"), PATIENCE, || {
        Ok(!run.is_running() || progress()? >= place)
    })?;
    pause(moment.then);
    Ok(())
}

/// Lets a run come to a moment, and kills.
pub(crate) fn kill(
    mut run: Running,
    victim: Victim,
    moment: Moment,
    whole: u64,
    progress: impl FnMut() -> Result<u64>,
) -> Result<Outcome> {
    come_to(&mut run, moment, whole, progress)?;
    match victim {
        Victim::Worker => run.kill_workers()?,
        Victim::Supervisor => run.signal(Signal::KILL)?,
    }
    run.wait()
}

/// Bytes of a file, or of all files in a directory and below; none where nothing is.
pub(crate) fn bytes_below(path: &Path) -> u64 {
    if path.is_dir() {
        // What goes while it is counted is not counted.
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| bytes_below(&entry.path())).sum();
    }
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
}
