//! One consistent snapshot with the exact position that belongs to it, at the lightest lock.
//!
//! - MariaDB and Percona Server tell the position of a snapshot themselves: no lock at all.
//! - MySQL takes the global read lock for the moment in which the snapshot begins and the position
//!   is read. It is not asked for while a long statement is running: every commit would wait behind
//!   the lock, and the lock behind that statement.

use std::time::{Duration, Instant};

use dbbackup_sdk::{
    Host,
    document::manifest::{CoordinatesRecord, LockRecord, Precision, ReplicaSourceRecord},
    position::{GtidSet, MariadbGtid, MariadbGtidPosition},
    server::{BinlogStatus, LockBudget, LockReport, Session},
};

use crate::error::EngineError;

/// A statement that has run this long counts as long.
const LONG_STATEMENT: Duration = Duration::from_secs(1);
/// How often running statements are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A snapshot that has begun: the session that holds it, and what belongs to it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The session inside the transaction.
    pub(crate) reader: Session,
    /// The server's position at the snapshot.
    pub(crate) coordinates: CoordinatesRecord,
    /// On a replica, the positions of its sources.
    pub(crate) replica_sources: Vec<ReplicaSourceRecord>,
    /// When it began, RFC 3339.
    pub(crate) consistent_at: String,
    /// What the read lock cost, if one was taken.
    pub(crate) lock: Option<LockRecord>,
}

/// Begins the snapshot in `reader`; `meta` is a second session.
pub(crate) fn begin(
    mut reader: Session,
    meta: &mut Session,
    budget: LockBudget,
    host: &Host,
) -> Result<Snapshot, EngineError> {
    let is_replica = !meta.replica_sources()?.is_empty();
    let has_binlog = meta.variable("log_bin")?.is_some_and(|value| value == "ON");
    let tells_itself = reader.version().is_mariadb() || reader.snapshot_status()?.is_some();
    if tells_itself || !(has_binlog || is_replica) {
        return begin_without_lock(reader, meta, is_replica);
    }
    wait_for_long_statements(meta, budget.wait, host)?;
    let (status, replica_sources, report) = begin_locked(&mut reader, meta, budget, is_replica)?;
    Ok(Snapshot {
        coordinates: exact(status),
        replica_sources,
        consistent_at: meta.utc_now()?,
        lock: Some(report.into()),
        reader,
    })
}

fn begin_without_lock(
    mut reader: Session,
    meta: &mut Session,
    is_replica: bool,
) -> Result<Snapshot, EngineError> {
    reader.begin_consistent_snapshot()?;
    let status = reader.snapshot_status()?;
    let replica_sources =
        if is_replica { sources_in_snapshot(&mut reader, meta)? } else { Vec::new() };
    Ok(Snapshot {
        coordinates: exact(status),
        replica_sources,
        consistent_at: meta.utc_now()?,
        lock: None,
        reader,
    })
}

/// The moment under the read lock: nothing but what has to be of one instant.
fn begin_locked(
    reader: &mut Session,
    meta: &mut Session,
    budget: LockBudget,
    is_replica: bool,
) -> Result<(Option<BinlogStatus>, Vec<ReplicaSourceRecord>, LockReport), EngineError> {
    let mut lock = meta.flush_tables_with_read_lock(budget)?;
    let begun = begin_and_look(reader, lock.session(), is_replica);
    let ((status, sources), report) = lock.unlock_after(begun)?;
    tracing::info!(
        waited_ms = u64::try_from(report.waited.as_millis()).unwrap_or(u64::MAX),
        held_ms = u64::try_from(report.held.as_millis()).unwrap_or(u64::MAX),
        "the snapshot has begun, and the read lock is gone"
    );
    Ok((status, sources, report))
}

fn begin_and_look(
    reader: &mut Session,
    locked: &mut Session,
    is_replica: bool,
) -> Result<(Option<BinlogStatus>, Vec<ReplicaSourceRecord>), EngineError> {
    reader.begin_consistent_snapshot()?;
    let status = locked.binlog_status()?;
    let sources = if is_replica { locked.replica_sources()? } else { Vec::new() };
    Ok((status, sources))
}

fn exact(status: Option<BinlogStatus>) -> CoordinatesRecord {
    let Some(status) = status else {
        return CoordinatesRecord::default();
    };
    CoordinatesRecord {
        precision: Precision::Exact,
        binlog: Some(status.binlog),
        gtid: status.gtid,
        ..CoordinatesRecord::default()
    }
}

/// A MariaDB replica's position as the snapshot sees it. File and offset of the source are not
/// transactional, so they are left out.
fn sources_in_snapshot(
    reader: &mut Session,
    meta: &mut Session,
) -> Result<Vec<ReplicaSourceRecord>, EngineError> {
    let mut sources = meta.replica_sources()?;
    let table = reader.query(
        "SELECT domain_id, server_id, seq_no FROM mysql.gtid_slave_pos ORDER BY domain_id, sub_id",
    )?;
    let mut position = MariadbGtidPosition::default();
    for record in table.records() {
        let small = |name| record.number(name).map(|number| u32::try_from(number).unwrap_or(0));
        let gtid =
            MariadbGtid { server_id: small("server_id")?, sequence: record.number("seq_no")? };
        // The highest sub_id of a domain comes last and stays.
        position.set(small("domain_id")?, gtid);
    }
    for source in &mut sources {
        source.binlog = None;
        source.gtid = (!position.is_empty()).then(|| GtidSet::Mariadb(position.clone()));
    }
    Ok(sources)
}

/// Waits until no statement has been running for long, at most `patience`.
fn wait_for_long_statements(
    meta: &mut Session,
    patience: Duration,
    host: &Host,
) -> Result<(), EngineError> {
    let deadline = Instant::now() + patience;
    loop {
        let long = long_statements(meta)?;
        let Some(longest) = long.iter().max_by_key(|statement| statement.seconds) else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            return Err(EngineError::LongStatements {
                statements: long.len(),
                seconds: LONG_STATEMENT.as_secs(),
                longest: longest.to_string(),
            });
        }
        host.heartbeat();
        host.wait_cancelled(LOOK_EVERY);
    }
}

/// A statement that is running.
struct Running {
    id: u64,
    user: String,
    seconds: u64,
}

impl std::fmt::Display for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} s, session {} of {}", self.seconds, self.id, self.user)
    }
}

/// Statements of clients that have run for long. Replication threads are left out: the time that
/// they show is that of their source's clock.
fn long_statements(meta: &mut Session) -> Result<Vec<Running>, EngineError> {
    let own = u64::from(meta.id());
    let table = meta.query("SHOW FULL PROCESSLIST")?;
    let mut long = Vec::new();
    for record in table.records() {
        let command = record.get("Command").unwrap_or_default();
        let user = record.get("User").unwrap_or_default();
        let seconds = record.number("Time").unwrap_or(0);
        let id = record.number("Id")?;
        let is_client = !matches!(user, "system user" | "event_scheduler");
        if matches!(command, "Query" | "Execute")
            && is_client
            && id != own
            && seconds > LONG_STATEMENT.as_secs()
        {
            long.push(Running { id, user: user.to_owned(), seconds });
        }
    }
    Ok(long)
}
