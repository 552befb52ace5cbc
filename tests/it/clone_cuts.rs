//! A connection that is cut in the later stages of a clone, whose content comes only once: pages that
//! have changed during the file copy, and the redo log.
use crate::cloned::{Source, expect_bracket};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Direction, Ending, FaultProxy, Running, SampleTables, Server, ServerOptions, WriteLoad,
    wait_until,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// How long a stage may take to begin.
const PATIENCE: Duration = Duration::from_secs(120);
/// Slow enough for the pages to change while files are copied.
const BYTES_PER_SECOND: u64 = 60_000_000;
/// Slow enough for a stage to be met in its middle.
const IN_THE_STAGE: u64 = 10_000_000;
/// What passes of a stage before the cut.
const PART_BYTES: u64 = 1_500_000;
/// Tables that are changed, and rows of each: about 75 MB.
const TABLES: u32 = 3;
const ROWS: u64 = 100_000;
/// Rows between two that are changed: about one of each page.
const STRIDE: u64 = 50;

/// A source, and its tables changed on nearly every page, again and again.
fn source() -> Result<Source> {
    let source = Source::start(ServerOptions::default())?;
    let schema = "wide".to_owned();
    SampleTables { schema, tables: TABLES, rows: ROWS }.load(&source.server)?;
    Ok(source)
}

fn change_pages(server: &Server, stop: &AtomicBool) -> Result<()> {
    let mut session = server.session()?;
    for round in 0.. {
        for table in 1..=TABLES {
            if stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            // A rest, because the proof replays all of it.
            session.run(&format!(
                "UPDATE wide.sbtest{table} SET pad = REVERSE(pad) WHERE id % {STRIDE} = {}; \
                 DO SLEEP(0.3)",
                round % STRIDE
            ))?;
        }
    }
    Ok(())
}

/// Cuts every connection in the middle of a stage.
fn cut_in(stage: &str, run: &mut Running, proxy: &FaultProxy) -> Result<()> {
    let begins = format!("{stage} begins");
    wait_until(&begins, PATIENCE, || {
        ensure!(run.is_running(), "it has ended: {}", run.stderr_so_far());
        Ok(run.stderr_so_far().contains(&begins))
    })?;
    proxy.throttle(Direction::ToClient, IN_THE_STAGE);
    let begun = proxy.passed_bytes(Direction::ToClient);
    wait_until(&format!("a part of the {stage} has come"), PATIENCE, || {
        Ok(proxy.passed_bytes(Direction::ToClient) > begun + PART_BYTES)
    })?;
    proxy.end_all(Ending::Reset);
    proxy.throttle(Direction::ToClient, BYTES_PER_SECOND);
    Ok(())
}

/// The run has taken the clone up again after a cut in this stage, and not in another one: a donor
/// that goes on within a stage does not begin it anew.
fn expect_restart_in(stage: &str, log: &str) -> Result<()> {
    let begins = format!("{stage} begins");
    let (_, within) = log.split_once(&begins).with_context(|| format!("no {begins}: {log}"))?;
    let (within, _) = within.split_once(" begins").with_context(|| format!("no end: {log}"))?;
    ensure!(within.contains("the connection was cut; the clone goes on"), "not in {stage}: {log}");
    Ok(())
}

fn survives_cuts_in(stages: &[&str], more: &[&str]) -> Result<()> {
    let source = source()?;
    let proxy = FaultProxy::start(source.server.port())?;
    proxy.throttle(Direction::ToClient, BYTES_PER_SECOND);
    let write = WriteLoad::start_paced(&source.server, Duration::from_millis(10))?;
    let stop = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        let changes = scope.spawn(|| change_pages(&source.server, &stop));
        let outcome =
            source.backup_through(&proxy, "db.tar").args(more).start().and_then(|mut run| {
                stages.iter().try_for_each(|stage| cut_in(stage, &mut run, &proxy))?;
                run.wait()
            });
        stop.store(true, Ordering::SeqCst);
        changes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        outcome
    })?;
    ensure!(write.stop().failures == 0, "the load has failed");
    outcome.expect_success()?;
    stages.iter().try_for_each(|stage| expect_restart_in(stage, &outcome.stderr))?;
    source.restore("db.tar", "restored")?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&source.manifest("db.tar")?, &told)
}

#[test]
fn a_connection_cut_in_the_page_copy_and_in_the_redo_copy_is_made_again_and_nothing_is_lost()
-> Result<()> {
    survives_cuts_in(&["page copy", "redo copy"], &[])
}

#[test]
fn several_connections_cut_in_the_page_copy_and_in_the_redo_copy_are_made_again() -> Result<()> {
    survives_cuts_in(&["page copy", "redo copy"], &["--parallel", "3"])
}
