//! A server with a few sample tables, a dbbackup to back it up with, and what tests ask about the
//! outcome of a run.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Invocation, Rig, SampleTables, Server, ServerOptions};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// How long a source may take to be writable again after a run has ended in any way.
const WRITABLE_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Shop {
    pub(crate) rig: Rig,
    pub(crate) server: Server,
}

impl Shop {
    /// About `rows` times 240 bytes in each of four tables.
    pub(crate) fn open(rows: u64) -> Result<Self> {
        Self::on(Flavor::Mysql97, rows)
    }

    pub(crate) fn on(flavor: Flavor, rows: u64) -> Result<Self> {
        let server = Server::start(flavor, ServerOptions::default())?;
        SampleTables { rows, ..SampleTables::small() }.load(&server)?;
        Ok(Self { rig: Rig::new()?, server })
    }

    /// Prepares `physical-backup --engine mysqldump --output NAME`.
    pub(crate) fn backup(&self, output: &str) -> Invocation {
        let arguments = ["physical-backup", "--engine", "mysqldump", "--output", output];
        self.rig.dbbackup_on(&self.server, arguments)
    }

    /// Makes a backup that must succeed.
    pub(crate) fn backed_up(&self, output: &str) -> Result<()> {
        self.backup(output).run()?.expect_success().map(drop)
    }

    /// Expects exactly these names in the directory of the runs.
    pub(crate) fn expect_names(&self, expected: &[&str]) -> Result<()> {
        let found = names(&self.rig.work_dir())?;
        ensure!(found == expected, "the directory holds {found:?}, not {expected:?}");
        Ok(())
    }

    /// Expects that nothing waits for being undone, and that the source takes writes.
    pub(crate) fn expect_clean(&self) -> Result<()> {
        let state = self.rig.state_dir().join("dbbackup");
        for part in ["journal", "scratch"] {
            let directory = state.join(part);
            if directory.exists() {
                let left = names(&directory)?;
                ensure!(left.is_empty(), "{} holds {left:?}", directory.display());
            }
        }
        self.server.expect_writable_within(WRITABLE_WITHIN)
    }

    /// Expects that no manifest is there without all its bytes: every backup of the directory
    /// passes `verify`, and there are `count` of them.
    pub(crate) fn expect_backups(&self, count: usize) -> Result<()> {
        let names = names(&self.rig.work_dir())?;
        let manifests = names.iter().filter_map(|name| name.strip_suffix(".manifest.json"));
        let artefacts: Vec<_> = manifests.collect();
        ensure!(artefacts.len() == count, "{count} backups expected among {names:?}");
        for artefact in artefacts {
            let verified = self.rig.dbbackup(["verify", artefact]).run()?;
            verified.expect_success().context("a manifest without its bytes")?;
        }
        Ok(())
    }
}

/// Names in a directory, sorted.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
