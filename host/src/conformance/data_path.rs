//! Checks of the data path: backups that end well, fail, and are cancelled.
use super::{
    Verdict, archive::CheckArchive, child::Order, contract::text, load, services::CheckServices,
};
use crate::plugin::{HostApi, LoadedEngine, PluginError};
use dbbackup_plugin_api::{
    document::{
        Document,
        backup::{BackupRequest, BackupSummary, LockBudgetDocument},
        manifest::{
            BackupState, EncodingRecord, EngineRecord, Manifest, PagesRecord, SourceRecord,
            TimesRecord, ToolRecord,
        },
        restore::RestoreRequest,
    },
    error::ErrorCode,
    role::{BACKUP_ROLE, RESTORE_ROLE},
};
use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// Longest time from a cancellation to the end of the backup.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);
const CANCELLATIONS: u32 = 10;
/// Slows the sink down, so that there is something to cancel.
const PACE: Duration = Duration::from_millis(4);
/// Longest time of a backup that is to be cancelled at a random moment of it, milliseconds.
const LONGEST_RUN_MS: u64 = 3000;

/// Whether the engine can back up here.
pub(super) enum Readiness {
    /// It can.
    Ready(Box<LoadedEngine>),
    /// It cannot, and why.
    NotHere(String),
}

/// Loads the engine and asks it.
pub(super) fn readiness(order: &Order, services: &CheckServices) -> Result<Readiness, String> {
    let engine = load(order, services).map_err(|error| text(&error))?;
    if !plays(&engine, BACKUP_ROLE) {
        return Ok(Readiness::NotHere("it has no backup role".to_owned()));
    }
    let assessment = engine.assess(&order.environment).map_err(|error| text(&error))?;
    if assessment.applicable {
        return Ok(Readiness::Ready(Box::new(engine)));
    }
    let blocker = assessment.blockers.first().map_or("not applicable here", |b| b.what.as_str());
    let need = if order.environment.server.is_none() { "needs a server" } else { "is blocked" };
    Ok(Readiness::NotHere(format!("{need}: {blocker}")))
}

/// Runs one backup.
pub(super) fn back_up(
    engine: &LoadedEngine,
    order: &Order,
    archive: &CheckArchive,
) -> Result<BackupSummary, PluginError> {
    let request = BackupRequest {
        backup_id: "conformance".to_owned(),
        connection: order.environment.connection.clone(),
        environment: order.environment.clone(),
        lock_budget: LockBudgetDocument { wait_ms: 2000, hold_ms: 1000 },
        accept_degraded: Vec::new(),
        max_replica_lag_ms: None,
        extra: serde_json::Map::new(),
    };
    engine.backup(&request, archive.sink())
}

/// What a backup came to, for the checks that follow it.
struct Run {
    services: CheckServices,
    archive: CheckArchive,
    outcome: Result<BackupSummary, PluginError>,
    took: Duration,
    ended: Instant,
}

/// Runs a backup with fresh services, or answers why there can be none.
fn run(
    order: &Order,
    fail_at: Option<u64>,
    pace: Duration,
    cancel_after: Option<Duration>,
) -> Result<Result<Run, Verdict>, String> {
    let services = CheckServices::new(order.secrets.clone())?;
    let engine = match readiness(order, &services)? {
        Readiness::Ready(engine) => engine,
        Readiness::NotHere(why) => return Ok(Err(Verdict::NotRun { why })),
    };
    let archive = CheckArchive::with(&services, fail_at, pace);
    let started = Instant::now();
    let outcome = std::thread::scope(|scope| {
        if let Some(delay) = cancel_after {
            let services = &services;
            scope.spawn(move || {
                std::thread::park_timeout(delay.saturating_sub(started.elapsed()));
                services.cancel();
            });
        }
        back_up(&engine, order, &archive)
    });
    let ended = Instant::now();
    Ok(Ok(Run { services, archive, outcome, took: ended - started, ended }))
}

pub(super) fn backs_up(order: &Order) -> Result<Verdict, String> {
    let run = match run(order, None, Duration::ZERO, None)? {
        Ok(run) => run,
        Err(verdict) => return Ok(verdict),
    };
    run.outcome.as_ref().map_err(text)?;
    let entries = run.archive.entries();
    if entries.is_empty() {
        return Err("ended well and emitted no entry".to_owned());
    }
    if let Some(entry) = entries.iter().find(|entry| !entry.is_finished) {
        return Err(format!("ended well with entry {} not finished", entry.meta.path));
    }
    balanced(&run)?;
    Ok(Verdict::Passed)
}

pub(super) fn reports_sink_errors(order: &Order) -> Result<Verdict, String> {
    let whole = match run(order, None, Duration::ZERO, None)? {
        Ok(run) => run,
        Err(verdict) => return Ok(verdict),
    };
    let bytes = whole.archive.bytes();
    if bytes == 0 {
        return Ok(Verdict::NotRun { why: "the backup has no bytes here".to_owned() });
    }
    for fail_at in [0, bytes / 2, bytes - 1] {
        let Ok(run) = run(order, Some(fail_at), Duration::ZERO, None)? else { continue };
        let place = format!("after {fail_at} of {bytes} bytes");
        if !run.archive.has_failed() {
            continue;
        }
        match &run.outcome {
            Ok(_) => return Err(format!("the sink failed {place} and the backup ended well")),
            Err(PluginError::Engine { error, .. }) if error.code == ErrorCode::PANIC => {
                return Err(format!("the sink failed {place}: {error}"));
            }
            Err(_) => balanced(&run)?,
        }
    }
    Ok(Verdict::Passed)
}

