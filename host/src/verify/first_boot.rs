//! What the first boot of a physical copy tells: where in the source's history its content is.
use super::boot::{BootError, ask};
use crate::connection::Session;
use dbbackup_plugin_api::{
    document::manifest::{CoordinatesRecord, Manifest, Precision},
    position::{BinlogCoordinates, GtidSet, MysqlGtidSet},
};
use std::{fs, io, path::Path};

/// What a server writes about a clone after the first start on it.
const STATUS_FILE: &str = "#clone/#status_recovery";
/// Its lines before the GTID set: start, end, binlog file, position.
const LINES_BEFORE_GTID: usize = 4;

/// True for a data directory that came out of a clone.
pub(super) fn is_clone(data: &Path) -> bool {
    data.join("#clone").is_dir()
}

/// The exact position of a cloned data directory that `session`'s server was started on for the
/// first time; nothing for other copies.
pub(super) fn coordinates(
    session: &mut Session,
    data: &Path,
) -> Result<Option<CoordinatesRecord>, BootError> {
    if !is_clone(data) {
        return Ok(None);
    }
    let told = match status_file(&data.join(STATUS_FILE))? {
        Some(told) => told,
        // A server that loads the clone plugin puts the content of the file into a table.
        None => status_table(session)?,
    };
    let executed = executed_gtids(session)?;
    // The server keeps the name as it was opened: `./binlog.000002`.
    let file = told.file.rsplit('/').next().unwrap_or(&told.file).to_owned();
    let gtid = gtid_set(if told.gtid.is_empty() { &executed } else { &told.gtid })?;
    let binlog = (!file.is_empty()).then_some(BinlogCoordinates { file, position: told.position });
    if binlog.is_none() && gtid.is_none() {
        return Ok(None);
    }
    Ok(Some(CoordinatesRecord { precision: Precision::Exact, binlog, gtid, ..Default::default() }))
}

/// The exact position of a snapshot whose coordinates are a bracket: crash recovery has cut the
/// newest binlog that came with the files to its last whole transaction, and the server has begun
/// another one. Nothing for other copies.
pub(super) fn of_recovered_binlog(
    session: &mut Session,
    manifest: &Manifest,
) -> Result<Option<CoordinatesRecord>, BootError> {
    const STEP: &str = "list the recovered binlogs";
    let recorded = &manifest.coordinates;
    let has_binlog = manifest.source.facts.contains_key("log_bin_basename");
    let (Precision::Bracket, true) = (recorded.precision, has_binlog) else { return Ok(None) };
    let rows = session.rows(STEP, "SHOW BINARY LOGS").map_err(Box::new)?;
    let recovered = rows.len().checked_sub(2).and_then(|at| rows.get(at));
    let position = recovered.and_then(|row| {
        let file = row.get_opt::<String, _>(0)?.ok()?;
        Some(BinlogCoordinates { file, position: row.get_opt::<u64, _>(1)?.ok()? })
    });
    let found = position.ok_or(BootError::Answer { step: STEP })?;
    if let (Some(lower), Some(upper)) = (&recorded.binlog, &recorded.binlog_upper) {
        let order = |place: &BinlogCoordinates| (place.sequence(), place.position);
        if order(&found) < order(lower) || order(&found) > order(upper) {
            let (lower, upper) = (lower.clone(), upper.clone());
            return Err(BootError::OtherPosition { found, lower, upper });
        }
    }
    let gtid = gtid_set(&executed_gtids(session)?)?;
    Ok(Some(CoordinatesRecord {
        precision: Precision::Exact,
        binlog: Some(found),
        gtid,
        lsn: recorded.lsn,
        ..Default::default()
    }))
}

fn executed_gtids(session: &mut Session) -> Result<String, BootError> {
    const STEP: &str = "ask for the executed GTIDs";
    let answer: Vec<String> = ask(session, STEP, "SELECT @@GLOBAL.gtid_executed")?;
    answer.into_iter().next().ok_or(BootError::Answer { step: STEP })
}

/// A position as the server tells it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    file: String,
    position: u64,
    gtid: String,
}

fn status_file(path: &Path) -> Result<Option<Told>, BootError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(BootError::Status { path: path.to_owned(), source }),
    }
}

fn parse(text: &str) -> Result<Told, BootError> {
    // Without a binlog these lines are there, and say nothing.
    let cut_off = || BootError::Answer { step: "read the clone status" };
    let mut lines = text.lines().skip(2);
    let file = lines.next().ok_or_else(cut_off)?.trim().to_owned();
    let position = lines.next().ok_or_else(cut_off)?.trim().parse().map_err(|_| cut_off())?;
    // A set of several servers is broken into lines.
    let gtid = text.lines().skip(LINES_BEFORE_GTID).map(str::trim).collect();
    Ok(Told { file, position, gtid })
}

fn status_table(session: &mut Session) -> Result<Told, BootError> {
    let query = "SELECT COALESCE(BINLOG_FILE, ''), CAST(COALESCE(BINLOG_POSITION, 0) AS UNSIGNED), \
                 COALESCE(GTID_EXECUTED, '') FROM performance_schema.clone_status";
    let known: Vec<u64> = ask(
        session,
        "look for the clone status",
        "SELECT COUNT(*) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = 'performance_schema' AND TABLE_NAME = 'clone_status'",
    )?;
    if known.first() != Some(&1) {
        return Ok(Told::default());
    }
    let rows: Vec<(String, u64, String)> = ask(session, "read the clone status", query)?;
    let row = rows.into_iter().next();
    Ok(row.map(|(file, position, gtid)| Told { file, position, gtid }).unwrap_or_default())
}

fn gtid_set(text: &str) -> Result<Option<GtidSet>, BootError> {
    let joined: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if joined.is_empty() {
        return Ok(None);
    }
    let set = joined.parse::<MysqlGtidSet>();
    let set = set.map_err(|_| BootError::Answer { step: "read the executed GTIDs" })?;
    Ok(Some(GtidSet::Mysql(set)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_five_lines_are_read_and_a_set_may_have_more() {
        let text = "1700000000000001\n1700000000000002\nbinlog.000002\n114893750\n\
                    3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n\
                    4e11fa47-71ca-11e1-9e33-c80aa9429562:7\n";
        let told = parse(text).unwrap();
        assert_eq!((told.file.as_str(), told.position), ("binlog.000002", 114_893_750));
        let set = gtid_set(&told.gtid).unwrap().unwrap().to_string();
        assert!(set.ends_with("4e11fa47-71ca-11e1-9e33-c80aa9429562:7"), "{set}");
        assert_eq!(parse("1\n2\n\n0\n\n").unwrap(), Told::default());
        assert!(parse("1\n2\nbinlog.1\nmany\n\n").is_err());
    }
}
