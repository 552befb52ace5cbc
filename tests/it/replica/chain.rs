//! Real replication over loopback: sources, and a replica of two of them.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Server, ServerOptions, wait_until};
use serde_json::Value;
use std::time::Duration;

/// The account that replicates.
pub(super) const USER: &str = "copy";
/// Its password.
pub(super) const PASSWORD: &str = "copies 4 all";
/// How long a replica may take to catch up with a handful of rows.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Makes the replicating account, which is no part of the binlog: two sources have it alike.
pub(super) fn prepare_source(server: &Server) -> Result<()> {
    let mut session = server.session()?;
    session.run("SET SESSION sql_log_bin = 0")?;
    let password = PASSWORD.replace('\'', "''");
    session.run(&format!("CREATE USER '{USER}'@'%' IDENTIFIED BY '{password}'"))?;
    session.run(&format!("GRANT REPLICATION SLAVE ON *.* TO '{USER}'@'%'"))
}

/// A schema with one table.
pub(super) fn make_table(server: &Server, schema: &str) -> Result<()> {
    server.sql(&format!(
        "CREATE DATABASE {schema}; CREATE TABLE {schema}.orders \
         (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(40)) ENGINE=InnoDB"
    ))
}

/// Adds rows, one transaction each.
pub(super) fn grow(server: &Server, schema: &str, by: u32) -> Result<()> {
    let mut session = server.session()?;
    (0..by).try_for_each(|number| {
        session.run(&format!("INSERT INTO {schema}.orders (note) VALUES ('row {number}')"))
    })
}

/// Rows of the table; none where it is not there yet.
pub(super) fn rows(server: &Server, schema: &str) -> Result<u64> {
    let tables: Vec<(String,)> = server.rows(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'"
    ))?;
    if tables.is_empty() {
        return Ok(0);
    }
    let (count,): (u64,) = server.row(&format!("SELECT COUNT(*) FROM {schema}.orders"))?;
    Ok(count)
}

/// Waits until the server has applied that many rows.
pub(super) fn wait_for_rows(server: &Server, schema: &str, count: u64) -> Result<()> {
    let waited = wait_until(&format!("{count} rows of {schema} are there"), CATCH_UP, || {
        Ok(rows(server, schema)? == count)
    });
    waited.with_context(|| server.error_log().unwrap_or_default())
}

/// Options of a server that takes part: a replica writes what it applies into its own binlog.
pub(super) fn replica_options(flavor: Flavor) -> ServerOptions {
    if flavor.is_mariadb() {
        ServerOptions::default().arg("--log-slave-updates=ON")
    } else {
        ServerOptions::default()
    }
}

/// Two sources and a replica of both, by the channels `east` and `west`.
pub(super) struct Chain {
    pub(super) east: Server,
    pub(super) west: Server,
    pub(super) replica: Server,
}

impl Chain {
    /// Starts the servers, and waits until the replica has the sources' tables.
    pub(super) fn start(flavor: Flavor) -> Result<Self> {
        Self::start_with(flavor, replica_options(flavor))
    }

    /// The same with options of the replica's own.
    pub(super) fn start_with(flavor: Flavor, options: ServerOptions) -> Result<Self> {
        let source = |domain: u32| -> Result<Server> {
            let options = match flavor.is_mariadb() {
                // Two sources that write at the same time need domains of their own.
                true => ServerOptions::default().arg(format!("--gtid-domain-id={domain}")),
                false => ServerOptions::default(),
            };
            let server = Server::start(flavor, options)?;
            prepare_source(&server)?;
            Ok(server)
        };
        let (east, west) = (source(1)?, source(2)?);
        let replica = Server::start(flavor, options)?;
        let chain = Self { east, west, replica };
        for (name, source) in [("east", &chain.east), ("west", &chain.west)] {
            make_table(source, name)?;
            chain.replica.sql(&change(flavor, name, source))?;
        }
        let start = if flavor.is_mariadb() { "START ALL SLAVES" } else { "START REPLICA" };
        chain.replica.sql(start)?;
        Ok(chain)
    }

    /// Expects both channels in a manifest, each with its source and positions.
    pub(super) fn expect_in(&self, manifest: &Value) -> Result<()> {
        let sources = manifest["replica_sources"].as_array().context("no replica_sources")?;
        ensure!(sources.len() == 2, "two channels are expected: {sources:?}");
        for (name, source) in [("east", &self.east), ("west", &self.west)] {
            let found = sources.iter().find(|record| record["channel"] == name);
            let record = found.with_context(|| format!("channel {name} is not there"))?;
            let address = format!("127.0.0.1:{}", source.port());
            ensure!(record["source"] == address.as_str(), "{record}");
            ensure!(record["by_gtid"] == true && record["tls"] == true, "{record}");
            ensure!(record["receiver"] == "running" && record["applier"] == "running", "{record}");
            for position in ["gtid", "received", "relay"] {
                ensure!(record[position].is_string(), "{position} is missing: {record}");
            }
            ensure!(record["seconds_behind"].is_u64(), "{record}");
            self.expect_position(source, record)?;
        }
        ensure!(manifest["coordinates"]["precision"] == "exact", "{}", manifest["coordinates"]);
        Ok(())
    }

    /// MySQL's file and offset are of the snapshot's instant, when the source stood still too.
    fn expect_position(&self, source: &Server, record: &Value) -> Result<()> {
        if source.flavor().is_mariadb() {
            let (position,): (String,) = source.row("SELECT @@gtid_binlog_pos")?;
            let all = record["gtid"].as_str().unwrap_or_default();
            ensure!(all.split(',').any(|one| one == position), "{position} is not in {all}");
            return Ok(());
        }
        let (set,): (String,) = source.row("SELECT @@gtid_executed")?;
        let all = record["gtid"].as_str().unwrap_or_default();
        ensure!(all.contains(&set.replace('\n', "")), "{set} is not in {all}");
        Ok(())
    }
}

/// The statement that makes a channel, in the words of the flavour.
pub(super) fn change(flavor: Flavor, channel: &str, source: &Server) -> String {
    let (port, password) = (source.port(), PASSWORD.replace('\'', "''"));
    if flavor.is_mariadb() {
        return format!(
            "CHANGE MASTER '{channel}' TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, \
             MASTER_USER='{USER}', MASTER_PASSWORD='{password}', MASTER_SSL=1, \
             MASTER_USE_GTID=slave_pos"
        );
    }
    format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, \
         SOURCE_USER='{USER}', SOURCE_PASSWORD='{password}', SOURCE_SSL=1, SOURCE_AUTO_POSITION=1 \
         FOR CHANNEL '{channel}'"
    )
}
