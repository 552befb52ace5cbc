//! Directories outside of the data directory that DDL alone leads to while a clone runs: no file of the
//! backup lies in them, and the tables come back all the same.
use crate::cloned::{Source, text};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Direction, FaultProxy, Flavor, SampleTables, Scratch, Server, ServerOptions,
};
use serde_json::Value;
use std::{path::Path, process::Command, time::Duration};

/// How long the file may take to come.
const PATIENCE: Duration = Duration::from_secs(120);
/// Slow enough for DDL to find the files still being copied: there are 75 MB behind it.
const BYTES_PER_SECOND: u64 = 15_000_000;

/// The tables that DDL moves and makes.
const TABLES: [&str; 2] = ["late.outside", "fresh.made"];

/// A source with a table outside of the data directory, and with much to copy behind it.
fn source(outside: &Path) -> Result<Source> {
    let outside = outside.display();
    let options = ServerOptions::default().arg(format!("--innodb-directories={outside}"));
    let source = Source::start(options)?;
    source.server.sql(&format!(
        "CREATE DATABASE late; CREATE DATABASE fresh; \
         CREATE TABLE kinds.outside (id INT PRIMARY KEY, t TEXT) DATA DIRECTORY = '{outside}'; \
         INSERT INTO kinds.outside SELECT * FROM kinds.parts"
    ))?;
    SampleTables { schema: "wide".to_owned(), tables: 3, rows: 100_000 }.load(&source.server)?;
    Ok(source)
}

/// Moves a table that has been copied to another schema, and makes one, while files are copied.
fn back_up_with_ddl(source: &Source, outside: &Path) -> Result<()> {
    let proxy = FaultProxy::start(source.server.port())?;
    proxy.throttle(Direction::ToClient, BYTES_PER_SECOND);
    let mut run = source.backup_through(&proxy, "copy/").start()?;
    let copied = source.rig.path("copy.partial/external/1/outside.ibd");
    run.wait_for_file(&copied, 16_384, PATIENCE)?;
    source.server.sql(&format!(
        "RENAME TABLE kinds.outside TO late.outside; \
         CREATE TABLE fresh.made (id INT PRIMARY KEY, t TEXT) DATA DIRECTORY = '{}'; \
         INSERT INTO fresh.made SELECT * FROM late.outside",
        outside.display()
    ))?;
    let said = run.stderr_so_far();
    ensure!(
        !said.contains("page copy begins"),
        "the files were copied before DDL was done: {said}"
    );
    run.wait()?.expect_success().map(drop)
}

/// The directories are roots, and nothing but the clone's document speaks of files in them.
fn expect_empty_roots(manifest: &Value) -> Result<()> {
    let files = manifest["files"].as_array().context("no files")?;
    for (root, schema) in [("external/2", "late"), ("external/3", "fresh")] {
        let path =
            manifest["roots"][root].as_str().with_context(|| manifest["roots"].to_string())?;
        ensure!(path.ends_with(schema), "{}", manifest["roots"]);
        let is_below = |file: &Value| file["path"].as_str().is_some_and(|p| p.starts_with(root));
        ensure!(!files.iter().any(is_below), "a file has come below {root}");
    }
    Ok(())
}

/// The applier without dbbackup leads the tables to the same places.
fn expect_the_applier_to_agree(source: &Source) -> Result<()> {
    let (copy, target) = (source.rig.path("copy"), source.rig.path("target"));
    let applier = copy.join(".dbbackup/apply.py");
    let output = Command::new("python3").arg(applier).arg(&copy).arg(&target).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for below in ["target.external-2/late/outside.ibd", "target.external-3/fresh/made.ibd"] {
        ensure!(source.rig.path(below).exists(), "the applier has made no {below}");
    }
    Ok(())
}

#[test]
fn tables_that_ddl_leads_to_new_directories_come_back() -> Result<()> {
    let outside = Scratch::new()?;
    let source = source(outside.path())?;
    back_up_with_ddl(&source, outside.path())?;
    expect_empty_roots(&source.manifest("copy/")?)?;
    expect_the_applier_to_agree(&source)?;

    let restored = source.restore("copy/", "restored")?;
    let directories = ["1/kinds", "2/late", "3/fresh"]
        .map(|below| text(&source.rig.path(format!("restored/external/{below}"))))
        .join(";");
    let option = format!("--innodb-directories={directories}");
    ensure!(restored["server_options"][0] == option.as_str(), "{restored}");
    for below in ["2/late/outside.ibd", "3/fresh/made.ibd"] {
        let path = source.rig.path(format!("restored/external/{below}"));
        ensure!(path.exists(), "nothing is restored to {}", path.display());
    }
    let data = source.rig.path("restored/data");
    let server = Server::start_on(Flavor::Mysql97, &data, ServerOptions::default().arg(option))?;
    for table in TABLES {
        let query = format!("SELECT id, t FROM {table} ORDER BY id");
        let expected: Vec<(u32, String)> = source.server.rows(&query)?;
        let found: Vec<(u32, String)> = server.rows(&query)?;
        ensure!(found.len() == 500 && found == expected, "{table} has {} rows", found.len());
    }
    Ok(())
}
