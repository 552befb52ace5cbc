//! Two programs take turns at the same work.
use super::setting::remove;
use super::usage::Usage;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One turn of each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Ours.
    pub(crate) ours: Turn,
    /// The peer's.
    pub(crate) peer: Turn,
}

/// What one side took, and what it made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Time.
    #[serde(flatten)]
    pub(crate) usage: Usage,
    /// Size of the output, if it is one file.
    pub(crate) output_bytes: Option<u64>,
}

/// How turns are taken.
pub(crate) struct Contest<'a> {
    /// How many.
    pub(crate) rounds: u32,
    /// Processes whose work counts although they live on.
    pub(crate) servers: &'a [u32],
    /// An empty directory at the start of each turn, and gone in the end.
    pub(crate) directory: PathBuf,
    /// Name of the output in it.
    pub(crate) output: &'a str,
}

impl Contest<'_> {
    /// Takes turns: ours, the peer's, ours, the peer's. Each is told where its output goes.
    ///
    /// # Errors
    /// The first failure of either side.
    pub(crate) fn run(
        &self,
        ours: impl Fn(&Path) -> Result<()>,
        peer: impl Fn(&Path) -> Result<()>,
    ) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        for number in 1..=self.rounds {
            let ours = self.turn(&ours)?;
            let peer = self.turn(&peer)?;
            println!("   {number}: ours {}, peer {}", ours.usage, peer.usage);
            rounds.push(Round { ours, peer });
        }
        remove(&self.directory)?;
        Ok(rounds)
    }

    fn turn(&self, side: &dyn Fn(&Path) -> Result<()>) -> Result<Turn> {
        remove(&self.directory)?;
        fs::create_dir(&self.directory)
            .with_context(|| format!("create {}", self.directory.display()))?;
        // What earlier turns have left in the page cache is not written at this one's cost.
        rustix::fs::sync();
        let output = self.directory.join(self.output);
        let usage = Usage::of(self.servers, || side(&output))?;
        let is_file = |found: &fs::Metadata| found.is_file();
        let output_bytes = fs::metadata(&output).ok().filter(is_file).map(|found| found.len());
        Ok(Turn { usage, output_bytes })
    }
}

/// Runs programs joined by pipes, the last of which writes into `output`.
///
/// # Errors
/// One of them cannot be started, or ends with another status than 0.
pub(crate) fn chain(commands: Vec<Command>, output: Option<&Path>) -> Result<()> {
    let mut children: Vec<(String, Child)> = Vec::new();
    let mut input = Stdio::null();
    let last = commands.len();
    for (number, mut command) in commands.into_iter().enumerate() {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(input).stdout(match output {
            _ if number + 1 < last => Stdio::piped(),
            Some(path) => {
                File::create(path).with_context(|| format!("create {}", path.display()))?.into()
            }
            None => Stdio::null(),
        });
        let mut child = command.spawn().with_context(|| format!("start {name}"))?;
        input = child.stdout.take().map_or_else(Stdio::null, Stdio::from);
        children.push((name, child));
    }
    // All are waited for, whichever fails.
    let mut failed = Vec::new();
    for (name, mut child) in children {
        let status = child.wait().with_context(|| format!("wait for {name}"))?;
        if !status.success() {
            failed.push(format!("{name} ended with {status}"));
        }
    }
    if !failed.is_empty() {
        bail!(failed.join(", "));
    }
    Ok(())
}
