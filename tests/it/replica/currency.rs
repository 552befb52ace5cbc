//! What stands still or lags is refused, with what to do; accepted, the backup is degraded.
use super::chain::{Chain, change, grow, make_table, prepare_source, rows, wait_for_rows};
use anyhow::{Context as _, Result, ensure};
use dbbackup_sdk::server::{ConnectOptions, ReplicaError, Secret, Session};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, Flavor, Rig, Server, ServerOptions, wait_until,
};
use std::time::Duration;

const BACKUP: [&str; 5] = ["physical-backup", "--engine", "mysqldump", "--output", "late.sql.gz"];

/// One of two channels stops applying: it alone is named, with the statement that starts it.
pub(super) fn a_stopped_channel_is_named(rig: &Rig, chain: &Chain) -> Result<()> {
    let replica = &chain.replica;
    let (stop, start) = match replica.flavor().is_mariadb() {
        true => ("STOP SLAVE 'west' SQL_THREAD", "START SLAVE 'west';"),
        false => {
            ("STOP REPLICA SQL_THREAD FOR CHANNEL 'west'", "START REPLICA FOR CHANNEL 'west';")
        }
    };
    replica.sql(stop)?;
    let west = format!("channel west from 127.0.0.1:{}: the applier is stopped", chain.west.port());
    let refused = rig.dbbackup_on(replica, BACKUP).run()?;
    refused
        .expect_exit(4)?
        .expect_stderr(&format!("this replica stands still: {west}"))?
        .expect_stderr(&format!("start it: {start}"))?
        .expect_stderr("--accept-degraded replica-stopped")?;
    ensure!(!refused.stderr.contains("channel east"), "east runs: {refused}");
    ensure!(!rig.path("late.sql.gz").exists(), "a refused backup left a file");

    if !replica.flavor().is_mariadb() {
        the_clone_engine_refuses_it_too(rig, replica, &west)?;
        a_recipient_refuses_it_as_a_donor(rig, &chain.east, replica, &west)?;
    }

    let doctor = rig.dbbackup_on(replica, ["engine", "doctor"]).run()?;
    doctor.expect_stdout("channel west from 127.0.0.1:")?.expect_stdout(start)?;

    let accepted = [&BACKUP[..], &["--accept-degraded", "replica-stopped"]].concat();
    rig.dbbackup_on(replica, accepted).run()?.expect_exit(10)?.expect_stdout(&west)?;
    let info = rig.dbbackup(["info", "late.sql.gz", "--json"]).run()?.json()?;
    let sources = info["data"]["replica_sources"].as_array().context("no replica_sources")?;
    let states: Vec<_> = sources.iter().map(|record| &record["applier"]).collect();
    ensure!(states.len() == 2 && states.iter().any(|state| *state == "stopped"), "{states:?}");
    Ok(())
}

fn the_clone_engine_refuses_it_too(rig: &Rig, replica: &Server, west: &str) -> Result<()> {
    const CLONE: [&str; 5] = ["physical-backup", "--engine", "clone", "--output", "late.tar.zst"];
    let refused = rig.dbbackup_on(replica, CLONE).run()?;
    refused.expect_exit(4)?.expect_stderr(&format!("this replica stands still: {west}"))?;
    ensure!(!rig.path("late.tar.zst").exists(), "a refused backup left a file");
    let accepted = [&CLONE[..], &["--accept-degraded", "replica-stopped"]].concat();
    rig.dbbackup_on(replica, accepted).run()?.expect_exit(10)?.expect_stdout(west)?;
    Ok(())
}

fn a_recipient_refuses_it_as_a_donor(
    rig: &Rig,
    recipient: &Server,
    donor: &Server,
    west: &str,
) -> Result<()> {
    let port = donor.port();
    recipient.sql(&format!("SET GLOBAL clone_valid_donor_list = '127.0.0.1:{port}'"))?;
    let options = [
        "method=recipient".to_owned(),
        "donor_host=127.0.0.1".to_owned(),
        format!("donor_port={port}"),
        format!("donor_user={ADMIN_USER}"),
        format!("data_dir={}", rig.tmp_dir().display()),
    ];
    let backup = |more: &[&str]| {
        let backup = ["physical-backup", "--engine", "clone", "--output", "donor.tar.zst"];
        let run = rig.dbbackup_on(recipient, backup).args(more);
        let run = run.env("DBBACKUP_CLONE_DONOR_PASSWORD", ADMIN_PASSWORD);
        options.iter().fold(run, |run, option| run.args(["--engine-option", option])).run()
    };
    let refused = backup(&[])?;
    refused.expect_exit(4)?.expect_stderr(&format!("this replica stands still: {west}"))?;
    ensure!(!rig.path("donor.tar.zst").exists(), "a refused backup left a file");
    let accepted = backup(&["--accept-degraded", "replica-stopped"])?;
    accepted.expect_exit(10)?.expect_stdout(west)?;
    let info = rig.dbbackup(["info", "donor.tar.zst", "--json"]).run()?.json()?;
    let sources = info["data"]["replica_sources"].as_array().context("no replica_sources")?;
    ensure!(sources.len() == 2, "the donor's sources: {sources:?}");
    Ok(())
}

