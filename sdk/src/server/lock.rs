//! Server locks: taken within a budget, given back by method or by drop, never held unwatched.

use std::time::{Duration, Instant};

use dbbackup_plugin_api::document::{backup::LockBudgetDocument, manifest::LockRecord};

use crate::server::{LockPhase, Session, SessionError, quote, watchdog::Watchdog};

/// How long a lock may be waited for and held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockBudget {
    /// Longest wait. Whoever waits for a lock may make others wait behind it.
    pub wait: Duration,
    /// Longest time between the grant and the release.
    pub hold: Duration,
}

impl From<&LockBudgetDocument> for LockBudget {
    fn from(document: &LockBudgetDocument) -> Self {
        Self {
            wait: Duration::from_millis(document.wait_ms),
            hold: Duration::from_millis(document.hold_ms),
        }
    }
}

/// What a lock cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockReport {
    /// The statement that took it.
    pub statement: &'static str,
    /// From the statement to the grant.
    pub waited: Duration,
    /// From the grant to the release.
    pub held: Duration,
    /// Whether commits of others had to wait while it was held.
    pub blocks_commits: bool,
}

impl From<LockReport> for LockRecord {
    fn from(report: LockReport) -> Self {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            statement: report.statement.to_owned(),
            waited_ms: ms(report.waited),
            held_ms: ms(report.held),
            blocks_commits: report.blocks_commits,
        }
    }
}

/// A kind of lock: how it is taken and given back.
#[derive(Debug, Clone, Copy)]
struct LockKind {
    take: &'static str,
    release: &'static str,
    blocks_commits: bool,
    half_taken: HalfTaken,
}

/// Whether a statement that failed may have left a part of its lock behind.
#[derive(Debug, Clone, Copy)]
enum HalfTaken {
    /// MySQL's `FLUSH TABLES WITH READ LOCK` keeps the global read lock when it is killed while it
    /// waits for tables: every commit would go on waiting behind a statement that is over.
    Possible,
    Impossible,
}

const READ_LOCK: LockKind = LockKind {
    take: "FLUSH TABLES WITH READ LOCK",
    release: "UNLOCK TABLES",
    blocks_commits: true,
    half_taken: HalfTaken::Possible,
};
const INSTANCE: LockKind = LockKind {
    take: "LOCK INSTANCE FOR BACKUP",
    release: "UNLOCK INSTANCE",
    blocks_commits: false,
    half_taken: HalfTaken::Impossible,
};
const TABLES: LockKind = LockKind {
    take: "LOCK TABLES … READ",
    release: "UNLOCK TABLES",
    blocks_commits: false,
    half_taken: HalfTaken::Impossible,
};
const STAGES: LockKind = LockKind {
    take: "BACKUP STAGE START",
    release: "BACKUP STAGE END",
    blocks_commits: false,
    half_taken: HalfTaken::Impossible,
};

/// Counts the statements of others that run for at least so many seconds.
///
/// MySQL's `FLUSH TABLES WITH READ LOCK` first marks every open table as outdated, then waits for
/// the statements that use one. Killing it does not take the mark back: whoever touches such a table
/// waits for the old statement, for 19 seconds behind a `SELECT` of 20 in our measurement. So a
/// statement that is older than the wait allowed is taken as one that will outlast it.
const LONG_STATEMENTS: &str = "SELECT COUNT(*) FROM information_schema.processlist \
     WHERE command NOT IN ('Sleep', 'Daemon', 'Connect', 'Binlog Dump', 'Binlog Dump GTID') \
     AND info IS NOT NULL AND id <> CONNECTION_ID() AND time";

/// The stages of MariaDB's backup lock after its start, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupStage {
    /// Non-transactional tables that are not in use are flushed.
    Flush,
    /// Waits for statements on non-transactional tables, and blocks DDL.
    BlockDdl,
    /// Blocks commits: the coordinates stand still.
    BlockCommit,
}

impl BackupStage {
    fn statement(self) -> &'static str {
        match self {
            Self::Flush => "BACKUP STAGE FLUSH",
            Self::BlockDdl => "BACKUP STAGE BLOCK_DDL",
            Self::BlockCommit => "BACKUP STAGE BLOCK_COMMIT",
        }
    }
}

