//! A dump is of one instant, under writes and under DDL, and its position is exact.
use super::logical::{
    Entries, FLAVORS, Harness, backup_of, client_output, failed, failure, harness,
    load_with_client, restore_into, server, shown,
};
use anyhow::{Context, Result, ensure};
use dbbackup_sdk::{
    document::{backup::BackupSummary, manifest::Precision},
    plugin_api::error::ErrorCode,
};
use dbbackup_testkit::{DdlLoad, Flavor, SampleTables, Server, WriteLoad};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[test]
fn a_dump_under_writes_is_of_the_position_that_it_names() -> Result<()> {
    for flavor in FLAVORS {
        let (source, target) = (server(flavor)?, server(flavor)?);
        SampleTables::small().load(&source)?;
        let load = WriteLoad::start(&source)?;
        let run = harness();
        let summary = run.backup(&backup_of(&source)).map_err(failed)?;
        load.wait_for_commits(50, Duration::from_secs(30))?;
        let report = load.stop();
        ensure!(report.failures == 0, "{report:?}");
        ensure!(summary.coordinates.precision == Precision::Exact, "{:?}", summary.coordinates);
        ensure!(summary.coordinates.gtid.is_some(), "{:?}", summary.coordinates);
        let locks = summary.locks.iter().filter(|lock| lock.blocks_commits).count();
        ensure!(locks == usize::from(!flavor.is_mariadb()), "{:?}", summary.locks);

        harness().restore(&restore_into(&target), run.entries()).map_err(failed)?;
        let rows = WriteLoad::check(&target)?;
        let all = WriteLoad::check(&source)?;
        ensure!(rows < all, "nothing was written after the snapshot: {rows} of {all} rows");
        replay(&source, &target, &summary)?;
        source.checksum_all()?.expect_same(&target.checksum_all()?)?;
    }
    Ok(())
}

/// Replays the source's binlog from the position of a dump on, with the stock program.
fn replay(source: &Server, target: &Server, summary: &BackupSummary) -> Result<()> {
    let from = summary.coordinates.binlog.as_ref().context("a position")?;
    source.sql("FLUSH BINARY LOGS")?;
    let files: Vec<(String, u64)> = match source.flavor().is_mariadb() {
        true => source.rows("SHOW BINARY LOGS")?,
        false => source
            .rows::<(String, u64, String)>("SHOW BINARY LOGS")?
            .into_iter()
            .map(|(name, size, _)| (name, size))
            .collect(),
    };
    let paths: Vec<String> = files
        .iter()
        .map(|(name, _)| name)
        .skip_while(|name| **name != from.file)
        .map(|name| source.datadir().join(name).display().to_string())
        .collect();
    ensure!(!paths.is_empty(), "{from} is not among {files:?}");
    let start = format!("--start-position={}", from.position);
    // The target has a history of its own, whose numbers the source's would contradict.
    let mut arguments = vec!["--disable-log-bin", &start];
    arguments.extend(paths.iter().map(String::as_str));
    let program = if source.flavor().is_mariadb() { "mariadb-binlog" } else { "mysqlbinlog" };
    if !source.flavor().is_mariadb() {
        arguments.insert(0, "--skip-gtids");
    }
    load_with_client(target, &client_output(source, program, &arguments)?)
}

/// A dump during which `ddl` runs just when the table `shop.a` is begun.
fn dump_with_ddl(
    source: &Server,
    ddl: &'static str,
    options: serde_json::Value,
) -> Result<Outcome> {
    let session = Arc::new(Mutex::new(Some(source.session()?)));
    let thread: Arc<Mutex<Option<std::thread::JoinHandle<Result<()>>>>> = Arc::default();
    let (started, waits) = (Arc::clone(&thread), options["block_ddl"] != "off");
    let run = harness().options(options).hook(move |path, bytes| {
        if !path.ends_with("/a.sql") || bytes > 0 {
            return;
        }
        if let Some(mut session) = session.lock().unwrap().take() {
            let work = std::thread::spawn(move || session.run(ddl));
            if waits {
                *started.lock().unwrap() = Some(work);
            } else {
                work.join().expect("no panic").expect("the DDL");
            }
        }
    });
    let outcome = run.backup(&backup_of(source));
    if let Some(work) = thread.lock().unwrap().take() {
        work.join().expect("no panic")?;
    }
    Ok(Outcome { outcome, run })
}

