//! What is not one atomic snapshot of this server, or cannot be had within the lock budget.
use super::{DISK_BYTES, Machine, SUBVOLUME, needs_btrfs};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    BtrfsDisk, Flavor, Rig, Server, ServerOptions, Session, WriteLoad, non_transactional_tables,
    skip, wait_until,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

/// How soon commits must go on, and other sessions must be where they are expected.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn files_in_several_subvolumes_are_refused_with_the_list() -> Result<()> {
    needs_btrfs!();
    let mut machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    let data = machine.server.datadir().to_owned();
    let nested = machine.disk.subvolume(data.join("nested"))?;
    let refused = machine.backup("db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("several subvolumes")?;
    refused.expect_stderr(&format!("data {0} (subvolume {0})", nested.display()))?;
    let explained = machine.rig.dbbackup_on(&machine.server, ["engine", "select", "--explain"]);
    explained.run()?.expect_stdout("several subvolumes")?;
    fs::remove_dir(&nested)?;

    machine.server.stop()?;
    let other = machine.disk.subvolume("redo")?;
    fs::copy(data.join("ib_logfile0"), other.join("ib_logfile0"))?;
    fs::remove_file(data.join("ib_logfile0"))?;
    let options = machine.server.options_mut();
    *options = options.clone().arg(format!("--innodb-log-group-home-dir={}", other.display()));
    machine.server.restart()?;
    let refused = machine.backup("db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("several subvolumes")?;
    refused.expect_stderr(&format!("redo {}", other.display()))?;
    machine.expect_nothing_left()
}

/// Two servers on one machine: the path that a server names leads to the files of the other one.
#[test]
fn the_data_directory_of_another_server_is_refused() -> Result<()> {
    needs_btrfs!();
    for flavor in Flavor::COVERED {
        let disk = BtrfsDisk::mount(DISK_BYTES)?;
        let volume = disk.subvolume(SUBVOLUME)?;
        let other = Server::start(flavor, ServerOptions::default().under(&volume))?;
        let mine = Server::start(flavor, ServerOptions::default().under(&volume))?;
        let (own_files, link) = (mine.datadir().to_owned(), volume.join("current"));
        symlink(&own_files, &link)?;
        drop_but_keep(mine)?;
        let on_link = ServerOptions::default().under(&volume);
        let mine = Server::start_on(flavor, &link, on_link)?;
        fs::remove_file(&link)?;
        symlink(other.datadir(), &link)?;
        let machine = Machine { server: mine, rig: Rig::new()?, disk };
        let refused = machine.backup("db.tar").run()?;
        refused.expect_exit(4)?.expect_stderr("not proven to belong to the server")?;
        machine.expect_nothing_left()?;
        drop(other);
    }
    Ok(())
}

/// A `BACKUP STAGE` waits for a long write to a table without transactions.
#[test]
fn a_long_write_to_a_table_without_transactions_is_not_waited_for() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mariadb1011, 100, ServerOptions::default())?;
    non_transactional_tables(&machine.server)?;
    let load = WriteLoad::start(&machine.server)?;
    let mut writer = machine.server.session()?;
    let writing = std::thread::spawn(move || {
        writer.run("UPDATE kitchen_old.in_myisam SET t = SLEEP(60) WHERE id = 1")
    });
    let mut watcher = machine.server.session()?;
    wait_for_state(&mut watcher, "User sleep")?;
    let refused = machine.backup("db.tar").args(["--max-lock-wait", "700ms"]).run()?;
    refused.expect_exit(9)?.expect_stderr("BACKUP STAGE")?;
    load.wait_for_commits(20, SOON)?;
    ensure!(!writing.is_finished(), "the write was over before the lock was refused");
    machine.expect_nothing_left()?;
    end_sleeper(&mut watcher)?;
    // The server ends the update; whether as an error is its own affair.
    drop(writing.join());
    machine.backup("db.tar").run()?.expect_success()?;
    let report = load.stop();
    ensure!(report.failures == 0, "{report:?}");
    Ok(())
}

/// `LOCK INSTANCE FOR BACKUP` waits for a running `ALTER`.
#[test]
fn a_running_alter_is_not_waited_for() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mysql97, 100, ServerOptions::default())?;
    let load = WriteLoad::start(&machine.server)?;
    let mut reader = machine.server.session()?;
    reader.run("START TRANSACTION")?;
    let _: (u64,) = reader.row("SELECT COUNT(*) FROM sbtest.sbtest1")?;
    let mut altering = machine.server.session()?;
    let alter = std::thread::spawn(move || {
        altering.run("ALTER TABLE sbtest.sbtest1 ADD COLUMN more INT, ALGORITHM=COPY")
    });
    let mut watcher = machine.server.session()?;
    wait_for_state(&mut watcher, "Waiting for table metadata lock")?;
    let refused = machine.backup("db.tar").args(["--max-lock-wait", "700ms"]).run()?;
    refused.expect_exit(9)?.expect_stderr("LOCK INSTANCE FOR BACKUP")?;
    load.wait_for_commits(20, SOON)?;
    ensure!(!alter.is_finished(), "the ALTER was over before the lock was refused");
    machine.expect_nothing_left()?;
    reader.run("COMMIT")?;
    alter.join().expect("no panic")?;
    machine.backup("db.tar").run()?.expect_success()?;
    let report = load.stop();
    ensure!(report.failures == 0, "{report:?}");
    Ok(())
}

