//! SIGINT and SIGTERM, at every moment of every command that works for long: the exit code of the
//! handbook, and nothing left of what was begun.
use super::START;
use crate::aftermath::names;
use crate::shop::Shop;
use anyhow::{Result, bail, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, Direction, FaultProxy, Flavor, Invocation, Outcome, Running,
    Server, ServerOptions, Signal, wait_until,
};
use std::{fs, path::Path};

/// Both signals that ask for an end, and the exit codes that answer them.
const SIGNALS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

/// Starts a run, waits until it says that it has come to a step, and asks it to end there.
fn ended_at(run: Invocation, step: &str, signal: Signal) -> Result<Outcome> {
    let mut run = run.args(["--progress", "json"]).start()?;
    let told = format!("\"what\":\"{step}");
    wait_until(&format!("the run says {step:?}"), START, || {
        if !run.is_running() && !run.stderr_so_far().contains(&told) {
            bail!("it ended before: {}", run.stderr_so_far());
        }
        Ok(run.stderr_so_far().contains(&told))
    })?;
    ended(run, signal)
}

fn ended(mut run: Running, signal: Signal) -> Result<Outcome> {
    run.signal(signal)?;
    run.wait()
}

fn through(shop: &Shop, proxy: &FaultProxy, words: &[&str]) -> Invocation {
    let port = proxy.port().to_string();
    let login = ["--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER];
    shop.rig.dbbackup(words.to_vec()).args(login).env("MYSQL_PWD", ADMIN_PASSWORD)
}

const BACKUP: [&str; 5] = ["physical-backup", "--engine", "mysqldump", "--output", "db.tar"];

/// The greeting does not come; the account is checked and no more is said; the host has its facts and
/// the engine has none.
#[test]
fn before_the_first_byte_while_the_server_says_nothing() -> Result<()> {
    let shop = Shop::open(500)?;
    for (signal, code) in SIGNALS {
        for heard_bytes in [0, 500, 4000] {
            let proxy = FaultProxy::start(shop.server.port())?;
            proxy.stall_after(Direction::ToClient, heard_bytes);
            let run = through(&shop, &proxy, &BACKUP).start()?;
            wait_until("the server has said what it may", START, || {
                Ok(proxy.connections() > 0
                    && proxy.passed_bytes(Direction::ToClient) >= heard_bytes)
            })?;
            ended(run, signal)?.expect_exit(code)?;
            shop.expect_names(&[])?;
            shop.expect_clean()?;
        }
    }
    Ok(())
}

#[test]
fn as_soon_as_there_is_a_worker() -> Result<()> {
    let shop = Shop::open(500)?;
    for (signal, code) in SIGNALS {
        let mut run = shop.backup("db.tar").start()?;
        run.wait_for_worker(START)?;
        ended(run, signal)?.expect_exit(code)?;
        shop.expect_names(&[])?;
        shop.expect_clean()?;
    }
    Ok(())
}

/// Either the signal came in time and there is nothing, or there is the whole backup.
#[test]
fn at_the_commit() -> Result<()> {
    let shop = Shop::open(500)?;
    for (signal, code) in SIGNALS {
        for output in ["db.tar", "db/"] {
            let outcome = ended_at(shop.backup(output), "commit the backup", signal)?;
            match outcome.code() {
                Some(0) => {
                    shop.rig.dbbackup(["verify", output]).run()?.expect_success()?;
                    let again = ended_at(shop.backup(output).arg("--force"), "commit", signal)?;
                    ensure!([Some(0), Some(code)].contains(&again.code()), "{again}");
                    shop.rig.dbbackup(["verify", output]).run()?.expect_success()?;
                    shop.expect_clean()?;
                    for left in names(&shop.rig.work_dir())? {
                        remove(&shop.rig.path(left))?;
                    }
                }
                _ => {
                    outcome.expect_exit(code)?;
                    shop.expect_names(&[])?;
                }
            }
            shop.expect_clean()?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)?
    } else {
        fs::remove_file(path)?
    }
    Ok(())
}

#[test]
fn in_the_middle_of_a_restore_into_a_server() -> Result<()> {
    let shop = Shop::open(5000)?;
    shop.backed_up("db.sql.zst")?;
    for (signal, code) in SIGNALS {
        let target = Server::start(Flavor::Mysql97, ServerOptions::default())?;
        let proxy = FaultProxy::start(target.port())?;
        proxy.throttle(Direction::ToServer, 300_000);
        let restore = through(&shop, &proxy, &["restore", "db.sql.zst", "--into-server"]);
        let run = restore.start()?;
        wait_until("rows arrive", START, || Ok(proxy.passed_bytes(Direction::ToServer) > 500_000))?;
        ended(run, signal)?.expect_exit(code)?;
        let sessions = || -> Result<u64> {
            target.row(&format!(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{ADMIN_USER}'"
            ))
        };
        wait_until("its sessions are gone", START, || Ok(sessions()? == 0))?;
        shop.expect_names(&["db.sql.zst", "db.sql.zst.manifest.json"])?;
        shop.expect_clean()?;
    }
    Ok(())
}

#[test]
fn in_a_restore_into_a_directory_and_in_a_verification_of_it() -> Result<()> {
    let shop = Shop::open(5000)?;
    let clone = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    shop.rig.dbbackup_on(&shop.server, clone).run()?.expect_success()?;
    let mysqld = shop.server.tree().mysqld_path().display().to_string();
    let restore = ["restore", "db.tar", "--target-dir", "restored"];
    let boot = ["verify", "db.tar", "--level", "boot", "--mysqld", &mysqld];
    for (signal, code) in SIGNALS {
        for (words, step) in [
            (&restore[..], "extract the files"),
            (&restore, "finish the directory"),
            (&["verify", "db.tar", "--level", "pages"], "read every byte"),
            (&boot, "restore the files"),
            (&boot, "boot a scratch server on them"),
        ] {
            let outcome = ended_at(shop.rig.dbbackup(words.to_vec()), step, signal)?;
            ensure!(outcome.code() == Some(code), "{words:?} at {step:?}: {outcome}");
            shop.expect_names(&["db.tar", "db.tar.manifest.json"])?;
            let left = names(&shop.rig.tmp_dir())?;
            ensure!(left.is_empty(), "{words:?} at {step:?} left {left:?}");
            shop.expect_clean()?;
        }
    }
    Ok(())
}
