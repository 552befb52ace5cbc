//! What goes wrong with a clone over the protocol: the run goes on over another connection, or it ends
//! with the reason and the donor has given the clone up.
use crate::{
    cloned::{Source, expect_bracket},
    killed::{come_to, moments},
};
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    Direction, Ending, FaultProxy, SampleTables, ServerOptions, Signal, SmallDisk, is_root, skip,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// A source with about 100 MB, so that there is a middle.
fn source() -> Result<Source> {
    let source = Source::start(ServerOptions::default())?;
    SampleTables { schema: "wide".to_owned(), tables: 3, rows: 100_000 }.load(&source.server)?;
    Ok(source)
}

/// Cuts every connection each time another part of the content has passed, until it is told to stop.
fn cut_again_and_again(proxy: &FaultProxy, ending: Ending, times: u64, stop: &AtomicBool) {
    const EVERY: u64 = 20_000_000;
    for time in 1..=times {
        while proxy.passed_bytes(Direction::ToClient) < time * EVERY {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        proxy.end_all(ending);
    }
}

/// A backup whose connections are cut again and again, under load, and the proof of what came of it.
fn survives_cuts(output: &str, more: &[&str], ending: Ending, times: u64) -> Result<()> {
    let source = source()?;
    let proxy = FaultProxy::start(source.server.port())?;
    // Slow enough for the cuts to hit the middle of the files.
    proxy.throttle(Direction::ToClient, 60_000_000);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| cut_again_and_again(&proxy, ending, times, &stop));
        let outcome = source.under_load(source.backup_through(&proxy, output).args(more));
        stop.store(true, Ordering::SeqCst);
        outcome
    })?;
    ensure!(proxy.connections() > 10, "only {} connections", proxy.connections());
    source.expect_no_clone()?;
    source.restore(output, "restored")?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&source.manifest(output)?, &told)
}

#[test]
fn a_cut_connection_is_made_again_and_the_run_goes_on() -> Result<()> {
    survives_cuts("db.tar", &[], Ending::Reset, 4)
}

#[test]
fn several_cut_connections_are_made_again_and_the_run_goes_on() -> Result<()> {
    let more = ["--parallel", "3", "--engine-option", "restarts=100"];
    survives_cuts("db.tar", &more, Ending::Close, 40)
}

#[test]
fn a_connection_that_stays_away_ends_the_run() -> Result<()> {
    let source = source()?;
    let proxy = FaultProxy::start(source.server.port())?;
    proxy.cut_after(Direction::ToClient, 30_000_000);
    let run =
        source.backup_through(&proxy, "db.tar").args(["--engine-option", "restarts=3"]).run()?;
    run.expect_exit(5)?.expect_stderr("the connection was cut, after 3 restarts")?;
    ensure!(!source.rig.path("db.tar").exists(), "a failed backup left a file");
    source.aftermath().expect_free_source()
}

/// A donor killed at moments spread over the clone; it comes back, and the next run succeeds.
#[test]
fn a_donor_killed_at_any_moment_ends_the_run_and_leaves_no_backup() -> Result<()> {
    let mut source = Source::start(ServerOptions::default())?;
    let proxy = FaultProxy::start(source.server.port())?;
    let passed = || proxy.passed_bytes(Direction::ToClient);
    source.backup_through(&proxy, "db.tar").run()?.expect_success()?;
    let whole = passed();
    for moment in moments("killed donors") {
        proxy.throttle(Direction::ToClient, 100_000_000);
        let before = passed();
        let run = source.backup_through(&proxy, "db.tar").arg("--force");
        let mut run = run.args(["--engine-option", "restarts=1"]).start()?;
        come_to(&mut run, moment, whole, || Ok(passed() - before))?;
        source.server.kill9()?;
        let outcome = run.wait()?;
        println!("{moment:?}: {:?}", outcome.code());
        proxy.resume();
        // It may have been done, or have had nothing more to ask for.
        ensure!(matches!(outcome.code(), Some(5 | 0)), "{moment:?}: {outcome}");
        source.server.restart()?;
        source.expect_no_clone()?;
        // The backup that was there is there, or the new one.
        source.aftermath().expect_names(&["db.tar", "db.tar.manifest.json"])?;
        source.aftermath().expect_clean()?;
    }
    source.aftermath().expect_backups(1)?;
    source.backup("protocol", "db.tar").arg("--force").run()?.expect_success()?;
    source.aftermath().expect_backups(1)
}

#[test]
fn a_killed_donor_ends_the_run() -> Result<()> {
    let mut source = source()?;
    let proxy = FaultProxy::start(source.server.port())?;
    proxy.throttle(Direction::ToClient, 20_000_000);
    let mut run =
        source.backup_through(&proxy, "db.tar").args(["--engine-option", "restarts=2"]).start()?;
    run.wait_for_file(&source.rig.path("db.tar.partial"), 1_000_000, Duration::from_secs(60))?;
    source.server.kill9()?;
    let outcome = run.wait()?;
    outcome.expect_exit(5)?;
    ensure!(!source.rig.path("db.tar").exists(), "a failed backup left a file");
    Ok(())
}

#[test]
fn an_interrupted_run_ends_soon_and_so_does_the_clone() -> Result<()> {
    let source = source()?;
    for more in [&[][..], &["--parallel", "3"][..]] {
        let proxy = FaultProxy::start(source.server.port())?;
        proxy.throttle(Direction::ToClient, 10_000_000);
        let mut run = source.backup_through(&proxy, "db.tar").args(more).start()?;
        let partial = source.rig.path("db.tar.partial");
        run.wait_for_file(&partial, 1_000_000, Duration::from_secs(60))?;
        run.signal(Signal::INT)?;
        let asked = Instant::now();
        let outcome = run.wait()?;
        let took = asked.elapsed();
        outcome.expect_exit(130)?;
        ensure!(took < Duration::from_secs(4), "{took:?}");
        source.expect_no_clone()?;
    }
    Ok(())
}

#[test]
fn a_failure_of_ours_ends_the_clone_on_the_donor() -> Result<()> {
    let source = source()?;
    if !is_root() {
        skip!("mounting a small filesystem needs root");
    }
    let disk = SmallDisk::mount(300_000_000)?;
    let partial = disk.path().join("db.tar.partial");
    let output = disk.path().join("db.tar").display().to_string();
    let proxy = FaultProxy::start(source.server.port())?;
    proxy.throttle(Direction::ToClient, 20_000_000);
    let mut run = source.backup_through(&proxy, &output).start()?;
    run.wait_for_file(&partial, 1_000_000, Duration::from_secs(60))?;
    disk.leave_free(5_000_000)?;
    run.wait()?.expect_exit(7)?;
    source.expect_no_clone()
}

#[test]
fn the_donor_waits_for_a_slow_target() -> Result<()> {
    let source = source()?;
    let mut run = source.backup("protocol", "db.tar").args(["--limit-rate", "3M"]).start()?;
    let partial = source.rig.path("db.tar.partial");
    run.wait_for_file(&partial, 4_000_000, Duration::from_secs(60))?;
    // The time-outs that the clone plugin took over from the session.
    let patience: Vec<String> = source.server.rows(
        "SELECT DISTINCT v.variable_value FROM performance_schema.variables_by_thread v \
         JOIN performance_schema.threads t USING (thread_id) \
         WHERE t.processlist_command = 'Clone' AND v.variable_name = 'net_write_timeout'",
    )?;
    ensure!(patience == ["3600"], "{patience:?}");
    run.signal(Signal::TERM)?;
    run.wait()?.expect_exit(143)?;
    source.expect_no_clone()
}
