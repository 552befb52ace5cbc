//! What is said about a committed backup.
use crate::{
    backup::BackupOutcome,
    config::units::{format_duration, format_size},
    connection::Connection,
    output::Report,
};
use dbbackup_plugin_api::document::manifest::{CoordinatesRecord, Manifest, Precision};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Where it is, what it holds, how exact it is. A backup on standard output is reported beside it.
pub(super) fn of(outcome: &BackupOutcome, connection: &Connection) -> Report {
    let manifest = &outcome.manifest;
    let artefact = outcome.artefact.as_ref().map(ToString::to_string);
    let manifest_path = outcome.manifest_place.as_ref().map(ToString::to_string);
    let data = json!({
        "id": manifest.id,
        "artefact": artefact,
        "manifest": manifest_path,
        "state": manifest.state,
        "degraded": manifest.degraded,
        "engine": manifest.engine,
        "source": manifest.source,
        "times": manifest.times,
        "coordinates": manifest.coordinates,
        "locks": manifest.locks,
        "excluded": manifest.excluded,
        "encoding": manifest.encoding,
        "bytes_in": outcome.bytes_in,
        "bytes_out": outcome.bytes_out,
        "files": manifest.files.len(),
    });
    let mut text = format!("Backup: {}\n", manifest.id);
    let lines = [
        ("Source", Some(connection.address())),
        ("Engine", Some(manifest.engine.id.clone())),
        ("Artefact", artefact.clone().or_else(|| Some("standard output".to_owned()))),
        ("Manifest", manifest_path.or_else(|| Some("none".to_owned()))),
        ("Size", Some(sizes(outcome))),
        ("Time", elapsed(manifest).map(format_duration)),
        ("Coordinates", Some(coordinates(&manifest.coordinates))),
        ("Locks", locks(manifest)),
    ];
    for (name, value) in lines {
        text.push_str(&value.map(|value| format!("{name}: {value}\n")).unwrap_or_default());
    }
    for promise in &manifest.degraded {
        text.push_str(&format!("Degraded: {promise}\n"));
    }
    let report = Report::new(&data, text).ending_with(outcome.exit());
    if outcome.artefact.is_none() { report.beside_the_backup() } else { report }
}

fn sizes(outcome: &BackupOutcome) -> String {
    format!("{} from {}", format_size(outcome.bytes_out), format_size(outcome.bytes_in))
}

fn elapsed(manifest: &Manifest) -> Option<Duration> {
    let started: Timestamp = manifest.times.started.parse().ok()?;
    let ended: Timestamp = manifest.times.ended.parse().ok()?;
    Duration::try_from(ended.duration_since(started)).ok()
}

/// Binlog file and position, and GTIDs if they are short.
pub(crate) fn coordinates(record: &CoordinatesRecord) -> String {
    let exactness = match record.precision {
        Precision::Exact => "exact",
        Precision::Bracket => "bracket",
        Precision::None => return "none".to_owned(),
    };
    let binlog = record.binlog.as_ref().map(ToString::to_string);
    let upper = record.binlog_upper.as_ref().map(|upper| format!(" to {upper}"));
    let gtid = record.gtid.as_ref().filter(|gtid| !gtid.is_empty()).map(ToString::to_string);
    let gtid = gtid.map(|gtid| format!(", GTID {gtid}"));
    let (upper, gtid) = (upper.unwrap_or_default(), gtid.unwrap_or_default());
    format!("{}{upper}{gtid} ({exactness})", binlog.unwrap_or_else(|| "no binlog".to_owned()))
}

fn locks(manifest: &Manifest) -> Option<String> {
    let held = |lock: &dbbackup_plugin_api::document::manifest::LockRecord| {
        format!("{} (waited {} ms, held {} ms)", lock.statement, lock.waited_ms, lock.held_ms)
    };
    let locks: Vec<String> = manifest.locks.iter().map(held).collect();
    (!locks.is_empty()).then(|| locks.join("; "))
}
