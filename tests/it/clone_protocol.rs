//! Clones over the protocol: every layout, every kind of file and page, DDL going on or waiting, and
//! what the account and the server must have. What comes back is proven as in `clone_round_trip`.
use crate::cloned::{Source, expect_bracket};
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, Direction, FaultProxy, Flavor, Invocation, Rig, SampleTables,
    Scratch, Server, ServerOptions,
};
use serde_json::Value;
use std::{fs, time::Duration};

/// Backs up under load, restores, and proves the copy.
fn round_trip(source: &Source, backup: Invocation, artefact: &str) -> Result<Value> {
    source.under_load(backup)?;
    source.restore(artefact, "restored")?;
    let manifest = source.manifest(artefact)?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&manifest, &told)?;
    Ok(manifest)
}

#[test]
fn one_connection_into_an_archive() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let manifest = round_trip(&source, source.backup("protocol", "db.tar.zst"), "db.tar.zst")?;
    ensure!(manifest["source"]["innodb_page_size"] == 16_384, "{}", manifest["source"]);
    ensure!(manifest["times"]["consistent"].is_string(), "{}", manifest["times"]);
    ensure!(manifest["locks"].as_array().is_none_or(Vec::is_empty), "{}", manifest["locks"]);
    let root = manifest["roots"]["data"].as_str().unwrap_or_default();
    ensure!(root.trim_end_matches('/') == source.server.datadir().to_string_lossy(), "{root}");
    Ok(())
}

#[test]
fn several_connections_into_a_directory() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    // More than one chunk of 64 MiB, so that there is something to share.
    SampleTables { schema: "wide".to_owned(), tables: 3, rows: 150_000 }.load(&source.server)?;
    let backup = source.backup("protocol", "copy/").args(["--parallel", "3"]);
    round_trip(&source, backup, "copy/")?;
    let document = fs::read(source.rig.path("copy/.dbbackup/clone.json"))?;
    let document: Value = serde_json::from_slice(&document)?;
    ensure!(document["layout"] == "chunks", "{}", document["layout"]);
    Ok(())
}

#[test]
fn a_compressed_clone_is_the_same_in_fewer_bytes() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    SampleTables { schema: "wide".to_owned(), tables: 1, rows: 100_000 }.load(&source.server)?;
    let through = |proxy: &FaultProxy, compression: &str| {
        let output = format!("{compression}.tar");
        let option = format!("compression={compression}");
        let backup = ["physical-backup", "--engine", "clone", "--output", &output];
        let port = proxy.port().to_string();
        let run = source.rig.dbbackup(backup).args(["--engine-option", &option]);
        let run = run.args(["--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER]);
        let run = run.env("MYSQL_PWD", ADMIN_PASSWORD).args(["--parallel", "2"]);
        run.deadline(Duration::from_secs(300))
    };
    let bytes = |compression: &str| -> Result<u64> {
        let proxy = FaultProxy::start(source.server.port())?;
        let run = through(&proxy, compression);
        match compression {
            "zstd" => source.under_load(run)?,
            _ => run.run()?.expect_success().map(drop)?,
        }
        Ok(proxy.passed_bytes(Direction::ToClient))
    };
    let (off, zlib, zstd) = (bytes("off")?, bytes("zlib")?, bytes("zstd")?);
    ensure!(zlib < off * 6 / 10 && zstd < off * 6 / 10, "{off}, zlib {zlib}, zstd {zstd}");
    source.restore("zstd.tar", "restored")?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&source.manifest("zstd.tar")?, &told)?;
    // Its pages are checked one by one.
    source.restore("zlib.tar", "restored-zlib").map(drop)
}

#[test]
fn ddl_waits_where_it_is_told_to() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let backup = source.backup("protocol", "db.tar").args(["--clone-ddl", "block"]);
    let manifest = round_trip(&source, backup, "db.tar")?;
    let lock = manifest["locks"][0]["statement"].as_str().unwrap_or_default();
    ensure!(lock.contains("LOCK INSTANCE FOR BACKUP"), "{}", manifest["locks"]);
    Ok(())
}

#[test]
fn files_outside_of_the_data_directory_and_a_system_tablespace_of_several_files() -> Result<()> {
    let outside = Scratch::new()?;
    let options = ServerOptions::default()
        .arg("--innodb-data-file-path=ibdata1:12M;ibdata2:12M:autoextend")
        .arg(format!("--innodb-directories={}", outside.path().display()));
    let source = Source::start(options.clone())?;
    source.server.sql(&format!(
        "CREATE TABLE kinds.far (id INT PRIMARY KEY, t TEXT) DATA DIRECTORY = '{0}'; \
         INSERT INTO kinds.far VALUES (1, REPEAT('far', 10000)); \
         CREATE TABLESPACE far_general ADD DATAFILE '{0}/far_general.ibd'; \
         CREATE TABLE kinds.far2 (id INT PRIMARY KEY) TABLESPACE far_general",
        outside.path().display()
    ))?;
    source.under_load(source.backup("protocol", "db.tar.gz"))?;
    let manifest = source.manifest("db.tar.gz")?;
    let roots = manifest["roots"].to_string();
    ensure!(roots.contains("external/1") && roots.contains("external/2"), "{roots}");
    Ok(())
}

