//! Replicas: their sources' positions are in the manifest, channel by channel; what stands still or
//! lags is refused unless it is accepted; a restored server follows by the statements that `info
//! --replica-statement` prints.
mod chain;
mod currency;
mod physical;

use anyhow::{Context as _, Result, ensure};
use chain::{PASSWORD, USER, grow, make_table, prepare_source, rows, wait_for_rows};
use dbbackup_testkit::{Flavor, Rig, Server, ServerOptions};
use serde_json::Value;

/// What is printed for a placeholder of account and password.
const PLACEHOLDERS: [(&str, &str); 2] =
    [("REPLICATION_USER", USER), ("REPLICATION_PASSWORD", PASSWORD)];

/// The statements that the backup prints for one way to attach a server.
pub(crate) fn statements(rig: &Rig, artefact: &str, to: &str) -> Result<Vec<String>> {
    let outcome = rig.dbbackup(["info", artefact, "--replica-statement", "--json"]).run()?;
    let document = outcome.expect_success()?.json()?;
    let attachments = document["data"]["attachments"].as_array().context("no attachments")?;
    let found = attachments.iter().find(|attachment| attachment["to"] == to);
    let found = found.with_context(|| format!("nothing attaches to {to}: {document}"))?;
    let lines = found["statements"].as_array().context("no statements")?;
    let text = |line: &Value| line.as_str().map(str::to_owned).context("a statement is no text");
    lines.iter().map(text).collect()
}

/// Runs them with account and password in their places.
pub(crate) fn run_statements(server: &Server, statements: &[String]) -> Result<()> {
    let mut session = server.session()?;
    for statement in statements {
        let filled = PLACEHOLDERS
            .iter()
            .fold(statement.clone(), |text, (name, value)| text.replace(name, value));
        session.run(&filled).with_context(|| format!("run {statement}"))?;
    }
    Ok(())
}

/// Backs up, writes on, restores into a new server, attaches it as printed, and expects it to hold
/// what the source holds then and later.
fn attach_to_source(flavor: Flavor, options: &ServerOptions, printed: &[&str]) -> Result<()> {
    let rig = Rig::new()?;
    let source = Server::start(flavor, options.clone())?;
    prepare_source(&source)?;
    make_table(&source, "shop")?;
    grow(&source, "shop", 20)?;
    let backup = ["physical-backup", "--engine", "mysqldump", "--output", "b.sql.gz"];
    rig.dbbackup_on(&source, backup).run()?.expect_success()?;
    grow(&source, "shop", 15)?;

    let restored = Server::start(flavor, options.clone())?;
    rig.dbbackup_on(&restored, ["restore", "b.sql.gz", "--into-server"]).run()?.expect_success()?;
    ensure!(rows(&restored, "shop")? == 20, "the backup is of another instant");
    let script = rig.dbbackup(["info", "b.sql.gz", "--replica-statement"]).run()?;
    script.expect_success()?;
    printed.iter().try_for_each(|text| script.expect_stdout(text).map(drop))?;

    run_statements(&restored, &statements(&rig, "b.sql.gz", "source")?)?;
    wait_for_rows(&restored, "shop", 35)?;
    grow(&source, "shop", 5)?;
    wait_for_rows(&restored, "shop", 40)?;
    source.checksum_all()?.expect_same(&restored.checksum_all()?)
}

#[test]
fn a_restored_mysql_follows_its_source_by_gtid() -> Result<()> {
    let printed = [
        "-- Put account and password in place of REPLICATION_USER and REPLICATION_PASSWORD.\n",
        "\nCHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ",
        "SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1;\nSTART REPLICA;\n",
    ];
    attach_to_source(Flavor::Mysql97, &ServerOptions::default(), &printed)
}

#[test]
fn a_restored_mysql_follows_its_source_by_position_and_without_tls() -> Result<()> {
    let options = ServerOptions::default()
        .tls(dbbackup_testkit::Tls::Off)
        .arg("--gtid-mode=OFF")
        .arg("--enforce-gtid-consistency=OFF");
    let printed = ["SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_LOG_FILE = 'binlog."];
    attach_to_source(Flavor::Mysql97, &options, &printed)
}

#[test]
fn restored_mariadbs_follow_their_source() -> Result<()> {
    let printed =
        ["\nSET GLOBAL gtid_slave_pos = '0-", "MASTER_USE_GTID = slave_pos;\nSTART SLAVE"];
    [Flavor::Mariadb1011, Flavor::Mariadb118]
        .into_iter()
        .try_for_each(|flavor| attach_to_source(flavor, &ServerOptions::default(), &printed))
}

#[test]
fn a_server_without_a_binlog_has_no_replicas() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default().without_binlog())?;
    let backup = ["physical-backup", "--engine", "mysqldump", "--output", "b.sql.gz"];
    rig.dbbackup_on(&server, backup).run()?.expect_success()?;
    rig.dbbackup(["info", "b.sql.gz", "--replica-statement"])
        .run()?
        .expect_exit(4)?
        .expect_stderr("holds no position in the binlog of its source")?;
    Ok(())
}

/// Two sources, one replica of both, and a server restored from the replica's backup that takes the
/// replica's place.
fn two_channels(flavor: Flavor) -> Result<()> {
    let rig = Rig::new()?;
    let chain = chain::Chain::start(flavor)?;
    grow(&chain.east, "east", 20)?;
    grow(&chain.west, "west", 30)?;
    wait_for_rows(&chain.replica, "east", 20)?;
    wait_for_rows(&chain.replica, "west", 30)?;

    let backup = ["physical-backup", "--engine", "mysqldump", "--output", "b.sql.gz"];
    rig.dbbackup_on(&chain.replica, backup).run()?.expect_success()?;
    let manifest = rig.dbbackup(["info", "b.sql.gz", "--json"]).run()?.expect_success()?.json()?;
    chain.expect_in(&manifest["data"])?;
    let text = rig.dbbackup(["info", "b.sql.gz"]).run()?;
    text.expect_stdout(&format!("Replica of: 127.0.0.1:{}, channel east", chain.east.port()))?;

    grow(&chain.east, "east", 5)?;
    grow(&chain.west, "west", 5)?;
    let restored = Server::start(flavor, chain::replica_options(flavor))?;
    rig.dbbackup_on(&restored, ["restore", "b.sql.gz", "--into-server"]).run()?.expect_success()?;
    ensure!(rows(&restored, "east")? == 20 && rows(&restored, "west")? == 30);
    run_statements(&restored, &statements(&rig, "b.sql.gz", "channels")?)?;
    wait_for_rows(&restored, "east", 25)?;
    wait_for_rows(&restored, "west", 35)?;
    wait_for_rows(&chain.replica, "east", 25)?;
    wait_for_rows(&chain.replica, "west", 35)?;
    chain.replica.checksum_all()?.expect_same(&restored.checksum_all()?)?;

    // The other way is printed too: as a replica of the replica.
    ensure!(!statements(&rig, "b.sql.gz", "source")?.is_empty());
    currency::a_stopped_channel_is_named(&rig, &chain)
}

#[test]
fn both_channels_of_a_mysql_replica() -> Result<()> {
    two_channels(Flavor::Mysql97)
}

#[test]
fn both_connections_of_a_mariadb_replica() -> Result<()> {
    two_channels(Flavor::Mariadb1011)
}