struct Outcome {
    outcome: Result<BackupSummary, dbbackup_sdk::plugin_api::error::EngineError>,
    run: Harness,
}

fn shop(source: &Server) -> Result<()> {
    source.sql(
        "DROP DATABASE IF EXISTS shop; CREATE DATABASE shop; \
         CREATE TABLE shop.a (id INT PRIMARY KEY); INSERT INTO shop.a VALUES (1); \
         CREATE TABLE shop.b (id INT PRIMARY KEY, v INT); INSERT INTO shop.b VALUES (1, 1)",
    )?;
    // Creation times are in whole seconds, and tell exchanged tables apart.
    std::thread::park_timeout(Duration::from_millis(1100));
    source.sql(
        "CREATE TABLE shop.c (id INT PRIMARY KEY, v INT); INSERT INTO shop.c VALUES (2, 2), (3, 3)",
    )
}

#[test]
fn ddl_on_a_table_that_is_still_to_be_read_ends_the_dump() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        for ddl in [
            "ALTER TABLE shop.b ADD COLUMN w INT NOT NULL DEFAULT 5",
            "ALTER TABLE shop.b DROP COLUMN v",
            "ALTER TABLE shop.b ADD KEY (v), FORCE",
            "TRUNCATE TABLE shop.b",
            "DROP TABLE shop.b",
            "RENAME TABLE shop.b TO shop.x, shop.c TO shop.b, shop.x TO shop.c",
        ] {
            shop(&source)?;
            let options = serde_json::json!({"block_ddl": "off"});
            let Outcome { outcome, .. } = dump_with_ddl(&source, ddl, options)?;
            let error = failure(outcome).with_context(|| format!("{flavor:?}: {ddl}"))?;
            ensure!(error.code == ErrorCode::SOURCE_IO && error.retryable, "{}", shown(&error));
            ensure!(error.message.contains("table shop.b was changed by DDL"), "{}", shown(&error));
        }
    }
    Ok(())
}

#[test]
fn ddl_waits_for_the_dump_where_the_server_lets_it() -> Result<()> {
    for (flavor, choice) in [(Flavor::Mysql97, "auto"), (Flavor::Mariadb1011, "on")] {
        let (source, target) = (server(flavor)?, server(flavor)?);
        shop(&source)?;
        let before = source.checksum_all()?;
        let options = serde_json::json!({"block_ddl": choice});
        let Outcome { outcome, run } =
            dump_with_ddl(&source, "ALTER TABLE shop.b DROP COLUMN v", options)?;
        outcome.map_err(failed)?;
        harness().restore(&restore_into(&target), run.entries()).map_err(failed)?;
        before.expect_same(&target.checksum_all()?)?;
        ensure!(!before.differences(&source.checksum_all()?).is_empty(), "the DDL never ran");
    }
    Ok(())
}

#[test]
fn a_dump_under_ddl_is_right_or_fails_by_name() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        let load = WriteLoad::start(&source)?;
        let ddl = DdlLoad::start(&source, Duration::from_millis(3))?;
        ddl.wait_for_commits(30, Duration::from_secs(30))?;
        let mut good: Option<Entries> = None;
        for _ in 0..8 {
            let run = harness().options(serde_json::json!({"block_ddl": "off"}));
            match run.backup(&backup_of(&source)) {
                Ok(_) => good = Some(run.entries()),
                Err(error) => {
                    ensure!(
                        error.retryable && error.code == ErrorCode::SOURCE_IO,
                        "{}",
                        shown(&error)
                    );
                    ensure!(error.message.contains("was changed by DDL"), "{}", shown(&error));
                }
            }
        }
        ensure!(ddl.stop().failures == 0 && load.stop().failures == 0);
        if let Some(entries) = good {
            let target = server(flavor)?;
            harness().restore(&restore_into(&target), entries).map_err(failed)?;
            WriteLoad::check(&target)?;
        }
    }
    Ok(())
}
