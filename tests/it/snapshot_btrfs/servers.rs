//! Other servers, other rights: the oldest series, one whose files a crash would damage, accounts and
//! processes that may do no more than they must.
use super::{DISK_BYTES, Machine, SUBVOLUME, needs_btrfs};
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, BtrfsDisk, Flavor, Rig, SampleTables, Server, ServerOptions, skip,
};
use std::process::Command;

/// No backup lock, definitions in files beside the tables: the read lock. The data directory is a
/// plain directory of the topmost subvolume, which has no neighbours for the snapshot to lie beside.
#[test]
fn the_oldest_series_is_copied_under_the_read_lock() -> Result<()> {
    needs_btrfs!();
    let disk = BtrfsDisk::mount(DISK_BYTES)?;
    let server = Server::start(Flavor::Mysql56, ServerOptions::default().under(disk.path()))?;
    SampleTables { rows: 100, ..SampleTables::small() }.load(&server)?;
    let machine = Machine { server, rig: Rig::new()?, disk };
    let arguments = ["physical-backup", "--engine", "snapshot", "--snapshot-backend", "btrfs"];
    let backup =
        || machine.rig.dbbackup_on(&machine.server, arguments).args(["--output", "db.tar"]);
    let elsewhere = format!("snapshot_directory={}", machine.rig.work_dir().display());
    let refused = backup().args(["--engine-option", &elsewhere]).run()?;
    refused.expect_exit(4)?.expect_stderr("option snapshot_directory is")?;
    machine.expect_nothing_left()?;

    backup().run()?.expect_success()?;
    let manifest = machine.proof("db.tar").manifest()?;
    let lock = &manifest["locks"][0];
    ensure!(lock["statement"] == "FLUSH TABLES WITH READ LOCK", "{lock}");
    ensure!(manifest["coordinates"]["precision"] == "exact", "{}", manifest["coordinates"]);
    ensure!(machine.snapshots()?.is_empty(), "{:?}", machine.snapshots()?);
    let restored = machine.proof("db.tar").restored(ServerOptions::default())?;
    machine.proof("db.tar").expect_position(&restored, &manifest)?;
    machine.server.checksum_all()?.expect_same(&restored.server.checksum_all()?)
}

#[test]
fn a_server_whose_files_a_crash_would_damage_is_refused() -> Result<()> {
    needs_btrfs!();
    let options = ServerOptions::default().arg("--innodb-doublewrite=OFF");
    let mut machine = Machine::start(Flavor::Mysql97, 100, options)?;
    let refused = machine.backup("db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("innodb_doublewrite is off")?;
    let volume = machine.disk.path().join(SUBVOLUME);
    *machine.server.options_mut() = ServerOptions::default().under(volume);
    machine.server.restart()?;
    machine.server.sql("ALTER INSTANCE DISABLE INNODB REDO_LOG")?;
    let refused = machine.backup("db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("redo log is disabled")?;
    refused.expect_stderr("ALTER INSTANCE ENABLE INNODB REDO_LOG")?;
    machine.server.sql("ALTER INSTANCE ENABLE INNODB REDO_LOG")?;
    machine.expect_nothing_left()?;

    machine
        .server
        .sql("CREATE USER 'snap'@'%' IDENTIFIED BY 'shot'; GRANT PROCESS ON *.* TO 'snap'@'%'")?;
    let port = machine.server.port().to_string();
    let account = ["--host", "127.0.0.1", "--port", &port, "--user", "snap"];
    let arguments = ["physical-backup", "--engine", "btrfs-snapshot", "--output", "db.tar"];
    let backup = || machine.rig.dbbackup(arguments).args(account).env("MYSQL_PWD", "shot");
    let refused = backup().run()?;
    let grant = "GRANT BACKUP_ADMIN ON *.* TO 'snap'@'%';";
    refused.expect_exit(4)?.expect_stderr("lacks BACKUP_ADMIN")?.expect_stderr(grant)?;
    machine.server.sql(grant)?;
    let grant = "GRANT SELECT ON performance_schema.log_status TO 'snap'@'%';";
    backup().run()?.expect_exit(4)?.expect_stderr(grant)?;
    machine.expect_nothing_left()?;
    machine.server.sql(grant)?;
    backup().run()?.expect_success()?;

    // A table that the account cannot see is not torn for that.
    machine.server.sql("CREATE TABLE sbtest.old (id INT) ENGINE=MyISAM")?;
    machine.server.sql("INSERT INTO sbtest.old VALUES (1)")?;
    let refused = backup().arg("--force").run()?;
    refused.expect_exit(4)?.expect_stderr("FLUSH TABLES WITH READ LOCK")?;
    machine.server.sql("GRANT RELOAD, REPLICATION CLIENT ON *.* TO 'snap'@'%'")?;
    backup().arg("--force").run()?.expect_success().map(drop)
}

/// The kernel's call for the deletion needs a capability that the owner of the subvolume lacks; the
/// owner makes the snapshot writable and empties it.
#[test]
fn the_owner_of_the_subvolume_needs_no_other_rights() -> Result<()> {
    needs_btrfs!();
    if Command::new("setpriv").arg("--version").output().is_err() {
        skip!("this machine has no setpriv");
    }
    let machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    let output = machine.rig.path("db.tar");
    let ended = Command::new("setpriv")
        .args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
        .arg(machine.rig.binary())
        .args(["physical-backup", "--engine", "btrfs-snapshot", "--output"])
        .arg(&output)
        .args(machine.server.connection_args())
        .env("MYSQL_PWD", ADMIN_PASSWORD)
        .env("DBBACKUP_STATE_DIR", machine.rig.state_dir())
        .current_dir(machine.rig.work_dir())
        .output()?;
    let log = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{log}");
    ensure!(!log.contains("WARN"), "{log}");
    ensure!(machine.snapshots()?.is_empty(), "{:?}: {log}", machine.snapshots()?);
    machine.server.sql("INSERT INTO sbtest.sbtest1 (k) VALUES (1)")
}
