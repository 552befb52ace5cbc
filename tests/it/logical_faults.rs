//! What goes wrong with a dump is said clearly, and leaves nothing behind on the source.
use super::logical::{
    FLAVORS, backup_of, backup_request, failed, failure, harness, server, sessions_left, shown,
};
use anyhow::{Result, ensure};
use dbbackup_sdk::plugin_api::error::ErrorCode;
use dbbackup_testkit::{
    ADMIN_USER, Direction, FaultProxy, Flavor, SampleTables, Server, ServerOptions, WriteLoad,
    wait_until,
};
use std::time::{Duration, Instant};

/// The engine's sessions are gone, and nothing is locked.
fn expect_left_alone(source: &Server) -> Result<()> {
    wait_until("the engine's sessions end", Duration::from_secs(5), || {
        Ok(sessions_left(source)? == 0)
    })?;
    source.expect_writable_within(Duration::from_secs(5))
}

#[test]
fn a_cancelled_dump_ends_within_two_seconds() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        SampleTables::small().load(&source)?;
        for moment in ["10-schemas", "20-tables"] {
            let run = harness();
            let asked = std::sync::Arc::new(std::sync::Mutex::new(None));
            let (when, canceller) = (asked.clone(), run.clone());
            let run = run.hook(move |path, _| {
                if path.starts_with(moment) && when.lock().unwrap().is_none() {
                    canceller.cancel();
                    *when.lock().unwrap() = Some(Instant::now());
                }
            });
            let error = failure(run.backup(&backup_of(&source)))?;
            let took = asked.lock().unwrap().expect("the moment came").elapsed();
            ensure!(error.code == ErrorCode::CANCELLED, "{}", shown(&error));
            ensure!(took < Duration::from_secs(2), "{took:?}");
            expect_left_alone(&source)?;
        }
    }
    Ok(())
}

#[test]
fn a_dump_that_waits_for_the_server_is_cancelled_too() -> Result<()> {
    let source = server(Flavor::Mysql97)?;
    source.sql("CREATE DATABASE shop; CREATE TABLE shop.a (id INT PRIMARY KEY)")?;
    // The dump's questions about the table wait behind this.
    let mut other = source.session()?;
    other.run("LOCK TABLES shop.a WRITE")?;
    let run = harness();
    let canceller = run.clone();
    let cancelling = std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(1500));
        canceller.cancel();
        Instant::now()
    });
    let error = failure(run.backup(&backup_of(&source)))?;
    let took = cancelling.join().expect("no panic").elapsed();
    ensure!(error.code == ErrorCode::CANCELLED, "{}", shown(&error));
    ensure!(took < Duration::from_secs(2), "{took:?}");
    other.run("UNLOCK TABLES")?;
    expect_left_alone(&source)
}

#[test]
fn a_cut_connection_ends_the_dump() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        SampleTables::small().load(&source)?;
        let proxy = FaultProxy::start(source.port())?;
        proxy.cut_after(Direction::ToClient, 300_000);
        let error = failure(harness().backup(&backup_request(proxy.port(), ADMIN_USER)))?;
        ensure!(error.code == ErrorCode::CONNECT && error.retryable, "{}", shown(&error));
        expect_left_alone(&source)?;
    }
    Ok(())
}

#[test]
fn a_killed_server_ends_the_dump() -> Result<()> {
    let mut source = server(Flavor::Mariadb1011)?;
    SampleTables::small().load(&source)?;
    let pid = source.pid()?;
    let run = harness().hook(move |path, _| {
        if path.starts_with("20-tables") {
            // A second kill finds nobody, which is fine.
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().ok();
        }
    });
    let error = failure(run.backup(&backup_of(&source)))?;
    ensure!(error.code == ErrorCode::CONNECT && error.retryable, "{}", shown(&error));
    Ok(())
}

#[test]
fn no_lock_is_asked_for_behind_a_long_statement() -> Result<()> {
    let source = server(Flavor::Mysql97)?;
    let load = WriteLoad::start(&source)?;
    let mut long = source.session()?;
    let statement =
        std::thread::spawn(move || long.run("SELECT SLEEP(8) FROM write_load.counter LIMIT 1"));
    std::thread::park_timeout(Duration::from_millis(2500));
    load.forget_longest();
    let error = failure(harness().backup(&backup_of(&source)))?;
    ensure!(error.code == ErrorCode::LOCK_BUDGET && error.retryable, "{}", shown(&error));
    ensure!(error.message.contains("running for more than 1 s"), "{}", shown(&error));
    let longest = load.report().longest;
    ensure!(longest < Duration::from_secs(1), "a commit took {longest:?}");
    statement.join().expect("no panic")?;
    expect_left_alone(&source)?;
    harness().backup(&backup_of(&source)).map_err(failed)?;
    Ok(())
}

#[test]
fn a_lock_that_is_not_granted_in_time_is_given_up() -> Result<()> {
    let source = server(Flavor::Mysql97)?;
    let load = WriteLoad::start(&source)?;
    let mut long = source.session()?;
    let statement =
        std::thread::spawn(move || long.run("SELECT SLEEP(6) FROM write_load.counter LIMIT 1"));
    let mut request = backup_of(&source);
    request.lock_budget.wait_ms = 400;
    // Not long yet: the lock is asked for, and the watchdog takes the statement back. The server
    // keeps the table marked until the old statement ends, which no client can change.
    std::thread::park_timeout(Duration::from_millis(200));
    let error = failure(harness().backup(&request))?;
    ensure!(error.code == ErrorCode::LOCK_BUDGET && error.retryable, "{}", shown(&error));
    ensure!(error.message.contains("FLUSH TABLES WITH READ LOCK"), "{}", shown(&error));
    statement.join().expect("no panic")?;
    load.wait_for_commits(5, Duration::from_secs(5))?;
    expect_left_alone(&source)
}