#[test]
fn a_replica_that_lags_is_refused_beyond_the_limit() -> Result<()> {
    let rig = Rig::new()?;
    let source = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    prepare_source(&source)?;
    make_table(&source, "shop")?;
    let replica = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    replica.sql(&change(Flavor::Mysql97, "", &source))?;
    replica.sql("START REPLICA")?;
    wait_for_rows(&replica, "shop", 0)?;
    wait_until("the table is there", Duration::from_secs(60), || {
        let tables: Vec<(String,)> = replica.rows("SHOW DATABASES LIKE 'shop'")?;
        Ok(!tables.is_empty())
    })?;
    rig.dbbackup_on(&replica, [&BACKUP[..], &["--max-replica-lag", "1s", "--force"]].concat())
        .run()?
        .expect_success()?;

    // The applier waits for the table, and its clock runs.
    let mut holder = replica.session()?;
    holder.run("LOCK TABLES shop.orders READ")?;
    grow(&source, "shop", 1)?;
    let mut session = Session::connect(&ConnectOptions {
        host: Some("127.0.0.1".to_owned()),
        port: Some(replica.port()),
        user: ADMIN_USER.to_owned(),
        password: Some(Secret::new(ADMIN_PASSWORD)),
        ..ConnectOptions::default()
    })?;
    wait_until("the replica is three seconds behind", Duration::from_secs(30), || {
        let sources = session.replica_sources()?;
        Ok(sources.iter().any(|source| source.seconds_behind >= Some(3)))
    })?;
    let tight = [&BACKUP[..], &["--max-replica-lag", "1s", "--force"]].concat();
    rig.dbbackup_on(&replica, tight)
        .run()?
        .expect_exit(4)?
        .expect_stderr("this replica is more than 1 s behind: channel from 127.0.0.1:")?
        .expect_stderr("--max-replica-lag TIME")?
        .expect_stderr("--accept-degraded replica-lag")?;
    expect_of_sdk(&mut session, &replica)?;

    holder.run("UNLOCK TABLES")?;
    wait_for_rows(&replica, "shop", 1)?;
    ensure!(rows(&source, "shop")? == 1);
    Ok(())
}

/// Nobody knows whether it stands still: refused as far as it is known to be a replica.
#[test]
fn a_replica_whose_account_may_not_ask_is_refused() -> Result<()> {
    let rig = Rig::new()?;
    let source = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    prepare_source(&source)?;
    let replica = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    replica.sql(&change(Flavor::Mysql97, "", &source))?;
    replica.sql(
        "CREATE USER keeper@'%' IDENTIFIED BY 'k'; GRANT BACKUP_ADMIN ON *.* TO keeper@'%'; \
         SET GLOBAL read_only = ON",
    )?;
    let port = replica.port().to_string();
    let backup = |more: &[&str]| {
        let backup = ["physical-backup", "--engine", "clone", "--output", "k.tar.zst", "--force"];
        let run = rig.dbbackup(backup).args(["--host", "127.0.0.1", "--port", &port]);
        run.args(["--user", "keeper"]).env("MYSQL_PWD", "k").args(more).run()
    };
    let grant = "GRANT REPLICATION CLIENT ON *.* TO 'keeper'@'%'";
    let refused = || -> Result<()> {
        let refused = backup(&[])?;
        refused
            .expect_exit(4)?
            .expect_stderr("whether this replica is out of date cannot be known")?;
        refused.expect_stderr(grant)?.expect_stderr("--accept-degraded replica-stopped")?;
        ensure!(!rig.path("k.tar.zst").exists(), "a refused backup left a file");
        Ok(())
    };
    refused()?;
    // It takes writes, but the account sees that it follows a source.
    replica
        .sql("SET GLOBAL read_only = OFF; GRANT SELECT ON performance_schema.* TO keeper@'%'")?;
    refused()?;
    let accepted = backup(&["--accept-degraded", "replica-stopped"])?;
    accepted.expect_exit(10)?.expect_stdout("the account lacks REPLICATION CLIENT")?;
    replica.sql("REVOKE SELECT ON performance_schema.* FROM keeper@'%'")?;
    backup(&[])?.expect_success()?.expect_stderr(grant)?;
    replica.sql("GRANT REPLICATION CLIENT ON *.* TO keeper@'%'")?;
    backup(&[])?.expect_exit(4)?.expect_stderr("this replica stands still").map(drop)
}

/// The function that every engine calls: refused, allowed by the limit, accepted by name.
fn expect_of_sdk(session: &mut Session, replica: &Server) -> Result<()> {
    let mut request = crate::logical::backup_of(replica);
    request.max_replica_lag_ms = Some(1000);
    let refused = session.check_replica(&request);
    ensure!(matches!(refused, Err(ReplicaError::Lagging { .. })), "{refused:?}");
    request.accept_degraded = vec!["replica-lag".to_owned()];
    let weaker = session.check_replica(&request)?;
    ensure!(weaker.len() == 1 && weaker[0].contains("s behind"), "{weaker:?}");
    request.max_replica_lag_ms = Some(600_000);
    request.accept_degraded.clear();
    ensure!(session.check_replica(&request)?.is_empty());
    request.max_replica_lag_ms = None;
    ensure!(session.check_replica(&request)?.is_empty());
    Ok(())
}