#[test]
fn other_page_sizes() -> Result<()> {
    for kib in [4, 8, 64] {
        let options = ServerOptions::default().page_size_kib(kib);
        let server = Server::start(Flavor::Mysql97, options)?;
        server.sql(
            "INSTALL PLUGIN clone SONAME 'mysql_clone.so'; \
             CREATE USER keeper@'%' IDENTIFIED BY 'k'; GRANT BACKUP_ADMIN ON *.* TO keeper@'%'",
        )?;
        SampleTables::small().load(&server)?;
        let rig = Rig::new()?;
        let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar.zst"];
        let port = server.port().to_string();
        let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
        rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k").run()?.expect_success()?;
        let restore = ["restore", "db.tar.zst", "--target-dir", "restored"];
        rig.dbbackup(restore).run()?.expect_success()?;
        let options = ServerOptions::default().arg(format!("--innodb-page-size={kib}k"));
        let restored = Server::start_on(Flavor::Mysql97, &rig.path("restored"), options)?;
        server.checksum_all()?.expect_same(&restored.checksum_all()?)?;
    }
    Ok(())
}

#[test]
fn backup_admin_is_all_that_the_account_needs() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql("CREATE USER keeper@'%' IDENTIFIED BY 'k'")?;
    let port = source.server.port().to_string();
    let run = || {
        let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar.zst"];
        let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
        source.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k")
    };
    let refused = run().run()?;
    refused.expect_exit(4)?.expect_stderr("GRANT BACKUP_ADMIN ON *.* TO 'keeper'@'%'")?;
    source.server.sql("GRANT BACKUP_ADMIN ON *.* TO keeper@'%'")?;
    run().run()?.expect_success()?;
    let manifest = source.manifest("db.tar.zst")?;
    ensure!(manifest["coordinates"]["gtid_upper"].is_string(), "{}", manifest["coordinates"]);
    let excluded = manifest["excluded"].to_string();
    ensure!(excluded.contains("rows in other storage engines"), "{excluded}");
    Ok(())
}

#[test]
fn a_donor_is_named_by_flags_of_its_own() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql(
        "CREATE USER clone_user@'%' IDENTIFIED BY 'c'; GRANT BACKUP_ADMIN ON *.* TO clone_user@'%'",
    )?;
    let port = source.server.port().to_string();
    let run = || {
        let backup = ["physical-backup", "--engine", "clone", "--clone-remote"];
        let donor = ["--clone-donor-host", "127.0.0.1", "--clone-donor-port", &port];
        source.rig.dbbackup(backup).args(donor).env("DBBACKUP_CLONE_DONOR_PASSWORD", "c")
    };
    // The account on the connection is another one: its password is not for the donor.
    let other = ["physical-backup", "--engine", "clone", "--clone-remote", "--output", "no.tar"];
    let other = source.rig.dbbackup_on(&source.server, other);
    let donor = ["--clone-donor-host", "127.0.0.1", "--clone-donor-port", &port];
    let refused = other.args(donor).run()?;
    refused.expect_exit(2)?.expect_stderr("set DBBACKUP_CLONE_DONOR_PASSWORD")?;

    run().args(["--output", "flags.tar.zst"]).run()?.expect_success()?;
    let manifest = source.manifest("flags.tar.zst")?;
    ensure!(manifest["source"]["address"] == format!("127.0.0.1:{port}"), "{manifest}");

    fs::write(source.rig.path("password"), "c\n")?;
    fs::write(
        source.rig.path("dbbackup.yaml"),
        format!(
            "backup:\n  engine: clone\n  clone:\n    remote:\n      enabled: true\n      \
             donor_host: 127.0.0.1\n      donor_port: {port}\n"
        ),
    )?;
    let file = ["--clone-donor-password-file", "password", "--output", "file.tar.zst"];
    source.rig.dbbackup(["physical-backup"]).args(file).run()?.expect_success()?;
    let lost = ["physical-backup", "--engine", "mysqldump", "--clone-donor-host", "h"];
    source.rig.dbbackup(lost).env("MYSQL_PWD", ADMIN_PASSWORD).run()?.expect_exit(2)?;
    Ok(())
}

#[test]
fn a_missing_plugin_is_named_with_its_statement() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql("UNINSTALL PLUGIN clone")?;
    let refused = source.backup("protocol", "db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")?;
    Ok(())
}

#[test]
fn tables_that_a_clone_would_empty_are_refused_or_degraded() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source
        .server
        .sql("CREATE TABLE kinds.isam (i INT) ENGINE=MyISAM; INSERT INTO kinds.isam VALUES (1)")?;
    let refused = source.backup("protocol", "db.tar.zst").run()?;
    refused.expect_exit(4)?;
    ensure!(!source.rig.path("db.tar.zst").exists(), "a refused backup left a file");
    let accept = ["--accept-degraded", "non-transactional"];
    let degraded = source.backup("protocol", "db.tar.zst").args(accept).run()?;
    degraded.expect_exit(10)?.expect_stderr("kinds.isam (MyISAM): comes back empty")?;
    let excluded = source.manifest("db.tar.zst")?["excluded"].to_string();
    ensure!(excluded.contains("kinds.isam (MyISAM)"), "{excluded}");
    Ok(())
}

#[test]
fn encrypted_files_are_refused_with_the_reason() -> Result<()> {
    let source = Source::start(ServerOptions::default().keyring())?;
    source.server.sql("CREATE TABLE kinds.secret (id INT PRIMARY KEY) ENCRYPTION='Y'")?;
    let refused = source.backup("protocol", "db.tar.zst").run()?;
    refused.expect_exit(4)?;
    refused.expect_stderr("encrypted at rest")?;
    source.server.expect_writable_within(Duration::from_secs(5))
}