#[test]
fn a_missing_privilege_is_named_with_its_grant() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        source.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)")?;
        source.sql("CREATE USER poor@'%' IDENTIFIED BY 'p'; GRANT SELECT ON shop.* TO poor@'%'")?;
        let run = super::logical::Harness::new("p");
        let request = backup_request(source.port(), "poor");
        let error = failure(run.backup(&request))?;
        ensure!(error.code == ErrorCode::PRIVILEGE, "{}", shown(&error));
        ensure!(error.message.contains("TRIGGER on shop"), "{}", shown(&error));
        ensure!(error.hint.contains("GRANT "), "{}", shown(&error));
        // The hint is all that it takes.
        for statement in error.hint.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            source.sql(statement)?;
        }
        run.backup(&request).map_err(failed)?;
    }
    Ok(())
}

#[test]
fn an_account_that_sees_only_some_schemas_makes_no_backup_of_all() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        let (monitor, routines) = if flavor.is_mariadb() {
            ("SLAVE MONITOR", "SELECT ON mysql.*")
        } else {
            ("RELOAD, PROCESS, REPLICATION CLIENT", "SHOW_ROUTINE ON *.*")
        };
        source.sql(&format!(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); CREATE DATABASE logs; \
             CREATE TABLE logs.t (id INT PRIMARY KEY); CREATE USER tenant@'%' IDENTIFIED BY 'p'; \
             GRANT {monitor} ON *.* TO tenant@'%'; GRANT {routines} TO tenant@'%'; \
             GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON shop.* TO tenant@'%'"
        ))?;
        let request = backup_request(source.port(), "tenant");
        let dump = |databases: &[&str]| {
            let run = super::logical::Harness::new("p");
            run.options(serde_json::json!({ "databases": databases })).backup(&request)
        };
        for choice in [&[][..], &["*"], &["shop", "?*"]] {
            let error = failure(dump(choice))?;
            ensure!(error.code == ErrorCode::PRIVILEGE, "{choice:?}: {}", shown(&error));
            ensure!(
                error.message.contains("lacks SHOW DATABASES (needed unless `databases` names"),
                "{choice:?}: {}",
                shown(&error)
            );
            let grant = "GRANT SHOW DATABASES ON *.* TO 'tenant'@'%';";
            ensure!(error.hint == grant, "{choice:?}: {}", shown(&error));
        }
        // What it may see is enough for what is named, and only for that.
        dump(&["shop"]).map_err(failed)?;
        source.sql("GRANT SHOW DATABASES ON *.* TO tenant@'%'")?;
        let error = failure(dump(&[]))?;
        ensure!(error.message.contains("SELECT on logs"), "{}", shown(&error));
        source.sql("GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON logs.* TO tenant@'%'")?;
        let summary = dump(&[]).map_err(failed)?;
        ensure!(summary.excluded.iter().all(|one| one.what != "logs"), "{:?}", summary.excluded);
    }
    Ok(())
}

#[test]
fn tables_without_transactions_are_refused_or_degraded() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        source.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.mem (i INT) ENGINE=MEMORY; \
             CREATE TABLE shop.isam (i INT, KEY (i)) ENGINE=MyISAM; \
             INSERT INTO shop.isam VALUES (1), (2); INSERT INTO shop.mem VALUES (3); \
             CREATE TABLE shop.hole (i INT) ENGINE=InnoDB",
        )?;
        let mut request = backup_of(&source);
        let error = failure(harness().backup(&request))?;
        ensure!(error.code == ErrorCode::PRECONDITION, "{}", shown(&error));
        ensure!(
            error.message.contains("shop.isam (MyISAM), shop.mem (MEMORY)"),
            "{}",
            shown(&error)
        );
        request.accept_degraded = vec!["non-transactional".to_owned()];
        let run = harness();
        let summary = run.backup(&request).map_err(failed)?;
        ensure!(summary.degraded.len() == 2, "{:?}", summary.degraded);
        // Their rows come back although MySQL takes none of them inside a transaction.
        let target = server(flavor)?;
        harness().restore(&super::logical::restore_into(&target), run.entries()).map_err(failed)?;
        source.checksum_all()?.expect_same(&target.checksum_all()?)?;
    }
    Ok(())
}

#[test]
fn options_that_cannot_be_are_refused() -> Result<()> {
    let source = server(Flavor::Mariadb1011)?;
    for (options, code, text) in [
        (
            serde_json::json!({"databases": ["nowhere"]}),
            ErrorCode::PRECONDITION,
            "no schema fits \"nowhere\"",
        ),
        (serde_json::json!({"insert_bytes": 1}), ErrorCode::CONFIG, "insert_bytes is 1"),
        (serde_json::json!({"databases": ["a.b"]}), ErrorCode::CONFIG, "names a table"),
    ] {
        let error = failure(harness().options(options).backup(&backup_of(&source)))?;
        ensure!(error.code == code && error.message.contains(text), "{}", shown(&error));
    }
    Ok(())
}

#[test]
fn without_a_binlog_there_is_no_position_and_no_lock() -> Result<()> {
    for flavor in FLAVORS {
        let source = Server::start(flavor, ServerOptions::default().without_binlog())?;
        source.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)")?;
        let summary = harness().backup(&backup_of(&source)).map_err(failed)?;
        ensure!(summary.coordinates == Default::default(), "{:?}", summary.coordinates);
        ensure!(!summary.locks.iter().any(|lock| lock.blocks_commits), "{:?}", summary.locks);
    }
    Ok(())
}
