//! What is asked after a run has ended in any way: what it has left, what is listed, and whether the
//! source is as free as before.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Rig, Server};
use std::{fs, path::Path, time::Duration};

/// How long a source may take to be writable again after a run has ended in any way.
const WRITABLE_WITHIN: Duration = Duration::from_secs(5);

/// The dbbackup that ran, and the server that it read.
pub(crate) struct Aftermath<'a> {
    pub(crate) rig: &'a Rig,
    pub(crate) server: &'a Server,
}

impl Aftermath<'_> {
    /// Expects exactly these names in the directory of the runs.
    pub(crate) fn expect_names<S>(&self, expected: &[S]) -> Result<()>
    where
        S: AsRef<str>,
    {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        let found = names(&self.rig.work_dir())?;
        ensure!(found == expected, "the directory holds {found:?}, not {expected:?}");
        Ok(())
    }

    /// Expects that nothing waits for being undone, and that the source takes writes and DDL.
    pub(crate) fn expect_clean(&self) -> Result<()> {
        let state = self.rig.state_dir().join("dbbackup");
        for part in ["journal", "scratch"] {
            let directory = state.join(part);
            if directory.exists() {
                let left = names(&directory)?;
                ensure!(left.is_empty(), "{} holds {left:?}", directory.display());
            }
        }
        self.expect_free_source()
    }

    /// Expects that the source takes writes and DDL.
    pub(crate) fn expect_free_source(&self) -> Result<()> {
        self.server.expect_writable_within(WRITABLE_WITHIN)
    }

    /// Expects that no manifest is there and nothing is listed without all its bytes: every backup of
    /// the directory passes `verify`, and there are `count` of them.
    pub(crate) fn expect_backups(&self, count: usize) -> Result<()> {
        let artefacts = self.with_manifests()?;
        ensure!(artefacts.len() == count, "{count} backups expected, not {artefacts:?}");
        let listed = self.listed()?;
        ensure!(listed == artefacts, "{listed:?} are listed, {artefacts:?} have a manifest");
        artefacts.iter().try_for_each(|artefact| self.verify(artefact))
    }

    /// Expects that what is listed as a backup passes `verify`, whatever else lies around.
    pub(crate) fn expect_listed_to_be_whole(&self) -> Result<()> {
        self.listed()?.iter().try_for_each(|artefact| self.verify(artefact))
    }

    fn verify(&self, artefact: &str) -> Result<()> {
        let verified = self.rig.dbbackup(["verify", artefact]).run()?;
        verified.expect_success().context("a backup without its bytes").map(drop)
    }

    /// Names of what has a manifest, beside it or, for a directory, in it; sorted.
    fn with_manifests(&self) -> Result<Vec<String>> {
        let beside = |name: &String| name.strip_suffix(".manifest.json").map(str::to_owned);
        let inside = |name: &String| {
            let manifest = self.rig.path(name).join(".dbbackup/manifest.json");
            manifest.exists().then(|| name.clone())
        };
        let names = names(&self.rig.work_dir())?;
        let found = names.iter().filter_map(|name| beside(name).or_else(|| inside(name)));
        let mut found: Vec<String> = found.collect();
        found.sort();
        Ok(found)
    }

    /// Names of what `list` calls a backup, sorted.
    pub(crate) fn listed(&self) -> Result<Vec<String>> {
        let listed = self.rig.dbbackup(["list", ".", "--json"]).run()?;
        let document = listed.expect_success()?.json()?;
        let entries = &document["data"]["locations"][0]["backups"];
        let entries = entries.as_array().with_context(|| format!("no backups: {document}"))?;
        let is_backup = |entry: &&serde_json::Value| entry["state"]["state"] != "incomplete";
        let mut found = Vec::new();
        for entry in entries.iter().filter(is_backup) {
            let artefact = entry["artefact"].as_str().context("an entry without an artefact")?;
            let name = Path::new(artefact).file_name().context("an artefact without a name")?;
            found.push(name.to_string_lossy().into_owned());
        }
        found.sort();
        Ok(found)
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
