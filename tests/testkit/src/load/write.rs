//! Transactions whose result can be checked at any consistent point.
use super::worker::{LoadReport, Worker};
use crate::random::Random;
use crate::server::{Server, Session};
use anyhow::{Result, ensure};
use std::time::Duration;

/// The schema that the load works in.
const SCHEMA: &str = "write_load";
/// Accounts of the ledger; each transaction touches two.
const ACCOUNTS: u64 = 8;

/// A background load: each transaction adds rows to `write_load.ledger` and counts them in
/// `write_load.counter`, so that both agree at every consistent point. Stopped on drop.
#[derive(Debug)]
pub struct WriteLoad {
    worker: Worker,
}

impl WriteLoad {
    /// Makes the tables if need be and starts to write, as fast as the server commits.
    ///
    /// # Errors
    /// The tables cannot be made.
    pub fn start(server: &Server) -> Result<Self> {
        Self::start_paced(server, Duration::from_millis(1))
    }

    /// The same with a rest after each transaction.
    ///
    /// # Errors
    /// The tables cannot be made.
    pub fn start_paced(server: &Server, rest: Duration) -> Result<Self> {
        create_tables(server)?;
        let mut random = Random::seeded(u64::from(server.port()));
        let worker = Worker::start(server, rest, move |session, _| transact(session, &mut random));
        let load = Self { worker };
        load.wait_for_commits(1, Duration::from_secs(30))?;
        Ok(load)
    }

    /// Waits for `more` transactions from now on.
    ///
    /// # Errors
    /// They do not come within `deadline`: something holds the load up.
    pub fn wait_for_commits(&self, more: u64, deadline: Duration) -> Result<()> {
        self.worker.wait_for_commits(more, deadline)
    }

    /// What the load has done so far.
    pub fn report(&self) -> LoadReport {
        self.worker.report()
    }

    /// Starts to measure the longest transaction anew.
    pub fn forget_longest(&self) {
        self.worker.forget_longest();
    }

    /// Ends the load after its current transaction.
    #[must_use = "the report tells whether the load got through"]
    pub fn stop(mut self) -> LoadReport {
        self.worker.stop()
    }

    /// Checks on `server`, such as a restored one, that ledger and counters agree, and returns
    /// the number of ledger rows.
    ///
    /// # Errors
    /// They disagree: the data is of no consistent point.
    pub fn check(server: &Server) -> Result<u64> {
        let mut session = server.session()?;
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
        let counted: Vec<(u64, u64)> = session
            .rows(&format!("SELECT account, total FROM {SCHEMA}.counter ORDER BY account"))?;
        let written: Vec<(u64, u64)> = session.rows(&format!(
            "SELECT c.account, COUNT(l.id) FROM {SCHEMA}.counter c \
             LEFT JOIN {SCHEMA}.ledger l ON l.account = c.account GROUP BY 1 ORDER BY 1"
        ))?;
        ensure!(!counted.is_empty(), "the write load's tables are empty");
        ensure!(counted == written, "counters say {counted:?}, the ledger holds {written:?}");
        Ok(written.iter().map(|(_, rows)| rows).sum())
    }
}

fn create_tables(server: &Server) -> Result<()> {
    let mut session = server.session()?;
    session.run(&format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}"))?;
    session.run(&format!(
        "CREATE TABLE IF NOT EXISTS {SCHEMA}.counter \
         (account INT PRIMARY KEY, total BIGINT NOT NULL) ENGINE=InnoDB"
    ))?;
    session.run(&format!(
        "CREATE TABLE IF NOT EXISTS {SCHEMA}.ledger (id BIGINT AUTO_INCREMENT PRIMARY KEY, \
         account INT NOT NULL, amount DECIMAL(12,2), note VARCHAR(200), \
         KEY by_account (account)) ENGINE=InnoDB"
    ))?;
    for account in 0..ACCOUNTS {
        session.run(&format!("INSERT IGNORE INTO {SCHEMA}.counter VALUES ({account}, 0)"))?;
    }
    Ok(())
}

fn transact(session: &mut Session, random: &mut Random) -> Result<()> {
    session.run("START TRANSACTION")?;
    for _ in 0..2 {
        let (account, amount, note) = (random.below(ACCOUNTS), random.below(10_000), random.bits());
        session.run(&format!(
            "INSERT INTO {SCHEMA}.ledger (account, amount, note) \
             VALUES ({account}, {amount} / 100, REPEAT('{note:016x}', 8))"
        ))?;
        session.run(&format!(
            "UPDATE {SCHEMA}.counter SET total = total + 1 WHERE account = {account}"
        ))?;
    }
    session.run("COMMIT")
}