impl Session {
    /// Takes the global read lock: no table changes and no transaction commits while it is held.
    ///
    /// Waits at most `budget.wait`: behind one long `SELECT`, the lock would make every commit wait.
    /// It is held at most `budget.hold`. Past either, a second session kills our statement or this
    /// session, and commits flow on.
    ///
    /// On MySQL it does not even ask while a statement runs that is older than `budget.wait`: its
    /// tables would stay blocked for others even after we gave up. Without `PROCESS`, other accounts' statements stay unseen.
    ///
    /// # Errors
    /// - [`SessionError::LockBudgetExceeded`]: nothing is locked any more.
    /// - [`SessionError::Watchdog`]: nothing was locked.
    /// - [`SessionError::Statement`]: refused, for instance without `RELOAD`.
    pub fn flush_tables_with_read_lock(
        &mut self,
        budget: LockBudget,
    ) -> Result<ServerLock<'_>, SessionError> {
        let asked = Instant::now();
        if !self.version().is_mariadb() {
            self.wait_for_long_statements(budget.wait)?;
        }
        ServerLock::take(self, READ_LOCK, READ_LOCK.take, budget, asked)
    }

    fn wait_for_long_statements(&mut self, wait: Duration) -> Result<(), SessionError> {
        let asked = Instant::now();
        let seconds = wait.as_secs().max(1);
        loop {
            let running = self.value(format!("{LONG_STATEMENTS} >= {seconds}"))?;
            if running.as_deref() == Some("0") {
                return Ok(());
            }
            if asked.elapsed() >= wait {
                return Err(SessionError::LockBudgetExceeded {
                    statement: READ_LOCK.take,
                    phase: LockPhase::Waiting,
                    budget: wait,
                    took: asked.elapsed(),
                });
            }
            // The server's own sleep, which a cancellation ends like any other statement.
            self.execute("DO SLEEP(0.05)")?;
        }
    }

    /// Takes MySQL's backup lock (8.0 and later): DDL waits while it is held, nothing else does.
    /// Needs `BACKUP_ADMIN`.
    ///
    /// # Errors
    /// As [`Session::flush_tables_with_read_lock`].
    pub fn lock_instance_for_backup(
        &mut self,
        budget: LockBudget,
    ) -> Result<ServerLock<'_>, SessionError> {
        ServerLock::take(self, INSTANCE, INSTANCE.take, budget, Instant::now())
    }

    /// Locks tables, as `(schema, table)`, against writes of others: they all stand still at one
    /// instant, and this session reads no other ones meanwhile. Needs `LOCK TABLES` and `SELECT`.
    ///
    /// # Errors
    /// As [`Session::flush_tables_with_read_lock`].
    pub fn lock_tables_for_read<'t>(
        &mut self,
        tables: impl IntoIterator<Item = (&'t str, &'t str)>,
        budget: LockBudget,
    ) -> Result<ServerLock<'_>, SessionError> {
        let each = |(schema, table)| format!("{} READ", quote::qualified(schema, table));
        let list: Vec<String> = tables.into_iter().map(each).collect();
        let sql = format!("LOCK TABLES {}", list.join(", "));
        ServerLock::take(self, TABLES, &sql, budget, Instant::now())
    }

    /// Starts MariaDB's backup stages (10.4 and later); see [`ServerLock::advance`]. Needs `RELOAD`.
    ///
    /// # Errors
    /// As [`Session::flush_tables_with_read_lock`].
    pub fn backup_stages(&mut self, budget: LockBudget) -> Result<ServerLock<'_>, SessionError> {
        ServerLock::take(self, STAGES, STAGES.take, budget, Instant::now())
    }
}

/// A lock that the server holds for a session, until it is unlocked or dropped.
#[derive(Debug)]
pub struct ServerLock<'s> {
    session: &'s mut Session,
    watchdog: Option<Watchdog>,
    kind: LockKind,
    budget: LockBudget,
    /// What it cost up to the last grant; `held` without the time since then.
    report: LockReport,
    granted: Instant,
}

impl<'s> ServerLock<'s> {
    fn take(
        session: &'s mut Session,
        kind: LockKind,
        sql: &str,
        budget: LockBudget,
        asked: Instant,
    ) -> Result<Self, SessionError> {
        let watchdog = Watchdog::start(session, asked + budget.wait)?;
        let taken = session.execute(sql);
        let granted = Instant::now();
        let report = LockReport {
            statement: kind.take,
            waited: granted - asked,
            held: Duration::ZERO,
            blocks_commits: kind.blocks_commits,
        };
        let mut lock = Self { session, watchdog: Some(watchdog), kind, budget, report, granted };
        if let Err(error) = taken {
            return Err(lock.not_granted(error, kind.half_taken));
        }
        if lock.watchdog.as_ref().is_some_and(|watchdog| watchdog.granted(budget.hold)) {
            return Ok(lock);
        }
        // Granted in the very moment in which the time was up: the drop gives it back, by hand or by
        // the end of the session.
        Err(lock.exceeded(LockPhase::Waiting))
    }

    /// The session that holds the lock, for what has to happen under it.
    pub fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Milliseconds waited so far, and what else the lock cost up to now.
    #[must_use]
    pub fn report(&self) -> LockReport {
        LockReport { held: self.held(), ..self.report }
    }

