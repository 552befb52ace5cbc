//! A file of several chunks that several connections share, and a redo log of several files, under
//! writes: what the artefact holds of them, and the proof that nothing of it is lost.
use crate::cloned::{Source, expect_bracket};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Direction, FaultProxy, Server, ServerOptions};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// What a donor hands to one connection at a time: 4096 pages of 16 KiB.
const CHUNK_BYTES: u64 = 64 << 20;
/// Rows of the table before it is doubled, and how often it is: about 150 MB, three chunks.
const ROWS: u32 = 1200;
const DOUBLINGS: u32 = 7;
/// Slow enough for writes to fill several files of a redo log.
const BYTES_PER_SECOND: u64 = 60_000_000;
/// The smallest redo log that a server takes, of many small files.
const SMALL_REDO: &str = "SET GLOBAL innodb_redo_log_capacity = 8388608";

/// A source with one table larger than two chunks.
fn source() -> Result<Source> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql(&format!(
        "CREATE DATABASE wide; SET SESSION cte_max_recursion_depth = 10000; \
         CREATE TABLE wide.big (id INT PRIMARY KEY, n INT NOT NULL, t TEXT); \
         INSERT INTO wide.big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 \
             FROM n WHERE i < {ROWS}) SELECT i, i, REPEAT(SHA2(i, 256), 14) FROM n"
    ))?;
    for doubling in 0..DOUBLINGS {
        let rows = ROWS << doubling;
        let doubled = format!("INSERT INTO wide.big SELECT id + {rows}, n, t FROM wide.big");
        source.server.sql(&doubled)?;
    }
    source.server.sql(SMALL_REDO)?;
    Ok(source)
}

/// Changes rows on every page of the table: much redo, and little to replay.
fn change_rows(server: &Server, stop: &AtomicBool) -> Result<()> {
    let mut session = server.session()?;
    session.run("SET SESSION binlog_row_image = MINIMAL")?;
    for round in 0_u32.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        session.run(&format!(
            "UPDATE wide.big SET n = n + 1 WHERE id % 40 = {}; DO SLEEP(0.1)",
            round % 40
        ))?;
    }
    Ok(())
}

/// The file and the offset of each record of a stream, in their order.
fn records(path: &Path) -> Result<Vec<(u32, u64)>> {
    let stream = fs::read(path).with_context(|| path.display().to_string())?;
    let mut rest = stream.strip_prefix(b"DBBREC1\n").context("no stream of records")?;
    let mut records = Vec::new();
    loop {
        let (head, after) = rest.split_at_checked(16).context("the stream was cut off")?;
        let index = u32::from_be_bytes(head[..4].try_into()?);
        if index == u32::MAX {
            return Ok(records);
        }
        let length = u32::from_be_bytes(head[4..8].try_into()?);
        records.push((index, u64::from_be_bytes(head[8..].try_into()?)));
        rest = after.get(length as usize..).context("the stream was cut off")?;
    }
}

/// Several chunks of the table have come, and blocks of one between blocks of another: by several
/// connections at a time.
fn expect_shared_chunks(copy: &Path, document: &Value) -> Result<()> {
    let files = document["files"].as_array().context("no files")?;
    let big = files.iter().find(|file| file["name"] == "./wide/big.ibd").context("no big file")?;
    let came = records(&copy.join(".dbbackup/chunks/000001.chunks"))?;
    let of_big = came.iter().filter(|(index, _)| big["index"] == *index);
    let chunks: Vec<u64> = of_big.map(|(_, offset)| offset / CHUNK_BYTES).collect();
    let distinct: BTreeSet<u64> = chunks.iter().copied().collect();
    ensure!(distinct.len() >= 3, "chunks {distinct:?} of {big}");
    let turns = chunks.windows(2).filter(|pair| pair[0] != pair[1]).count();
    ensure!(turns > distinct.len(), "one connection brought it all: {turns} turns of {distinct:?}");
    Ok(())
}

/// Several files of redo are stated, and bytes of several have come.
fn expect_redo_files(copy: &Path, document: &Value) -> Result<()> {
    let stated = document["redo"].as_array().context("no redo")?.len();
    let came = records(&copy.join(".dbbackup/redo/000001.redo"))?;
    let indexes: BTreeSet<u32> = came.iter().map(|(index, _)| *index).collect();
    ensure!(stated >= 3 && indexes.len() >= 3, "{stated} redo files, bytes of {indexes:?}");
    Ok(())
}

fn shared_by(connections: &str) -> Result<()> {
    let source = source()?;
    let proxy = FaultProxy::start(source.server.port())?;
    proxy.throttle(Direction::ToClient, BYTES_PER_SECOND);
    let backup = source.backup_through(&proxy, "copy/").args(["--parallel", connections]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let changes = scope.spawn(|| change_rows(&source.server, &stop));
        let outcome = source.under_load(backup);
        stop.store(true, Ordering::SeqCst);
        changes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        outcome
    })?;
    let copy = source.rig.path("copy");
    let document: Value = serde_json::from_slice(&fs::read(copy.join(".dbbackup/clone.json"))?)?;
    expect_shared_chunks(&copy, &document)?;
    expect_redo_files(&copy, &document)?;
    source.restore("copy/", "restored")?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&source.manifest("copy/")?, &told)
}

#[test]
fn a_file_of_several_chunks_is_shared_by_three_connections() -> Result<()> {
    shared_by("3")
}

mod acceptance {
    use super::*;

    #[test]
    fn a_file_of_several_chunks_is_shared_by_two_and_by_four_connections() -> Result<()> {
        ["2", "4"].into_iter().try_for_each(shared_by)
    }
}
