//! Two programs take turns at the same work.
use super::usage::Usage;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// One turn of each.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Round {
    /// Ours.
    pub(crate) ours: Usage,
    /// The peer's.
    pub(crate) peer: Usage,
}

/// How turns are taken.
pub(crate) struct Contest<'a> {
    /// How many.
    pub(crate) rounds: u32,
    /// Processes whose work counts although they live on.
    pub(crate) servers: &'a [u32],
    /// Removes what the turn before has left; its time does not count.
    pub(crate) clear: &'a dyn Fn() -> Result<()>,
}

impl Contest<'_> {
    /// Takes turns: ours, the peer's, ours, the peer's.
    ///
    /// # Errors
    /// The first failure of either side.
    pub(crate) fn run(
        &self,
        ours: impl Fn() -> Result<()>,
        peer: impl Fn() -> Result<()>,
    ) -> Result<Vec<Round>> {
        let mut rounds = Vec::new();
        for number in 1..=self.rounds {
            let ours = self.turn(&ours)?;
            let peer = self.turn(&peer)?;
            println!(
                "   {number}: ours {:.2} s (CPU {:.2} s), peer {:.2} s (CPU {:.2} s)",
                ours.wall, ours.cpu, peer.wall, peer.cpu
            );
            rounds.push(Round { ours, peer });
        }
        (self.clear)()?;
        Ok(rounds)
    }

    fn turn(&self, side: &dyn Fn() -> Result<()>) -> Result<Usage> {
        (self.clear)()?;
        // What earlier turns have left in the page cache is not written at this one's cost.
        rustix::fs::sync();
        Usage::of(self.servers, side)
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
