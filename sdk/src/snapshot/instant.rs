//! The instant of a snapshot: the lock around it, and where the server was in its history.

use std::path::PathBuf;

use dbbackup_plugin_api::{
    document::{
        backup::BackupSummary,
        manifest::{CoordinatesRecord, LockRecord, Precision, ReplicaSourceRecord},
    },
    position::BinlogCoordinates,
};

use super::{at_risk::AtRisk, error::SnapshotError, files::SnapshotFiles};
use crate::server::{BackupStage, BinlogStatus, LockBudget, ServerLock, Session};

/// Tablespaces that MySQL 8 keeps outside of the data directory. Its dictionary alone knows them, so
/// it is asked under the lock, which keeps DDL out.
const OUTSIDE: &str =
    "SELECT PATH AS p FROM information_schema.INNODB_DATAFILES WHERE PATH NOT LIKE './%'";

/// Which lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockChoice {
    /// MariaDB's stages, up to the one that blocks commits.
    Stages,
    /// MySQL's backup lock: DDL waits, commits flow on.
    Instance,
    /// The global read lock.
    ReadLock,
}

/// A locked server, until the lock is released or dropped.
#[derive(Debug)]
pub struct SnapshotLock<'s> {
    lock: ServerLock<'s>,
    choice: LockChoice,
    at_risk: AtRisk,
    instant: Instant,
}

/// What is known of the instant of a snapshot.
#[derive(Debug, Default)]
pub struct Instant {
    coordinates: CoordinatesRecord,
    locks: Vec<LockRecord>,
    replica_sources: Vec<ReplicaSourceRecord>,
    consistent_at: String,
    degraded: Vec<String>,
    /// Tablespaces outside of the data directory, as the server names them.
    pub(super) outside: Vec<PathBuf>,
}

/// Takes the lock and reads the coordinates under it.
pub(super) fn lock(
    session: &mut Session,
    choice: LockChoice,
    budget: LockBudget,
    is_replica: bool,
    at_risk: AtRisk,
) -> Result<SnapshotLock<'_>, SnapshotError> {
    let mut lock = match choice {
        LockChoice::Stages => session.backup_stages(budget)?,
        LockChoice::Instance => session.lock_instance_for_backup(budget)?,
        LockChoice::ReadLock => session.flush_tables_with_read_lock(budget)?,
    };
    if choice == LockChoice::Stages {
        for stage in [BackupStage::Flush, BackupStage::BlockDdl, BackupStage::BlockCommit] {
            lock.advance(stage)?;
        }
    }
    match read_lower(lock.session(), choice, is_replica) {
        Ok(instant) => Ok(SnapshotLock { lock, choice, at_risk, instant }),
        Err(error) => lock.unlock_after(Err(error)).map(|(locked, _)| locked),
    }
}

/// What is read of the server before the snapshot, under the lock.
fn read_lower(
    session: &mut Session,
    choice: LockChoice,
    is_replica: bool,
) -> Result<Instant, SnapshotError> {
    let mut instant = Instant::default();
    if !session.version().is_mariadb() && session.version().at_least([8, 0, 0]) {
        let table = session.query(OUTSIDE)?;
        let paths = table.records().filter_map(|record| record.get("p").map(PathBuf::from));
        instant.outside = paths.collect();
    }
    if is_replica {
        instant.replica_sources = session.replica_sources_if_told()?.unwrap_or_default();
    }
    instant.consistent_at = session.utc_now()?;
    instant.coordinates = match choice {
        LockChoice::Instance => lower(session)?,
        LockChoice::Stages | LockChoice::ReadLock => exact(session.binlog_status()?),
    };
    Ok(instant)
}

impl SnapshotLock<'_> {
    /// Reads the coordinates once more where commits flow on, and which tables may be torn for that,
    /// and gives the lock back: the snapshot is made.
    ///
    /// # Errors
    /// [`SnapshotError::Io`], and [`SnapshotError::Session`]: also when the lock was held beyond its
    /// budget, and had to be ended before; what the snapshot holds may then be of different instants.
    pub fn release(self) -> Result<Instant, SnapshotError> {
        let Self { mut lock, choice, at_risk, mut instant } = self;
        let read = match choice {
            LockChoice::Instance => {
                instant.read_upper(lock.session()).and_then(|()| instant.read_torn(&at_risk))
            }
            LockChoice::Stages | LockChoice::ReadLock => Ok(()),
        };
        let ((), cost) = lock.unlock_after(read)?;
        instant.locks.push(cost.into());
        Ok(instant)
    }
}

impl Instant {
    fn read_upper(&mut self, session: &mut Session) -> Result<(), SnapshotError> {
        let after = session.log_status()?.and_then(|status| status.binlog);
        (self.coordinates.binlog_upper, self.coordinates.gtid_upper) = split(after);
        Ok(())
    }

    fn read_torn(&mut self, at_risk: &AtRisk) -> Result<(), SnapshotError> {
        self.degraded.extend(at_risk.torn());
        self.degraded.extend(at_risk.torn_since()?);
        Ok(())
    }

    /// Makes sure that the bracket holds all that the snapshot does. A group of transactions is
    /// written to the binlog first and counts in the server's position only once it is synced, so
    /// the newest binlog inside the snapshot may reach further than the server said.
    pub(super) fn widen_to(
        &mut self,
        session: &mut Session,
        files: &SnapshotFiles,
    ) -> Result<(), SnapshotError> {
        let (Precision::Bracket, Some((file, bytes))) =
            (self.coordinates.precision, &files.newest_binlog)
        else {
            return Ok(());
        };
        let end = BinlogCoordinates { file: file.clone(), position: *bytes };
        let reaches = |upper: &Option<BinlogCoordinates>| {
            upper
                .as_ref()
                .is_some_and(|upper| upper.file != end.file || upper.position >= end.position)
        };
        if !reaches(&self.coordinates.binlog_upper) {
            self.read_upper(session)?;
        }
        if !reaches(&self.coordinates.binlog_upper) {
            // The end of the file is a bound in any case; which transactions it holds is not known.
            self.coordinates.binlog_upper = Some(end);
            self.coordinates.gtid_upper = None;
        }
        Ok(())
    }

    pub(super) fn into_summary(self) -> BackupSummary {
        BackupSummary {
            coordinates: self.coordinates,
            replica_sources: self.replica_sources,
            consistent_at: Some(self.consistent_at),
            locks: self.locks,
            degraded: self.degraded,
            ..BackupSummary::default()
        }
    }
}

/// The lower end of a bracket.
fn lower(session: &mut Session) -> Result<CoordinatesRecord, SnapshotError> {
    let Some(status) = session.log_status()? else {
        return Ok(CoordinatesRecord::default());
    };
    let precision = if status.binlog.is_some() { Precision::Bracket } else { Precision::None };
    let (binlog, gtid) = split(status.binlog);
    Ok(CoordinatesRecord {
        precision,
        binlog,
        gtid,
        lsn: Some(status.lsn),
        ..CoordinatesRecord::default()
    })
}

fn exact(status: Option<BinlogStatus>) -> CoordinatesRecord {
    let precision = if status.is_some() { Precision::Exact } else { Precision::None };
    let (binlog, gtid) = split(status);
    CoordinatesRecord { precision, binlog, gtid, ..CoordinatesRecord::default() }
}

fn split(
    status: Option<BinlogStatus>,
) -> (Option<BinlogCoordinates>, Option<dbbackup_plugin_api::position::GtidSet>) {
    status.map_or((None, None), |status| (Some(status.binlog), status.gtid))
}
