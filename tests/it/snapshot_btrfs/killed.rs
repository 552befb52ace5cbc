//! Workers and supervisors killed at any moment around the lock, the snapshot and the copy: locks are
//! free, and after the run, the next one or `cleanup` no subvolume of ours is there and nothing is mounted.
use super::{Machine, SUBVOLUME, needs_btrfs};
use crate::{
    aftermath::Aftermath,
    killed::{Moment, Victim, bytes_below, kill, moments},
};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{BtrfsDisk, Flavor, ServerOptions, WriteLoad, skip};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Rows of each table: the copy takes a second.
const ROWS: u64 = 2000;
/// How soon commits must go on.
const SOON: Duration = Duration::from_secs(10);
/// What the runs write.
const OUTPUT: &str = "db.tar";
/// Progress of a run, in thousandths, once its snapshot is in the journal, and once it is there: the
/// moments of the lock lie between. The copy follows.
const IN_THE_JOURNAL: u64 = 300;
const SNAPSHOT_IS_THERE: u64 = 500;
const WHOLE: u64 = 1000;

impl Machine {
    fn aftermath(&self) -> Aftermath<'_> {
        Aftermath { rig: &self.rig, server: &self.server }
    }

    /// How far a run is that began then, and whose artefact takes so many bytes.
    fn progress(&self, began: Instant, artefact_bytes: u64) -> Result<u64> {
        let copied_bytes = bytes_below(&self.rig.path("db.tar.partial"));
        if copied_bytes > 0 || !self.snapshots()?.is_empty() {
            let copied = (WHOLE - SNAPSHOT_IS_THERE) * copied_bytes / artefact_bytes;
            return Ok(SNAPSHOT_IS_THERE + copied);
        }
        let journal = self.rig.state_dir().join("dbbackup/journal");
        let is_there = match fs::read_dir(&journal) {
            // A journal of a run that ends in this moment is none.
            Ok(files) => files.flatten().any(|file| {
                fs::read_to_string(file.path()).is_ok_and(|text| text.contains("btrfs"))
            }),
            Err(_) => false,
        };
        // Nothing but time tells how far it is before.
        let since_ms = u64::try_from(began.elapsed().as_millis())?;
        Ok(if is_there { IN_THE_JOURNAL } else { since_ms.min(IN_THE_JOURNAL - 1) })
    }

    /// What is true after every kill: commits and DDL go on, and what is listed is a backup.
    fn expect_unharmed(&self, load: &WriteLoad) -> Result<()> {
        load.wait_for_commits(5, SOON)?;
        self.aftermath().expect_free_source()?;
        self.aftermath().expect_listed_to_be_whole()
    }

    /// What a killed supervisor has left goes with `cleanup`, or with the next run.
    fn clean_up(&self, moment: Moment) -> Result<()> {
        let run = if moment.number.is_multiple_of(2) {
            self.rig.dbbackup(["cleanup", "."])
        } else {
            self.backup(OUTPUT).arg("--force")
        };
        run.run()?.expect_success().map(drop)
    }

    /// No subvolume but the server's, no mount but the disk's, no record, and no file but a backup.
    fn expect_no_trace(&self) -> Result<()> {
        let subvolumes = self.disk.subvolumes()?;
        ensure!(subvolumes == [SUBVOLUME], "subvolumes: {subvolumes:?}");
        let disk = self.disk.path().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let below = mounts.lines().filter(|line| line.contains(&disk)).count();
        ensure!(below == 1, "mounts: {mounts}");
        let aftermath = self.aftermath();
        match aftermath.listed()?.len() {
            0 => aftermath.expect_names::<&str>(&[])?,
            _ => aftermath.expect_names(&[OUTPUT, "db.tar.manifest.json"])?,
        }
        aftermath.expect_clean()
    }

    fn forget(&self) -> Result<()> {
        for name in [OUTPUT, "db.tar.manifest.json"] {
            let path = self.rig.path(name);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// Kills a run at each moment.
fn kill_all(flavor: Flavor, victim: Victim, name: &str) -> Result<()> {
    let machine = Machine::start(flavor, ROWS, ServerOptions::default())?;
    let load = WriteLoad::start_paced(&machine.server, Duration::from_millis(10))?;
    machine.backup(OUTPUT).run()?.expect_success()?;
    let artefact_bytes = bytes_below(&machine.rig.path(OUTPUT));
    machine.forget()?;
    for moment in moments(name) {
        let began = Instant::now();
        let run = machine.backup(OUTPUT).start()?;
        let progress = || machine.progress(began, artefact_bytes);
        let outcome = kill(run, victim, moment, WHOLE, progress)?;
        println!("{moment:?} of {}: {:?}", flavor.name(), outcome.code());
        let after = || {
            machine.expect_unharmed(&load)?;
            if victim == Victim::Supervisor {
                machine.clean_up(moment)?;
            }
            machine.expect_no_trace()
        };
        after().with_context(|| format!("{moment:?}: {outcome}"))?;
        machine.forget()?;
    }
    machine.backup(OUTPUT).run()?.expect_success()?;
    machine.aftermath().expect_backups(1)?;
    machine.expect_no_trace()?;
    let report = load.stop();
    ensure!(report.failures == 0, "{report:?}");
    Ok(())
}

#[test]
fn killed_workers_leave_no_snapshot_and_no_lock() -> Result<()> {
    needs_btrfs!();
    [Flavor::Mariadb1011, Flavor::Mysql97]
        .into_iter()
        .try_for_each(|flavor| kill_all(flavor, Victim::Worker, "killed workers of snapshots"))
}

#[test]
fn killed_supervisors_leave_what_cleanup_or_the_next_run_removes() -> Result<()> {
    needs_btrfs!();
    let name = "killed supervisors of snapshots";
    [Flavor::Mariadb1011, Flavor::Mysql97]
        .into_iter()
        .try_for_each(|flavor| kill_all(flavor, Victim::Supervisor, name))
}
