//! Clones of a server that encrypts what is at rest: refused with the reason, or kept as they are on
//! request, and then started with a copy of the source's keyring.
use crate::cloned::Source;
use anyhow::{Result, ensure};
use dbbackup_testkit::{Invocation, Server, ServerOptions, WriteLoad};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    time::Duration,
};

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

/// Every file below a directory, with its bytes.
fn each_file(directory: &Path, look: &mut impl FnMut(&Path, &[u8])) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            each_file(&path, look)?;
        } else {
            look(&path, &fs::read(&path)?);
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}

/// No row of an encrypted table is in a data file in clear, and nowhere a key that no master key
/// wraps: behind its magic stands 0 in place of the master key's id. The redo log holds rows in clear
/// where the server does not encrypt it either.
fn expect_sealed(artefact: &Path) -> Result<()> {
    let mut open = Vec::new();
    let mut wrapped = 0;
    each_file(artefact, &mut |path, bytes| {
        let is_redo =
            path.components().any(|part| part.as_os_str().to_string_lossy().contains("redo"));
        if !is_redo && holds(bytes, MARK.as_bytes()) {
            open.push(format!("rows in {}", path.display()));
        }
        for magic in [b"lCA", b"lCB", b"lCC"] {
            let clear = [&magic[..], &[0; 4]].concat();
            if let Some(place) = memchr::memmem::find(bytes, &clear) {
                let around = bytes.get(place.saturating_sub(16)..(place + 112).min(bytes.len()));
                let flags = bytes.get(54..58);
                open.push(format!(
                    "a key in {} at {place} of {}, flags {flags:?}: {around:?}",
                    path.display(),
                    bytes.len()
                ));
            }
            wrapped += u32::from(holds(bytes, &[&magic[..], &[0, 0, 0]].concat()));
        }
    })?;
    ensure!(open.is_empty(), "in clear: {open:?}");
    ensure!(wrapped > 8, "only {wrapped} files have keys");
    Ok(())
}

/// Restores; with the source's keyring, a server on the directory is the
/// source as of an exact position.
fn comes_back(source: &Source) -> Result<()> {
    expect_sealed(&source.rig.path("copy"))?;
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
    let manifest = source.manifest("copy/")?;
    ensure!(manifest["source"]["encrypted_tablespaces"] == true, "{}", manifest["source"]);
    comes_back(&source)
}

#[test]
fn a_server_keeps_tablespaces_and_undo_logs_encrypted_in_its_own_clone() -> Result<()> {
    let source = source(&["--innodb-undo-log-encrypt=ON"])?;
    let keep = ["--engine-option", "encrypted=keep"];
    source.under_load(source.backup("local", "copy/").args(keep))?;
    comes_back(&source)
}

/// The last page of a tablespace, which was never written.
struct SparePage {
    file: File,
    number: u64,
}

impl SparePage {
    const BYTES: usize = 16 << 10;

    fn of(server: &Server, table: &str) -> Result<Self> {
        let path = server.datadir().join(table);
        let file = File::options().read(true).write(true).open(path)?;
        let spare = Self { number: file.metadata()?.len() / 16_384 - 1, file };
        let mut page = [0; Self::BYTES];
        spare.file.read_exact_at(&mut page, spare.at())?;
        ensure!(page == [0; Self::BYTES], "page {} of {table} is in use", spare.number);
        Ok(spare)
    }

    fn at(&self) -> u64 {
        self.number * 16_384
    }

    /// Puts bytes into a page of this type.
    fn write(&self, page_type: u16, bytes: &[u8]) -> Result<()> {
        let mut page = [0; Self::BYTES];
        page[24..26].copy_from_slice(&page_type.to_be_bytes());
        page[1000..1000 + bytes.len()].copy_from_slice(bytes);
        Ok(self.file.write_all_at(&page, self.at())?)
    }
}

#[test]
fn what_a_server_leaves_in_clear_is_found_behind_the_first_pages_too() -> Result<()> {
    let source = source(&[])?;
    let spare = SparePage::of(&source.server, "kinds/secret.ibd")?;
    let refused = |what: &str| -> Result<()> {
        let run = source.backup("local", "db.tar").args(["--engine-option", "encrypted=keep"]);
        run.run()?
            .expect_exit(4)?
            .expect_stderr(&format!("{what}: it is made once more"))?
            .expect_stderr(&format!("the server has left in clear in its clone: {what}"))?;
        ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
        let beside = source.server.datadir().parent().into_iter().flat_map(fs::read_dir);
        for entry in beside.flatten() {
            let name = entry?.file_name();
            ensure!(!name.to_string_lossy().contains("clone"), "{name:?} is left");
        }
        Ok(())
    };
    // A page of an index, as it is in memory.
    spare.write(17855, MARK.as_bytes())?;
    refused(&format!("page {} of kinds/secret.ibd", spare.number))?;
    // An encrypted page that holds a key behind what is of use.
    spare.write(15, b"lCC\0\0\0\0")?;
    refused(&format!("a key in kinds/secret.ibd, at byte {}", spare.at() + 1000))?;
    spare.file.write_all_at(&[0; SparePage::BYTES], spare.at())?;
    let keep = ["--engine-option", "encrypted=keep"];
    source.backup("local", "copy/").args(keep).run()?.expect_success()?;
    expect_sealed(&source.rig.path("copy"))
}

#[test]
fn what_is_encrypted_and_not_to_be_kept_is_refused_before_anything_is_written() -> Result<()> {
    let source = source(&["--binlog-encryption=ON"])?;
    source
        .server
        .sql("CREATE USER keeper@'%' IDENTIFIED BY 'k'; GRANT BACKUP_ADMIN ON *.* TO keeper@'%'")?;
    let refused = |run: Invocation, code: i32, words: &str| -> Result<()> {
        run.run()?.expect_exit(code)?.expect_stderr(words)?;
        ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
        Ok(())
    };
    refused(source.backup("protocol", "db.tar"), 4, "--engine-option encrypted=keep")?;
    refused(source.backup("local", "db.tar"), 4, "--engine-option encrypted=keep")?;
    // An account that does not see what is encrypted learns of it from the first such file.
    let port = source.server.port().to_string();
    let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
    let run = source.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k");
    refused(run, 4, "is encrypted at rest")?;
    let keep = ["--engine-option", "encrypted=keep"];
    for (method, log) in [
        ("protocol", "innodb_redo_log_encrypt"),
        ("protocol", "innodb_undo_log_encrypt"),
        ("local", "innodb_redo_log_encrypt"),
    ] {
        source.server.sql(&format!("SET GLOBAL {log} = ON"))?;
        let words = format!("{log} is ON, and ");
        refused(source.backup(method, "db.tar").args(keep), 4, &words)?;
        source.server.sql(&format!("SET GLOBAL {log} = OFF"))?;
    }
    let donor = ["donor_host=h", "data_dir=/nowhere"].map(|option| ["--engine-option", option]);
    let recipient = source.backup("recipient", "db.tar").args(keep).args(donor.concat());
    refused(recipient, 3, "encrypted=keep is for methods protocol and local")?;
    source.server.expect_writable_within(Duration::from_secs(5))
}