/// Tables without transactions need `FLUSH TABLES WITH READ LOCK`, which would wait for a long `SELECT`
/// and let everybody else wait behind it.
#[test]
fn a_long_select_is_not_waited_for() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mysql97, 100, ServerOptions::default())?;
    non_transactional_tables(&machine.server)?;
    let load = WriteLoad::start(&machine.server)?;
    let mut reader = machine.server.session()?;
    let reading = std::thread::spawn(move || {
        // It ends by being killed, which is an error or none.
        drop(reader.run("SELECT SLEEP(60) FROM sbtest.sbtest1 LIMIT 1"));
    });
    let mut watcher = machine.server.session()?;
    wait_for_state(&mut watcher, "User sleep")?;
    let refused = machine.backup("db.tar").args(["--max-lock-wait", "700ms"]).run()?;
    refused.expect_exit(9)?.expect_stderr("FLUSH TABLES WITH READ LOCK")?;
    load.wait_for_commits(20, SOON)?;
    ensure!(!reading.is_finished(), "the SELECT was over before the lock was refused");
    machine.expect_nothing_left()?;
    end_sleeper(&mut watcher)?;
    reading.join().expect("no panic");
    machine.backup("db.tar").run()?.expect_success()?;
    let lock = machine.proof("db.tar").manifest()?["locks"][0].clone();
    ensure!(lock["statement"] == "FLUSH TABLES WITH READ LOCK", "{lock}");
    let report = load.stop();
    ensure!(report.failures == 0, "{report:?}");
    Ok(())
}

/// The text says what was measured and with which option it would do, so that nobody has to guess.
#[test]
fn a_lock_that_is_held_beyond_its_budget_is_told_with_what_would_do() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mysql97, 100, ServerOptions::default())?;
    let refused = machine.backup("db.tar").args(["--max-lock", "1ms"]).run()?;
    refused.expect_exit(9)?.expect_stderr("LOCK INSTANCE FOR BACKUP was held for ")?;
    refused.expect_stderr(" ms, and may be for 1 ms")?;
    machine.expect_nothing_left()?;
    let said = refused.to_string();
    let allowed =
        said.split("allow it with --max-lock ").nth(1).and_then(|rest| rest.split(',').next());
    let allowed = allowed.context("no option is named")?;
    machine.backup("db.tar").args(["--max-lock", allowed]).run()?.expect_success().map(drop)
}

/// Rows outside of InnoDB need the read lock on MySQL; who accepts that they may be torn gets the
/// lighter one, and exit code 10.
#[test]
fn rows_outside_of_innodb_need_a_commit_lock_or_consent() -> Result<()> {
    needs_btrfs!();
    let machine = Machine::start(Flavor::Mysql97, 100, ServerOptions::default())?;
    non_transactional_tables(&machine.server)?;
    machine.backup("locked.tar").run()?.expect_success()?;
    let manifest = machine.proof("locked.tar").manifest()?;
    let lock = &manifest["locks"][0];
    ensure!(lock["statement"] == "FLUSH TABLES WITH READ LOCK", "{lock}");
    ensure!(lock["blocks_commits"] == true, "{lock}");
    ensure!(manifest["coordinates"]["precision"] == "exact", "{}", manifest["coordinates"]);
    let restored = machine.proof("locked.tar").restored(ServerOptions::default())?;
    let contents = machine.server.checksum_all()?;
    contents.expect_same(&restored.server.checksum_all()?)?;

    let accepted = machine.backup("torn.tar").args(["--accept-degraded", "non-transactional"]);
    accepted.run()?.expect_exit(10)?;
    let manifest = machine.proof("torn.tar").manifest()?;
    ensure!(manifest["locks"][0]["statement"] == "LOCK INSTANCE FOR BACKUP", "{manifest}");
    let degraded = manifest["degraded"].to_string();
    ensure!(degraded.contains("kitchen_old.in_myisam (MyISAM)"), "{degraded}");
    Ok(())
}

fn wait_for_state(watcher: &mut Session, state: &str) -> Result<()> {
    wait_until(&format!("a session is in the state {state}"), SOON, || {
        let states: Vec<(Option<String>,)> =
            watcher.rows("SELECT state FROM information_schema.processlist")?;
        Ok(states.iter().any(|(found,)| found.as_deref() == Some(state)))
    })
}

fn end_sleeper(watcher: &mut Session) -> Result<()> {
    let (id,): (u64,) =
        watcher.row("SELECT id FROM information_schema.processlist WHERE state = 'User sleep'")?;
    watcher.run(&format!("KILL {id}"))
}

/// Ends a server whose files are to be used by another one.
fn drop_but_keep(mut server: Server) -> Result<()> {
    server.stop()?;
    std::mem::forget(server);
    Ok(())
}
