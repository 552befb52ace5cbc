//! Locks within a budget: a long statement of somebody else costs us the lock, nobody their commits.

use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Result;
use dbbackup_sdk::{
    Classify, ErrorCode,
    server::{BackupStage, LockBudget, LockPhase, Session, SessionError},
};
use dbbackup_testkit::{Flavor, Server, ServerOptions, pause, wait_until};

use super::{admin, socket};

const BUDGET: LockBudget =
    LockBudget { wait: Duration::from_millis(500), hold: Duration::from_secs(20) };

fn start(flavor: Flavor) -> Result<Server> {
    let server = Server::start(flavor, ServerOptions::default())?;
    let mut session = admin(&server)?;
    session.execute("CREATE DATABASE shop")?;
    session.execute("CREATE TABLE shop.read_slowly (id INT PRIMARY KEY)")?;
    session.execute("CREATE TABLE shop.written (id INT PRIMARY KEY AUTO_INCREMENT)")?;
    session.execute("INSERT INTO shop.read_slowly VALUES (1)")?;
    Ok(server)
}

/// Runs a statement that lasts, in its own session, and waits until it runs.
fn run_long(server: &Server, sql: &'static str) -> Result<(u32, JoinHandle<()>)> {
    let mut session = admin(server)?;
    let id = session.id();
    let thread = thread::spawn(move || drop(session.execute(sql)));
    let mut watcher = admin(server)?;
    wait_until("the long statement runs", Duration::from_secs(10), || {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE id = {id} AND info IS NOT NULL"
        );
        Ok(watcher.value(sql)?.as_deref() == Some("1"))
    })?;
    Ok((id, thread))
}

fn expect_commit_within(server: &Server, limit: Duration) -> Result<()> {
    let mut session = admin(server)?;
    // Bounds the test: a commit that waits for a forgotten lock fails it.
    session.execute("SET SESSION lock_wait_timeout = 10")?;
    let started = Instant::now();
    session.execute("INSERT INTO shop.written VALUES ()")?;
    assert!(started.elapsed() < limit, "a commit took {:?}", started.elapsed());
    Ok(())
}

#[test]
fn a_read_lock_behind_a_long_select_gives_up_and_commits_flow_on() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        let long = "SELECT SLEEP(20) FROM shop.read_slowly";
        let (id, thread) = run_long(&server, long)?;
        // Older than the budget: the lock is not even asked for, which would block the table.
        pause(Duration::from_millis(2_100));
        let mut session = admin(&server)?;
        let started = Instant::now();
        match session.flush_tables_with_read_lock(BUDGET) {
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        SessionError::LockBudgetExceeded { phase: LockPhase::Waiting, .. }
                    ),
                    "{error:?}"
                );
                assert_eq!(error.code(), ErrorCode::LOCK_BUDGET);
                assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
            }
            // MariaDB lets the lock pass a statement that only reads.
            Ok(lock) => {
                assert!(server.flavor().is_mariadb());
                lock.unlock()?;
            }
        }
        expect_commit_within(&server, Duration::from_secs(2))?;
        let touched = Instant::now();
        admin(&server)?.execute("INSERT INTO shop.read_slowly VALUES (2)")?;
        assert!(touched.elapsed() < Duration::from_secs(2), "{:?}", touched.elapsed());
        // The session itself is still good.
        assert_eq!(session.value("SELECT 1")?.as_deref(), Some("1"));
        admin(&server)?.kill_session(id)?;
        thread.join().expect("no panic");
        let lock = session.flush_tables_with_read_lock(BUDGET)?;
        assert!(lock.unlock()?.blocks_commits);
    }
    Ok(())
}

/// A statement too young to be told from a short one: the lock is asked for, and killed.
#[test]
fn a_read_lock_killed_behind_a_young_select_leaves_nothing_locked() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    let (id, thread) = run_long(&server, "SELECT SLEEP(20) FROM shop.read_slowly")?;
    let mut session = admin(&server)?;
    // The statement may just have turned one second old, and then the lock is not asked for.
    let error = session.flush_tables_with_read_lock(BUDGET).expect_err("it has to wait");
    assert!(matches!(error, SessionError::LockBudgetExceeded { .. }), "{error:?}");
    expect_commit_within(&server, Duration::from_secs(2))?;
    admin(&server)?.kill_session(id)?;
    thread.join().expect("no panic");
    Ok(())
}

#[test]
fn a_read_lock_behind_an_open_write_gives_up() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        let long = "INSERT INTO shop.read_slowly SELECT 100 + SLEEP(20)";
        let (id, thread) = run_long(&server, long)?;
        let mut session = admin(&server)?;
        let error = session.flush_tables_with_read_lock(BUDGET).expect_err("it has to wait");
        assert!(matches!(error, SessionError::LockBudgetExceeded { .. }), "{error:?}");
        expect_commit_within(&server, Duration::from_secs(2))?;
        admin(&server)?.kill_session(id)?;
        thread.join().expect("no panic");
    }
    Ok(())
}

