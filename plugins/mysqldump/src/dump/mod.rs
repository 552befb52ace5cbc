//! The dump: one snapshot, a catalogue proven to be of the same instant, and entries in the order in
//! which they can be restored one after the other.

mod catalogue;
mod ddl;
mod definer;
mod emit;
mod privilege;
mod sessions;
mod snapshot;
mod table;
mod view_order;

use dbbackup_sdk::{
    BackupRun, Sink,
    document::{
        backup::BackupSummary,
        manifest::{ExcludedRecord, LockRecord},
    },
    server::{LockBudget, Session},
};

pub(crate) use privilege::SEE_ALL;

use self::{
    catalogue::{Catalogue, Selection},
    emit::Emitter,
    sessions::Sessions,
    snapshot::Snapshot,
    table::Progress,
};
use crate::{
    error::EngineError,
    options::{Definers, Options},
};

/// Name under which an operator accepts tables that no snapshot covers.
const ACCEPT_NON_TRANSACTIONAL: &str = "non-transactional";
/// How often snapshot and catalogue are tried again when DDL comes between them.
const SNAPSHOT_ATTEMPTS: u32 = 3;

/// Dumps a server.
///
/// # Errors
/// Any [`EngineError`]; no lock is left, and the sessions are closed.
pub(crate) fn run(
    run: &BackupRun,
    options: &Options,
    sink: &Sink,
) -> Result<BackupSummary, EngineError> {
    let sessions = Sessions::new(run)?;
    let mut meta = sessions.open()?;
    let selection = Selection::new(options);
    let grants = privilege::check(&mut meta, &selection)?;
    let out_of_date = meta.check_replica(&run.request)?;
    let budget = LockBudget::from(&run.request.lock_budget);

    let mut ddl_session = sessions.open()?;
    let ddl_lock = ddl::block(&mut ddl_session, options.block_ddl, &grants, budget)?;
    let (mut snapshot, catalogue) =
        begin(&sessions, &mut meta, &selection, ddl_lock.is_some(), budget, run)?;
    let degraded = check_tables(&catalogue, run)?;

    let mut emitter = Emitter::new(sink, &run.host, options, &mut snapshot, &mut meta, &catalogue);
    emitter.emit()?;
    let mut progress = emitter.into_progress();
    progress.degraded.extend(out_of_date.into_iter().chain(degraded));

    let mut locks: Vec<LockRecord> = snapshot.lock.take().into_iter().collect();
    if let Some(lock) = ddl_lock {
        locks.push(lock.unlock()?.into());
    }
    summary(&mut meta, options, snapshot, catalogue, progress, locks)
}

/// Begins the snapshot and reads the catalogue. Where DDL is not kept waiting, the catalogue is read
/// on both sides of the snapshot, until both are equal.
fn begin(
    sessions: &Sessions,
    meta: &mut Session,
    selection: &Selection,
    ddl_blocked: bool,
    budget: LockBudget,
    run: &BackupRun,
) -> Result<(Snapshot, Catalogue), EngineError> {
    let mut what = String::new();
    for _ in 0..SNAPSHOT_ATTEMPTS {
        match attempt(sessions, meta, selection, ddl_blocked, budget, run) {
            Ok((snapshot, catalogue, None)) => return Ok((snapshot, catalogue)),
            Ok((_, _, Some(difference))) => what = difference,
            Err(error) if error.is_ddl() => what = shown(&error),
            Err(error) => return Err(error),
        }
        tracing::info!(object = %what, "DDL came between snapshot and catalogue: once more");
    }
    Err(EngineError::Unstable { what, attempts: SNAPSHOT_ATTEMPTS })
}

/// One attempt: the snapshot, the catalogue, and what is not equal on both sides, if anything is.
fn attempt(
    sessions: &Sessions,
    meta: &mut Session,
    selection: &Selection,
    ddl_blocked: bool,
    budget: LockBudget,
    run: &BackupRun,
) -> Result<(Snapshot, Catalogue, Option<String>), EngineError> {
    let before = if ddl_blocked { None } else { Some(catalogue::read(meta, selection)?) };
    let snapshot = snapshot::begin(sessions.open()?, meta, budget, &run.host)?;
    let catalogue = catalogue::read(meta, selection)?;
    let difference = before.and_then(|before| before.difference(&catalogue));
    Ok((snapshot, catalogue, difference))
}

/// The object that a server's error names, in its words.
fn shown(error: &EngineError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

/// Refuses tables that no snapshot covers, unless the operator accepts them; answers what is weaker
/// then.
fn check_tables(catalogue: &Catalogue, run: &BackupRun) -> Result<Vec<String>, EngineError> {
    let tables = catalogue.non_transactional();
    let accepted = run.request.accept_degraded.iter().any(|name| name == ACCEPT_NON_TRANSACTIONAL);
    if !tables.is_empty() && !accepted {
        return Err(EngineError::NonTransactional { tables });
    }
    Ok(tables.into_iter().map(|table| format!("{table}: not of the snapshot's instant")).collect())
}

fn summary(
    meta: &mut Session,
    options: &Options,
    snapshot: Snapshot,
    catalogue: Catalogue,
    progress: Progress,
    locks: Vec<LockRecord>,
) -> Result<BackupSummary, EngineError> {
    let mut summary = BackupSummary {
        coordinates: snapshot.coordinates,
        replica_sources: snapshot.replica_sources,
        consistent_at: Some(snapshot.consistent_at),
        locks,
        degraded: progress.degraded,
        ..BackupSummary::default()
    };
    let longest = progress.longest_statement_bytes;
    if longest > 0 {
        summary.restore_needs.push(format!("max_allowed_packet of at least {longest} bytes"));
    }
    let definers = catalogue.definers();
    if options.definers == Definers::Keep && !definers.is_empty() {
        summary.restore_needs.push(format!("accounts named as definers: {}", definers.join(", ")));
    }
    summary.excluded = catalogue.excluded;
    summary.excluded.push(ExcludedRecord {
        what: "accounts, roles and grants".to_owned(),
        why: "they are in system schemas".to_owned(),
    });
    for name in ["lower_case_table_names", "character_set_server", "collation_server"] {
        if let Some(value) = meta.variable(name)? {
            summary.source.insert(name.to_owned(), value.into());
        }
    }
    summary.source.insert("longest_statement_bytes".to_owned(), longest.into());
    summary.source.insert("rows".to_owned(), progress.rows.into());
    Ok(summary)
}