    /// Goes on to a later stage of MariaDB's backup lock, within `budget.wait` again.
    ///
    /// # Errors
    /// As [`Session::flush_tables_with_read_lock`]; nothing is locked any more after any of them.
    pub fn advance(&mut self, stage: BackupStage) -> Result<(), SessionError> {
        let wait = self.budget.wait;
        // The wait for a stage is no holding: it has its own limit.
        self.report.held = self.held();
        let left = self.budget.hold.saturating_sub(self.report.held);
        if !self.watchdog.as_ref().is_some_and(|watchdog| watchdog.waits_again(wait)) {
            return Err(self.exceeded(LockPhase::Holding));
        }
        let asked = Instant::now();
        let advanced = self.session.execute(stage.statement());
        self.granted = Instant::now();
        self.report.waited += self.granted - asked;
        if let Err(error) = advanced {
            return Err(self.not_granted(error, HalfTaken::Possible));
        }
        self.report.blocks_commits |= stage == BackupStage::BlockCommit;
        if self.watchdog.as_ref().is_some_and(|watchdog| watchdog.granted(left)) {
            return Ok(());
        }
        self.release()?;
        Err(self.exceeded(LockPhase::Waiting))
    }

    /// Gives the lock back and reports what it cost.
    ///
    /// # Errors
    /// - [`SessionError::LockBudgetExceeded`]: it was held too long. Where it had to be ended before,
    ///   what was read under it may be of different instants, and the session is gone.
    /// - [`SessionError::Statement`]: the session is gone, and the lock with it.
    pub fn unlock(mut self) -> Result<LockReport, SessionError> {
        let released = self.release();
        self.report.held = self.held();
        let ended = self.watchdog.take().and_then(Watchdog::stop);
        match verdict(ended, self.report.held, self.budget) {
            Some(phase) => Err(self.exceeded(phase)),
            None => released.map(|()| self.report),
        }
    }

    /// Gives the lock back after `work` under it.
    ///
    /// # Errors
    /// The failure of the work, or of [`ServerLock::unlock`]; a lock that had to be ended comes
    /// before either, for it took the session along.
    pub fn unlock_after<T, E: From<SessionError>>(
        self,
        work: Result<T, E>,
    ) -> Result<(T, LockReport), E> {
        after(work, self.unlock())
    }

    fn held(&self) -> Duration {
        self.report.held + self.granted.elapsed()
    }

    fn release(&mut self) -> Result<(), SessionError> {
        self.session.execute(self.kind.release).map(|_| ())
    }

    /// The statement ended without the lock: by our own kill, by a refusal, or because the session
    /// is lost, in which case the server is told to end it.
    fn not_granted(&mut self, error: SessionError, half_taken: HalfTaken) -> SessionError {
        let Some(watchdog) = self.watchdog.take() else {
            return error;
        };
        let refused = error.wire().is_some_and(|error| error.server().is_some());
        let given_back = refused
            && match half_taken {
                HalfTaken::Impossible => true,
                HalfTaken::Possible => self.release_after_kill().is_ok(),
            };
        let exceeded = watchdog.exceeded();
        if given_back {
            drop(watchdog);
        } else {
            watchdog.abandon();
        }
        exceeded.map_or(error, |phase| self.exceeded(phase))
    }

    /// The kill of the statement before may still be on its way, and end this one instead.
    fn release_after_kill(&mut self) -> Result<(), SessionError> {
        /// `ER_QUERY_INTERRUPTED`.
        const INTERRUPTED: u16 = 1317;
        match self.release() {
            Err(error) if error.server_code() == Some(INTERRUPTED) => self.release(),
            released => released,
        }
    }

    fn exceeded(&self, phase: LockPhase) -> SessionError {
        let (budget, took) = match phase {
            LockPhase::Waiting => (self.budget.wait, self.report.waited),
            LockPhase::Holding => (self.budget.hold, self.report.held),
        };
        SessionError::LockBudgetExceeded { statement: self.kind.take, phase, budget, took }
    }
}

/// Which of its times a lock has exceeded: the one at which the watchdog has ended it, or the hold, if
/// the watchdog was about to.
fn verdict(ended: Option<LockPhase>, held: Duration, budget: LockBudget) -> Option<LockPhase> {
    ended.or((held > budget.hold).then_some(LockPhase::Holding))
}

/// What came of work under a lock and of the lock's end.
fn after<T, E: From<SessionError>>(
    work: Result<T, E>,
    unlocked: Result<LockReport, SessionError>,
) -> Result<(T, LockReport), E> {
    match (work, unlocked) {
        (_, Err(exceeded @ SessionError::LockBudgetExceeded { .. })) => Err(exceeded.into()),
        (Err(error), _) => Err(error),
        (Ok(value), unlocked) => Ok((value, unlocked?)),
    }
}

impl Drop for ServerLock<'_> {
    fn drop(&mut self) {
        let Some(watchdog) = self.watchdog.take() else {
            return;
        };
        if let Err(error) = self.release_after_kill() {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, "give a lock back; its session is ended instead");
            watchdog.abandon();
        }
    }
}

#[cfg(test)]
mod tests;