#[test]
fn a_lock_blocks_what_it_should_and_reports_its_time() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        let mut session = admin(&server)?;
        let mut lock = session.flush_tables_with_read_lock(BUDGET)?;
        let before = lock.session().binlog_status()?.expect("the binlog is on");
        let writer = run_long(&server, "INSERT INTO shop.written VALUES ()")?.1;
        pause(Duration::from_millis(300));
        let after = lock.session().binlog_status()?.expect("the binlog is on");
        assert_eq!(before, after, "something was committed under the lock");
        let report = lock.unlock()?;
        assert!(report.held >= Duration::from_millis(300) && report.waited < BUDGET.wait);
        writer.join().expect("no panic");
        assert_ne!(session.binlog_status()?, Some(after));
    }
    Ok(())
}

#[test]
fn a_lock_held_for_too_long_is_ended() -> Result<()> {
    let budget = LockBudget { hold: Duration::from_millis(300), ..BUDGET };
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        let mut session = admin(&server)?;
        let lock = session.flush_tables_with_read_lock(budget)?;
        expect_commit_within(&server, Duration::from_secs(5))?;
        let error = lock.unlock().expect_err("the lock was ended");
        assert!(
            matches!(error, SessionError::LockBudgetExceeded { phase: LockPhase::Holding, .. }),
            "{error:?}"
        );
    }
    Ok(())
}

#[test]
fn a_dropped_lock_is_given_back() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        let mut session = admin(&server)?;
        drop(session.flush_tables_with_read_lock(BUDGET)?);
        expect_commit_within(&server, Duration::from_secs(2))?;
        // A session that is lost while it holds the lock.
        let lock = session.flush_tables_with_read_lock(BUDGET)?;
        drop(lock);
        let canceller = session.canceller();
        let lock = session.flush_tables_with_read_lock(BUDGET)?;
        canceller.cancel();
        assert!(lock.unlock().is_err());
        expect_commit_within(&server, Duration::from_secs(2))?;
    }
    Ok(())
}

#[test]
fn cancelling_a_waiting_lock_leaves_nothing_waiting() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    let long = "INSERT INTO shop.read_slowly SELECT 100 + SLEEP(20)";
    let (id, thread) = run_long(&server, long)?;
    let mut session = Session::connect(&socket(&server))?;
    let canceller = session.canceller();
    let patient = LockBudget { wait: Duration::from_secs(60), hold: Duration::from_secs(60) };
    let waiting = thread::spawn(move || {
        session.flush_tables_with_read_lock(patient).err().map(|error| error.code())
    });
    pause(Duration::from_millis(500));
    canceller.cancel();
    assert_eq!(waiting.join().expect("no panic"), Some(ErrorCode::CANCELLED));
    expect_commit_within(&server, Duration::from_secs(2))?;
    admin(&server)?.kill_session(id)?;
    thread.join().expect("no panic");
    Ok(())
}

#[test]
fn the_backup_locks_leave_commits_alone() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    let mut session = admin(&server)?;
    let lock = session.lock_instance_for_backup(BUDGET)?;
    expect_commit_within(&server, Duration::from_secs(2))?;
    let ddl = run_long(&server, "CREATE TABLE shop.late (id INT)")?.1;
    pause(Duration::from_millis(200));
    assert!(!ddl.is_finished(), "DDL passed the backup lock");
    assert!(!lock.unlock()?.blocks_commits);
    ddl.join().expect("no panic");

    let server = start(Flavor::Mariadb1011)?;
    let mut session = admin(&server)?;
    let mut lock = session.backup_stages(BUDGET)?;
    lock.advance(BackupStage::Flush)?;
    lock.advance(BackupStage::BlockDdl)?;
    expect_commit_within(&server, Duration::from_secs(2))?;
    lock.advance(BackupStage::BlockCommit)?;
    let writer = run_long(&server, "INSERT INTO shop.written VALUES ()")?.1;
    pause(Duration::from_millis(200));
    assert!(!writer.is_finished(), "a commit passed BLOCK_COMMIT");
    assert!(lock.unlock()?.blocks_commits);
    writer.join().expect("no panic");
    Ok(())
}

#[test]
fn a_lock_that_the_server_refuses_says_why() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    admin(&server)?.execute("CREATE USER poor@'%' IDENTIFIED BY 'x'")?;
    let mut session = Session::connect(&super::account(socket(&server), "poor", "x"))?;
    let error = session.flush_tables_with_read_lock(BUDGET).expect_err("no RELOAD");
    assert_eq!(error.code(), ErrorCode::PRIVILEGE);
    let error = session.lock_instance_for_backup(BUDGET).expect_err("no BACKUP_ADMIN");
    assert_eq!(error.code(), ErrorCode::PRIVILEGE);
    Ok(())
}
