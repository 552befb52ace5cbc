//! Clones of a server that encrypts what is at rest: refused with the reason, or kept as they are on
//! request, and then started with a copy of the source's keyring.
use crate::cloned::Source;
use anyhow::{Result, ensure};
use dbbackup_testkit::{Server, ServerOptions, WriteLoad};
use std::{fs, path::Path, time::Duration};

/// A value that lies in encrypted tables alone.
const MARK: &str = "mark-of-a-row-that-nobody-else-may-read";

/// A server whose tables, general tablespace and system schema are encrypted.
fn source(more: &[&str]) -> Result<Source> {
    let options = ServerOptions::default().keyring().arg("--default-table-encryption=ON");
    let options = more.iter().fold(options, |options, argument| options.arg(*argument));
    let source = Source::start(options)?;
    source.server.sql(&format!(
        "ALTER TABLESPACE mysql ENCRYPTION='Y'; \
         CREATE TABLE kinds.secret (id INT PRIMARY KEY, t TEXT); \
         INSERT INTO kinds.secret WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 \
             FROM n WHERE i < 900) SELECT i, CONCAT('{MARK}', REPEAT(SHA2(i, 256), 20)) FROM n"
    ))?;
    let load = WriteLoad::start(&source.server)?.stop();
    ensure!(load.failures == 0, "{load:?}");
    on_disk(&source.server)?;
    let encrypted: u64 = source
        .server
        .row("SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION = 'Y'")?;
    ensure!(encrypted > 8, "only {encrypted} tablespaces are encrypted");
    Ok(source)
}

/// Has the server write the tables out: a key that is not on disk yet ends a run.
fn on_disk(server: &Server) -> Result<()> {
    let tables: Vec<String> = server.rows(
        "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`') FROM information_schema.TABLES \
         WHERE TABLE_TYPE = 'BASE TABLE' AND CREATE_OPTIONS LIKE '%ENCRYPTION%' \
         AND CREATE_OPTIONS NOT LIKE '%partitioned%' AND TABLE_SCHEMA <> 'mysql'",
    )?;
    server.sql(&format!("FLUSH TABLES {} FOR EXPORT; UNLOCK TABLES", tables.join(", ")))
}

/// Files below a directory that hold the mark in clear; logs are encrypted by switches of their own.
fn marked(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.ends_with("#innodb_redo") {
            continue;
        }
        if path.is_dir() {
            found.extend(marked(&path)?);
        } else if holds(&fs::read(&path)?, MARK.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Restores; with the source's keyring, a server on the directory is the
/// source as of an exact position.
fn comes_back(source: &Source) -> Result<()> {
    let found = marked(&source.rig.path("copy/data"))?;
    ensure!(found.is_empty(), "in clear: {found:?}");
    let restore = ["restore", "copy/", "--target-dir", "restored"];
    let run = source.rig.dbbackup(restore).run()?;
    run.expect_success()?.expect_stderr("the server needs the keyring of the source")?;
    let options = ServerOptions::default().keyring_of(source.server.keyring_path());
    source.prove(&source.rig.path("restored"), options).map(drop)
}

#[test]
fn encrypted_tablespaces_are_kept_and_start_with_the_keyring() -> Result<()> {
    let source = source(&[])?;
    let keep = ["--engine-option", "encrypted=keep", "--clone-ddl", "block"];
    let write = WriteLoad::start(&source.server)?;
    source.backup("protocol", "copy/").args(keep).run()?.expect_success()?;
    write.wait_for_commits(50, Duration::from_secs(60))?;
    let write = write.stop();
    ensure!(write.failures == 0, "{write:?}");
    comes_back(&source)
}

#[test]
fn a_server_keeps_tablespaces_and_logs_encrypted_in_its_own_clone() -> Result<()> {
    let logs = ["--innodb-redo-log-encrypt=ON", "--innodb-undo-log-encrypt=ON"];
    let source = source(&logs)?;
    let keep = ["--engine-option", "encrypted=keep"];
    source.under_load(source.backup("local", "copy/").args(keep))?;
    comes_back(&source)
}
