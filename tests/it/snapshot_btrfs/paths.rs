//! Files of the server outside of its data directory, each in a directory of its own on the one volume:
//! they come, they go to their places, and a server on the result does not touch those of the source.
use super::{Machine, SUBVOLUME, has, members, needs_btrfs};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{BtrfsDisk, Flavor, Scratch, ServerOptions, skip};
use std::fs;
use std::path::{Path, PathBuf};

/// A server with sample tables whose files have been moved after a clean shutdown, and the volume.
#[allow(clippy::disallowed_methods, reason = "the files of a test need not survive a crash")]
fn moved(
    flavor: Flavor,
    files: &[(&str, &str)],
    options: &[(&str, &str)],
) -> Result<(Machine, PathBuf)> {
    let mut machine = Machine::start(flavor, 200, ServerOptions::default())?;
    let volume = machine.disk.path().join(SUBVOLUME);
    machine.server.sql("SET GLOBAL innodb_fast_shutdown = 0")?;
    machine.server.stop()?;
    for (file, directory) in files {
        let to = volume.join(directory);
        fs::create_dir_all(&to)?;
        let from = machine.server.datadir().join(file);
        #[allow(clippy::disallowed_methods, reason = "nothing here has to outlive a crash")]
        let moved = fs::rename(&from, to.join(file));
        moved.with_context(|| format!("move {}", from.display()))?;
    }
    let base = ServerOptions::default().under(&volume);
    let place = |value: &str| value.replace("VOLUME", &volume.display().to_string());
    let named = |options: ServerOptions, (name, value): &(&str, &str)| {
        options.arg(format!("--{name}={}", place(value)))
    };
    *machine.server.options_mut() = options.iter().fold(base, named);
    machine.server.restart()?;
    Ok((machine, volume))
}

/// Restored and started with the options that the restore names, the files of the source closed to it.
fn expect_round_trip(machine: &Machine, volume: &Path) -> Result<()> {
    let plan = machine.rig.dbbackup(["restore", "db.tar", "--dry-run", "--target-dir"]);
    let plan = plan.arg(Scratch::new()?.join("plan")).run()?.expect_success()?.stdout_text();
    ensure!(!plan.contains(&volume.display().to_string()), "the source is named: {plan}");
    let restored = machine.proof("db.tar").restored(ServerOptions::default())?;
    let contents = machine.server.checksum_all()?;
    contents.expect_same(&restored.server.checksum_all()?)?;
    // What one of them writes the other one does not see.
    restored.server.sql("INSERT INTO sbtest.sbtest1 (k) VALUES (7)")?;
    machine.server.checksum_all()?.expect_same(&contents)?;
    drop(restored);
    let mysqld = machine.server.tree().mysqld_path();
    let state = Scratch::new()?;
    let verify = machine.rig.dbbackup(["verify", "db.tar", "--level", "boot", "--mysqld"]);
    let verify = verify.arg(mysqld).env("DBBACKUP_STATE_DIR", state.path());
    verify.run()?.expect_success().map(drop)
}

#[test]
fn redo_and_undo_of_mysql_in_directories_of_their_own_come_back() -> Result<()> {
    needs_btrfs!();
    let files = [("#innodb_redo", "redo"), ("undo_001", "undo"), ("undo_002", "undo")];
    let options =
        [("innodb-log-group-home-dir", "VOLUME/redo"), ("innodb-undo-directory", "VOLUME/undo")];
    let (machine, volume) = moved(Flavor::Mysql97, &files, &options)?;
    machine.backup("db.tar").run()?.expect_success()?;
    let manifest = machine.proof("db.tar").manifest()?;
    let redo = members(&manifest, "redo");
    ensure!(redo.iter().any(|name| name.starts_with("#innodb_redo/#ib_redo")), "{redo:?}");
    ensure!(has(&manifest, "undo/undo_001") && has(&manifest, "undo/undo_002"), "{manifest}");
    ensure!(!has(&manifest, "data/undo_001"), "undo logs of the data directory came");
    expect_round_trip(&machine, &volume)
}

#[test]
fn the_redo_of_mariadb_in_a_directory_of_its_own_comes_back() -> Result<()> {
    needs_btrfs!();
    let options = [("innodb-log-group-home-dir", "VOLUME/redo")];
    let (machine, volume) = moved(Flavor::Mariadb1011, &[("ib_logfile0", "redo")], &options)?;
    machine.backup("db.tar").run()?.expect_success()?;
    let manifest = machine.proof("db.tar").manifest()?;
    ensure!(has(&manifest, "redo/ib_logfile0"), "{:?}", members(&manifest, "redo"));
    expect_round_trip(&machine, &volume)
}

/// `innodb_data_file_path` with full paths: a restored server must not open the source's.
#[test]
fn a_system_tablespace_with_full_paths_comes_back() -> Result<()> {
    needs_btrfs!();
    for flavor in Flavor::COVERED {
        let options = [
            ("innodb-data-home-dir", ""),
            ("innodb-data-file-path", "VOLUME/system/ibdata1:12M:autoextend"),
        ];
        let (machine, volume) = moved(flavor, &[("ibdata1", "system")], &options)?;
        machine.backup("db.tar").run()?.expect_success()?;
        let manifest = machine.proof("db.tar").manifest()?;
        ensure!(has(&manifest, "external/1/ibdata1"), "{:?}", manifest["roots"]);
        expect_round_trip(&machine, &volume).with_context(|| flavor.name())?;
    }
    Ok(())
}
