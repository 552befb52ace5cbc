//! A restore with all its checks beside the bare extraction of the same artefact, synced.
use super::contest::{Contest, chain};
use super::figure::{Bound, Figure};
use super::pipeline::unpack;
use super::setting::{Setting, manifest_of, remove};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Takes turns at an artefact, and removes it in the end.
pub(crate) fn beside_extraction(
    setting: &Setting,
    engine: &str,
    data: &str,
    artefact: &Path,
) -> Result<Figure> {
    let begun = Figure::begin(format!("{engine}: restore"), data)?;
    let directory = setting.path("turn");
    let contest = Contest { rounds: setting.rounds, servers: &[], directory, output: "data" };
    let rounds = contest.run(
        |output| {
            let words = ["restore".into(), artefact.to_owned().into_os_string()];
            let restore = setting.rig.dbbackup(words).arg("--target-dir").arg(output);
            chain(vec![restore.to_command()], None)
        },
        |output| {
            fs::create_dir(output)?;
            chain(vec![unpack(setting, artefact, output)], None)?;
            let mut sync = Command::new("sync");
            sync.arg("--file-system").arg(output);
            chain(vec![sync], None)
        },
    )?;
    remove(artefact)?;
    remove(&manifest_of(artefact))?;
    begun.ratio("our extraction", Bound::AtMost(1.2), rounds)
}
