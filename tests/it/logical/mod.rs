//! What the tests of the engine `mysqldump` share.
mod library;

pub(crate) use library::{Entries, Entry, Harness, failed, meta, shown};

use anyhow::{Context, Result, ensure};
use dbbackup_sdk::{
    document::{backup::BackupRequest, manifest::Manifest, restore::RestoreRequest},
    plugin_api::error::EngineError,
};
use dbbackup_testkit::{ADMIN_PASSWORD, ADMIN_USER, Flavor, Server, ServerOptions};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Both families; a test runs once with each.
pub(crate) const FLAVORS: [Flavor; 2] = [Flavor::Mysql97, Flavor::Mariadb1011];

/// Objects of every kind, for the stock client.
const COMMON: &[u8] = include_bytes!("kitchen_sink.sql");
const MYSQL: &[u8] = include_bytes!("kitchen_sink_mysql.sql");
const MARIADB: &[u8] = include_bytes!("kitchen_sink_mariadb.sql");

/// A server with default options.
pub(crate) fn server(flavor: Flavor) -> Result<Server> {
    Server::start(flavor, ServerOptions::default())
}

/// A run of the engine as the administrator.
pub(crate) fn harness() -> Harness {
    Harness::new(ADMIN_PASSWORD)
}

fn connection(port: u16, user: &str) -> Value {
    json!({"host": "127.0.0.1", "port": port, "user": user,
           "connect_timeout_ms": 10_000, "stall_budget_ms": 3_600_000})
}

/// A request for a backup with the default lock budget.
pub(crate) fn backup_request(port: u16, user: &str) -> BackupRequest {
    let connection = connection(port, user);
    serde_json::from_value(json!({
        "backup_id": "test", "connection": connection, "environment": {"connection": connection},
        "lock_budget": {"wait_ms": 2000, "hold_ms": 250},
    }))
    .expect("a request")
}

/// A request for a backup by the administrator.
pub(crate) fn backup_of(server: &Server) -> BackupRequest {
    backup_request(server.port(), ADMIN_USER)
}

/// A request to restore a backup of `source` into `target`.
pub(crate) fn restore_into(target: &Server) -> RestoreRequest {
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": "dbbackup.manifest/1", "id": "test", "state": "complete",
        "tool": {"name": "dbbackup", "version": "0", "api": "1"},
        "engine": {"id": "mysqldump", "family": "mysqldump", "plugin": "mysqldump",
                   "plugin_version": "0", "plugin_sha256": "", "reason": ""},
        "source": {"flavor": "", "version": "0", "hostname": "h", "address": "a"},
        "times": {"started": "", "ended": ""}, "coordinates": {},
        "encoding": {"container": "sql", "compression": "none", "encryption": "none"},
        "objects": [], "files": [],
    }))
    .expect("a manifest");
    RestoreRequest {
        manifest,
        connection: Some(
            serde_json::from_value(connection(target.port(), ADMIN_USER)).expect("a connection"),
        ),
        directory: None,
        places: Default::default(),
        server: None,
        only: Vec::new(),
        map: Vec::new(),
        force: false,
        extra: serde_json::Map::new(),
    }
}

/// One entry with these statements.
pub(crate) fn statements(sql: impl Into<Vec<u8>>) -> Entries {
    Entries(vec![Entry { meta: meta("x.sql"), bytes: sql.into() }])
}

/// Fills a server with objects of every kind, beyond what the test kit's kitchen sink has.
pub(crate) fn fill(server: &Server) -> Result<()> {
    load_with_client(server, COMMON)?;
    load_with_client(server, if server.flavor().is_mariadb() { MARIADB } else { MYSQL })
}

/// Feeds SQL to the stock client.
pub(crate) fn load_with_client(server: &Server, sql: &[u8]) -> Result<()> {
    let program = if server.flavor().is_mariadb() { "mariadb" } else { "mysql" };
    let mut client = Command::new(server.tree().program(program))
        .arg(format!("--defaults-file={}", server.defaults_file()?.display()))
        // Without this, MariaDB's client drops the comments inside of routines.
        .arg("--comments")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let written = client.stdin.take().context("a pipe")?.write_all(sql);
    let output = client.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(written?)
}

/// Output of a program of the server's tree, with the server's option file.
pub(crate) fn client_output(server: &Server, program: &str, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(server.tree().program(program))
        .arg(format!("--defaults-file={}", server.defaults_file()?.display()))
        .args(arguments)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// Sessions of the administrator that a run has left behind.
pub(crate) fn sessions_left(server: &Server) -> Result<u64> {
    server.row(&format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{ADMIN_USER}'"
    ))
}

/// The failure of a run that should have failed.
pub(crate) fn failure<T: std::fmt::Debug>(outcome: Result<T, EngineError>) -> Result<EngineError> {
    match outcome {
        Err(error) => Ok(error),
        Ok(value) => anyhow::bail!("expected a failure, got {value:?}"),
    }
}
