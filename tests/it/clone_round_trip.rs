//! Clones by every method, taken from a server under writes and DDL: the restored directory starts a
//! stock server, every table is whole, and the binlog from the exact position leads to the source.
use crate::cloned::{Source, expect_bracket, text};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Server, ServerOptions};
use std::fs;

#[test]
fn a_local_clone_comes_back_as_of_an_exact_position() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.under_load(source.backup("local", "db.tar.zst"))?;
    let left = fs::read_dir(source.server.datadir().parent().context("a parent")?)?;
    let left: Vec<_> =
        left.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    ensure!(!left.iter().any(|name| name.starts_with("dbbackup-clone-")), "{left:?}");
    let restored = source.restore("db.tar.zst", "restored")?;
    let directory = source.rig.path("restored");
    ensure!(restored["data_directory"] == text(&directory), "{restored}");
    let manifest = source.manifest("db.tar.zst")?;
    ensure!(manifest["pages"]["bad"] == 0 && manifest["pages"]["checked"].as_u64() > Some(1000));
    let told = source.prove(&directory, ServerOptions::default())?;
    expect_bracket(&manifest, &told)
}

#[test]
fn a_clone_of_a_recipient_comes_back_as_of_an_exact_position() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let recipient = source.recipient()?;
    recipient.sql("SET GLOBAL clone_valid_donor_list = NULL")?;
    let refused = source.backup_by(&recipient, "db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("SET GLOBAL clone_valid_donor_list")?;
    let donor = format!("127.0.0.1:{}", source.server.port());
    recipient.sql(&format!("SET GLOBAL clone_valid_donor_list = '{donor}'"))?;

    source.under_load(source.backup_by(&recipient, "db.tar"))?;
    ensure!(fs::read_dir(source.rig.tmp_dir())?.next().is_none(), "something is left");
    recipient.expect_writable_within(std::time::Duration::from_secs(5))?;
    source.restore("db.tar", "restored")?;
    let told = source.prove(&source.rig.path("restored"), ServerOptions::default())?;
    expect_bracket(&source.manifest("db.tar")?, &told)
}

#[test]
fn a_clone_over_the_protocol_comes_back_as_of_an_exact_position() -> Result<()> {
    let outside = tempfile::tempdir()?;
    let options =
        ServerOptions::default().arg(format!("--innodb-directories={}", outside.path().display()));
    let source = Source::start(options.clone())?;
    let directory = outside.path().join("tables");
    fs::create_dir(&directory)?;
    source.server.sql(&format!(
        "CREATE TABLE kinds.outside (id INT PRIMARY KEY, t TEXT) DATA DIRECTORY='{}'; \
         INSERT INTO kinds.outside SELECT * FROM kinds.parts",
        directory.display()
    ))?;
    source.under_load(source.backup("protocol", "db.tar.gz"))?;
    let plan = ["restore", "db.tar.gz", "--target-dir", "restored", "--dry-run"];
    source.rig.dbbackup(plan).run()?.expect_success()?.expect_stdout("--innodb-directories=")?;

    let restored = source.restore("db.tar.gz", "restored")?;
    let data = source.rig.path("restored/data");
    ensure!(restored["data_directory"] == text(&data), "{restored}");
    let option = restored["server_options"][0].as_str().context("no option")?;
    let external = source.rig.path("restored/external/1/kinds");
    ensure!(option == format!("--innodb-directories={}", text(&external)), "{restored}");
    let mapped = ["restore", "db.tar.gz", "--target-dir", "whole", "--map", "external/1=moved"];
    let mapped = source.rig.dbbackup(mapped).run()?;
    let option = format!("--innodb-directories={}", text(&source.rig.path("moved/kinds")));
    mapped.expect_success()?.expect_stdout(&option)?.expect_stdout("all good")?;
    let whole = source.rig.path("whole/ibdata1").exists();
    ensure!(whole && source.rig.path("moved/kinds/outside.ibd").exists(), "not where it is mapped");

    let option = format!("--innodb-directories={}", text(&external));
    let told = source.prove(&data, ServerOptions::default().arg(option))?;
    expect_bracket(&source.manifest("db.tar.gz")?, &told)
}

/// Its file is named by an absolute path, which the restored server is not to follow.
#[test]
fn a_general_tablespace_outside_of_the_data_directory_comes_back_elsewhere() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    // A server looks into no directory whose name begins with a dot.
    let outside = scratch.path().join("tables");
    fs::create_dir(&outside)?;
    let far = outside.join("far.ibd");
    let options = ServerOptions::default().arg(format!("--innodb-directories={}", text(&outside)));
    let source = Source::start(options)?;
    source.server.sql(&format!(
        "CREATE TABLESPACE far ADD DATAFILE '{}'; \
         CREATE TABLE kinds.far1 (id INT PRIMARY KEY, t TEXT) TABLESPACE far; \
         CREATE TABLE kinds.far2 LIKE kinds.far1; \
         INSERT INTO kinds.far1 SELECT * FROM kinds.parts; \
         INSERT INTO kinds.far2 SELECT id + 1, t FROM kinds.parts",
        text(&far)
    ))?;
    source.under_load(source.backup("protocol", "db.tar.zst"))?;
    let roots = source.manifest("db.tar.zst")?["roots"].clone();
    ensure!(roots["external/1"] == text(&outside), "{roots}");

    let restored = source.restore("db.tar.zst", "restored")?;
    // The last directory of the path comes along, as that of a schema does.
    let external = source.rig.path("restored/external/1/tables");
    let option = restored["server_options"][0].as_str().context("no option")?;
    ensure!(option == format!("--innodb-directories={}", text(&external)), "{restored}");
    let data = source.rig.path("restored/data");
    let options = ServerOptions::default().arg(option);
    let told = source.prove(&data, options.clone())?;
    expect_bracket(&source.manifest("db.tar.zst")?, &told)?;

    // The source's own file must not be what the restored server writes to.
    let server = Server::start_on(Flavor::Mysql97, &data, options)?;
    let file: String = server
        .row("SELECT PATH FROM information_schema.INNODB_DATAFILES WHERE PATH LIKE '%far.ibd'")?;
    ensure!(file == text(&external.join("far.ibd")), "{file}");
    server.sql("INSERT INTO kinds.far1 VALUES (9999, 'restored')")?;
    ensure!(server.row::<u64>("SELECT COUNT(*) FROM kinds.far1")? == 501);
    ensure!(source.server.row::<u64>("SELECT COUNT(*) FROM kinds.far1")? == 500);
    Ok(())
}
