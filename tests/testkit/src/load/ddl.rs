//! Definitions that change all the time: what a backup meets on a busy server.
use super::worker::{LoadReport, Worker};
use crate::server::{Server, Session};
use anyhow::Result;
use std::time::Duration;

/// The schema that the load works in.
const SCHEMA: &str = "ddl_load";

/// A background load that creates, fills, alters, renames, truncates and drops tables in the
/// schema `ddl_load`. Stopped on drop.
#[derive(Debug)]
pub struct DdlLoad {
    worker: Worker,
}

impl DdlLoad {
    /// Starts, with `rest` after each statement.
    ///
    /// # Errors
    /// The schema cannot be made.
    pub fn start(server: &Server, rest: Duration) -> Result<Self> {
        server.sql(&format!("CREATE DATABASE IF NOT EXISTS {SCHEMA}"))?;
        Ok(Self { worker: Worker::start(server, rest, step) })
    }

    /// What the load has done so far; each statement counts as a commit.
    pub fn report(&self) -> LoadReport {
        self.worker.report()
    }

    /// Waits for `more` statements from now on.
    ///
    /// # Errors
    /// They do not come within `deadline`: something holds the load up.
    pub fn wait_for_commits(&self, more: u64, deadline: Duration) -> Result<()> {
        self.worker.wait_for_commits(more, deadline)
    }

    /// Ends the load after its current statement.
    #[must_use = "the report tells whether the load got through"]
    pub fn stop(mut self) -> LoadReport {
        self.worker.stop()
    }
}

/// One statement of an endless round; every round has tables of its own, and leaves one.
fn step(session: &mut Session, done: u64) -> Result<()> {
    let statements = [
        "CREATE TABLE IF NOT EXISTS {a} (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT)",
        "INSERT INTO {a} (t) VALUES ('one'), ('two'), (REPEAT('three', 1000))",
        "ALTER TABLE {a} ADD COLUMN extra INT NOT NULL DEFAULT 7",
        "CREATE OR REPLACE VIEW {v} AS SELECT id, extra FROM {a}",
        "ALTER TABLE {a} ADD KEY by_extra (extra), FORCE",
        "CREATE TABLE {b} LIKE {a}",
        "INSERT INTO {b} SELECT * FROM {a}",
        "DROP VIEW {v}",
        "RENAME TABLE {a} TO {c}",
        "TRUNCATE TABLE {b}",
        "ALTER TABLE {c} DROP COLUMN extra",
        "DROP TABLE {b}",
    ];
    let length = u64::try_from(statements.len())?;
    let (round, position) = (done / length, usize::try_from(done % length)?);
    let statement = statements.get(position).copied().unwrap_or_default();
    let name = |letter: &str| format!("{SCHEMA}.{letter}{round}");
    session.run(
        &statement
            .replace("{a}", &name("a"))
            .replace("{b}", &name("b"))
            .replace("{c}", &name("c"))
            .replace("{v}", &name("v")),
    )
}
