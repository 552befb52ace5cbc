//! The doctor of the engine: what it says of a Btrfs, and of what is none. It changes nothing.
use super::{Machine, SUBVOLUME, needs_btrfs};
use anyhow::{Result, ensure};
use dbbackup_testkit::{BtrfsDisk, Flavor, Outcome, Rig, Server, ServerOptions, run_program, skip};

fn doctor(rig: &Rig, server: &Server) -> Result<Outcome> {
    rig.dbbackup_on(server, ["engine", "doctor", "--engine", "btrfs-snapshot"]).run()
}

#[test]
fn on_btrfs_the_doctor_names_the_subvolume_and_leaves_it_alone() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mysql97, 100, ServerOptions::default())?;
    let before = machine.disk.subvolumes()?;
    let subvolume = machine.disk.path().join(SUBVOLUME);
    let good = format!("good: engine btrfs-snapshot: Btrfs snapshot of {}\n", subvolume.display());
    doctor(&machine.rig, &machine.server)?.expect_success()?.expect_stdout(&good)?;
    ensure!(machine.disk.subvolumes()? == before, "the doctor has changed the disk");
    machine.expect_nothing_left()?;

    // What keeps one snapshot from holding everything is said before a run fails on it.
    let data = machine.server.datadir().to_owned();
    machine.disk.subvolume(data.join("nested"))?;
    let sick = doctor(&machine.rig, &machine.server)?;
    sick.expect_success()?.expect_stdout("warning: engine btrfs-snapshot: ")?;
    sick.expect_stdout("several subvolumes")?.expect_stdout("  mend: ")?;
    ensure!(!sick.stdout_text().contains("good: engine"), "{sick}");
    machine.backup("db.tar").run()?.expect_exit(4).map(drop)
}

#[test]
fn elsewhere_the_doctor_says_what_it_is_not_and_what_helps() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    if is_btrfs(&server)? {
        skip!("the servers of the tests lie on a Btrfs here");
    }
    let sick = doctor(&Rig::new()?, &server)?;
    let path = server.datadir().display();
    sick.expect_success()?
        .expect_stdout(&format!("warning: engine btrfs-snapshot: {path} is not on Btrfs\n"))?
        .expect_stdout("  mend: move the data directory to Btrfs, or use another engine\n")?;
    ensure!(!sick.stdout_text().contains("good: engine"), "{sick}");
    Ok(())
}

fn is_btrfs(server: &Server) -> Result<bool> {
    let stat = run_program("stat", &["-f", "-c", "%T", &server.datadir().display().to_string()])?;
    Ok(stat.trim() == "btrfs")
}