pub(super) fn obeys_cancellation(order: &Order) -> Result<Verdict, String> {
    let whole = match run(order, None, PACE, None)? {
        Ok(run) => run,
        Err(verdict) => return Ok(verdict),
    };
    let length_ms = u64::try_from(whole.took.as_millis()).unwrap_or(u64::MAX);
    let length_ms = length_ms.clamp(1, LONGEST_RUN_MS);
    let seed = RandomState::new();
    for number in 0..CANCELLATIONS {
        let moment = Duration::from_millis(seed.hash_one(number) % length_ms);
        let Ok(run) = run(order, None, PACE, Some(moment))? else { continue };
        let place = format!("cancelled after {} ms", moment.as_millis());
        let Some(cancelled) = run.services.cancelled_at() else { continue };
        let took = run.ended.saturating_duration_since(cancelled);
        if took > CANCEL_LIMIT {
            return Err(format!("{place}, it ended {:.1} s later", took.as_secs_f64()));
        }
        balanced(&run).map_err(|what| format!("{place}: {what}"))?;
    }
    Ok(Verdict::Passed)
}

/// Without a server alone: a restore into the server that was backed up would destroy what is there.
pub(super) fn restores_what_it_wrote(order: &Order) -> Result<Verdict, String> {
    if order.environment.server.is_some() {
        let why = "needs a second server; dbbackup restore --into-server tries it".to_owned();
        return Ok(Verdict::NotRun { why });
    }
    let run = match run(order, None, Duration::ZERO, None)? {
        Ok(run) => run,
        Err(verdict) => return Ok(verdict),
    };
    let services = CheckServices::new(order.secrets.clone())?;
    let engine = load(order, &services).map_err(|error| text(&error))?;
    if !plays(&engine, RESTORE_ROLE) {
        return Ok(Verdict::NotRun { why: "it has no restore role".to_owned() });
    }
    let request = restore_request(order, &engine);
    engine.check_restore(&request).map_err(|error| text(&error))?;
    let restored = engine.restore(&request, run.archive.reader()).map_err(|e| text(&e))?;
    engine.finish_restore(&request).map_err(|error| text(&error))?;
    let written = run.archive.bytes();
    if restored.bytes != 0 && restored.bytes != written {
        return Err(format!("{written} bytes written, {} restored", restored.bytes));
    }
    Ok(Verdict::Passed)
}

fn plays(engine: &LoadedEngine, role: &str) -> bool {
    engine.manifest().roles.iter().any(|played| played == role)
}

fn balanced(run: &Run) -> Result<(), String> {
    match run.services.open_records() {
        0 => Ok(()),
        open => {
            Err(format!("{open} of {} journal records are not ticked off", run.services.records()))
        }
    }
}

fn restore_request(order: &Order, engine: &LoadedEngine) -> RestoreRequest {
    RestoreRequest {
        manifest: manifest(engine),
        connection: Some(order.environment.connection.clone()),
        directory: None,
        places: BTreeMap::new(),
        server: None,
        only: Vec::new(),
        map: Vec::new(),
        force: false,
        extra: serde_json::Map::new(),
    }
}

/// A manifest as the host would have written it, without files.
fn manifest(engine: &LoadedEngine) -> Manifest {
    let host = HostApi::current();
    let now = jiff::Timestamp::now().to_string();
    let unknown = || "unknown".to_owned();
    Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        id: "conformance".to_owned(),
        state: BackupState::Complete,
        degraded: Vec::new(),
        tool: ToolRecord {
            name: "dbbackup".to_owned(),
            version: host.tool.to_string(),
            api: host.api.to_string(),
        },
        engine: EngineRecord {
            id: engine.manifest().id.clone(),
            family: engine.manifest().family.clone(),
            plugin: engine.plugin().id.clone(),
            plugin_version: engine.plugin().version.to_string(),
            plugin_sha256: String::new(),
            reason: "conformance".to_owned(),
        },
        source: SourceRecord {
            flavor: "MySQL".to_owned(),
            version: unknown(),
            uuid: None,
            hostname: unknown(),
            address: unknown(),
            platform: String::new(),
            facts: serde_json::Map::new(),
        },
        roots: BTreeMap::new(),
        times: TimesRecord { started: now.clone(), consistent: None, ended: now },
        coordinates: Default::default(),
        replica_sources: Vec::new(),
        locks: Vec::new(),
        excluded: Vec::new(),
        restore_needs: Vec::new(),
        encoding: EncodingRecord {
            container: "sql".to_owned(),
            compression: "none".to_owned(),
            encryption: "none".to_owned(),
            recipients: Vec::new(),
        },
        objects: Vec::new(),
        files: Vec::new(),
        pages: PagesRecord::default(),
        extra: serde_json::Map::new(),
    }
}
