//! What a clone promises beside the round trip: other page sizes, an applier that needs no dbbackup,
//! exact coordinates after a first boot, refusals before a byte is written, nothing left behind.
use crate::cloned::{Source, text};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, Server, ServerOptions, Signal, wait_until};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// A system tablespace of two files.
const SYSTEM_FILES: &str = "--innodb-data-file-path=ibdata1:12M;ibdata2:12M:autoextend";

#[test]
fn stock_tar_and_python_make_a_data_directory_of_a_clone() -> Result<()> {
    let options = ServerOptions::default().arg(SYSTEM_FILES);
    let source = Source::start_with_pages(4, options.clone())?;
    let backup = source.backup("protocol", "db.tar.zst");
    source.under_load(backup.args(["--engine-option", "connections=3"]))?;

    let unpacked = source.rig.path("unpacked");
    fs::create_dir(&unpacked)?;
    let archive = source.rig.path("db.tar.zst");
    let mut tar = Command::new("tar");
    let output = tar.arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(&unpacked).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::remove_file(archive)?;
    let target = source.rig.path("target");
    let applier = unpacked.join(".dbbackup/apply.py");
    let output = Command::new("python3").arg(applier).arg(&unpacked).arg(&target).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains("--innodb-page-size=4096"), "{said}");
    source.prove(&target, options.page_size_kib(4)).map(drop)
}

#[test]
fn the_first_boot_tells_exact_coordinates_which_stay_beside_the_manifest() -> Result<()> {
    let source = Source::start_with_pages(64, ServerOptions::default())?;
    source.under_load(source.backup("protocol", "db/"))?;
    let mysqld = text(&source.server.tree().mysqld_path());
    let verify = ["verify", "db", "--level", "boot", "--mysqld", &mysqld];
    let verify = source.rig.dbbackup(verify);
    verify.deadline(Duration::from_secs(300)).run()?.expect_success()?;
    let info = source.manifest("db")?;
    let known = &info["exact_coordinates"]["coordinates"];
    ensure!(known["precision"] == "exact" && info["coordinates"]["precision"] == "bracket");
    let shown = source.rig.dbbackup(["info", "db"]).run()?;
    shown.expect_success()?.expect_stdout("Exact coordinates: binlog.0")?;

    let restored = source.restore("db", "restored")?;
    let option = restored["server_options"][0].as_str().context("no option")?;
    ensure!(option == "--innodb-page-size=65536", "{restored}");
    let options = ServerOptions::default().page_size_kib(64);
    let told = source.prove(&source.rig.path("restored"), options)?;
    let exact = format!("{}:{}", told["file"].as_str().context("a file")?, told["position"]);
    ensure!(known["binlog"] == exact.as_str(), "{known} and {exact}");
    Ok(())
}

#[test]
fn what_could_not_start_is_refused_before_anything_is_written() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.backup("protocol", "db.tar").run()?.expect_success()?;
    let real = source.server.tree().mysqld_path();
    let version = source.server.row::<String>("SELECT VERSION()")?;
    let refused = |server: &Path, code: i32, words: &str| -> Result<()> {
        let restore = ["restore", "db.tar", "--target-dir", "restored", "--mysqld"];
        let run = source.rig.dbbackup(restore).arg(server).run()?;
        run.expect_exit(code)?.expect_stderr(words)?;
        ensure!(!source.rig.path("restored").exists(), "something was written");
        Ok(())
    };
    let other = fake_server(&source, "other", "8.4.6", "16384")?;
    refused(&other, 4, "start MySQL 9.7 on it first")?;
    let pages = fake_server(&source, "pages", &version, "4096")?;
    refused(&pages, 4, "set innodb_page_size=16384")?;
    let mariadb = fake_server(&source, "mariadb", "10.11.6-MariaDB", "16384")?;
    refused(&mariadb, 4, "the clone is of")?;

    let only = ["restore", "db.tar", "--target-dir", "restored", "--only", "kinds/*"];
    source.rig.dbbackup(only).run()?.expect_exit(4)?.expect_stderr("restored whole")?;
    let into = source.rig.dbbackup_on(&source.server, ["restore", "db.tar", "--into-server"]);
    into.run()?.expect_exit(4)?.expect_stderr("--target-dir")?;
    let map = ["restore", "db.tar", "--target-dir", "restored", "--map", "external/9=x"];
    source.rig.dbbackup(map).run()?.expect_exit(2)?.expect_stderr("no root of the backup")?;
    fs::create_dir(source.rig.path("full"))?;
    fs::write(source.rig.path("full/ibdata1"), "mine")?;
    let full = ["restore", "db.tar", "--target-dir", "full"];
    source.rig.dbbackup(full).run()?.expect_exit(23)?.expect_stderr("is not empty")?;
    ensure!(fs::read(source.rig.path("full/ibdata1"))? == b"mine");

    let restore = ["restore", "db.tar", "--target-dir", "restored", "--mysqld"];
    source.rig.dbbackup(restore).arg(real).run()?.expect_success()?;
    ensure!(source.rig.path("restored/ibdata1").exists());
    Ok(())
}

/// A program that says of itself what a server of this version and page size would say.
fn fake_server(source: &Source, name: &str, version: &str, page_size: &str) -> Result<PathBuf> {
    let path = source.rig.path(name);
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--help*) echo 'Variables (--variable-name=value)'\n\
         echo '--------------------------------- ----------------'\n\
         echo 'innodb-page-size                  {page_size}' ;;\n\
         *) echo \"$0  Ver {version} for Linux on x86_64\" ;;\nesac\n"
    );
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[test]
fn a_page_that_is_bad_after_all_was_applied_fails_the_restore() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    // A page that is still to be written would come once more, whole, and be put over the bad one.
    source.server.sql("FLUSH TABLES kinds.large FOR EXPORT; UNLOCK TABLES")?;
    source.backup("protocol", "db/").run()?.expect_success()?;
    let file = source.rig.path("db/data/kinds/large.ibd");
    let mut bytes = fs::read(&file)?;
    bytes[5 * 16384 + 8000] ^= 1;
    fs::write(&file, &bytes)?;
    let refused = ["restore", "db", "--target-dir", "restored"];
    source.rig.dbbackup(refused).run()?.expect_exit(20)?.expect_stderr("sha256")?;

    // Somebody who means it: the hash fits, and only the page's own checksum tells.
    let sum = Command::new("sha256sum").arg(&file).output()?.stdout;
    let sum = String::from_utf8(sum)?.split(' ').next().context("a sum")?.to_owned();
    let path = source.rig.path("db/.dbbackup/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let files = manifest["files"].as_array_mut().context("files")?;
    let record = files.iter_mut().find(|file| file["path"] == "data/kinds/large.ibd");
    record.context("no such file")?["sha256"] = sum.into();
    fs::write(&path, serde_json::to_vec(&manifest)?)?;
    let run = source.rig.dbbackup(refused).run()?;
    run.expect_exit(20)?.expect_stderr("kinds/large.ibd: 1 bad pages: page 5")?;
    ensure!(!source.rig.path("restored").exists(), "a bad directory got its name");
    Ok(())
}

#[test]
fn a_killed_local_clone_leaves_nothing_after_cleanup() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let places = tempfile::tempdir()?;
    let option = format!("data_dir={}", places.path().display());
    let run = source.backup("local", "db.tar").args(["--engine-option", &option]);
    let mut running = run.start()?;
    let is_made = || Ok(fs::read_dir(places.path())?.next().is_some());
    wait_until("the clone's directory is there", Duration::from_secs(60), is_made)?;
    running.signal(Signal::KILL)?;
    let outcome = running.wait()?;
    ensure!(outcome.code().is_none(), "it was done before it was killed");
    let cleanup = source.rig.dbbackup_on(&source.server, ["cleanup"]).run()?;
    cleanup.expect_success()?.expect_stdout("removed: clone directory")?;
    ensure!(fs::read_dir(places.path())?.next().is_none(), "something is left");
    source.server.expect_writable_within(Duration::from_secs(5))
}

#[test]
fn tables_that_would_come_back_empty_are_refused_or_accepted_by_name() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source
        .server
        .sql("CREATE TABLE kinds.old (id INT) ENGINE=MyISAM; INSERT INTO kinds.old VALUES (1)")?;
    let refused = source.backup("local", "db.tar").run()?;
    refused.expect_exit(4)?.expect_stderr("1 of MyISAM")?.expect_stderr("--accept-degraded")?;
    ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
    let accepted =
        source.backup("local", "db.tar").args(["--accept-degraded", "non-transactional"]);
    accepted.run()?.expect_exit(10)?;
    let manifest = source.manifest("db.tar")?;
    ensure!(manifest["excluded"][0]["what"] == "kinds.old", "{}", manifest["excluded"]);
    source.restore("db.tar", "restored")?;
    let options = ServerOptions::default();
    let restored = Server::start_on(Flavor::Mysql97, &source.rig.path("restored"), options)?;
    ensure!(restored.row::<u64>("SELECT COUNT(*) FROM kinds.old")? == 0);
    ensure!(restored.row::<u64>("SELECT COUNT(*) FROM kinds.parts")? == 500);
    Ok(())
}

#[test]
fn tables_in_memory_come_back_empty_and_are_named_without_a_refusal() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql(
        "CREATE TABLE kinds.fleeting (i INT) ENGINE=MEMORY; INSERT INTO kinds.fleeting VALUES (1)",
    )?;
    for method in ["protocol", "local"] {
        let output = format!("{method}.tar");
        source.backup(method, &output).run()?.expect_success()?;
        let manifest = source.manifest(&output)?;
        let records = manifest["excluded"].as_array().context("a list")?;
        let record = records.iter().find(|record| record["what"] == "kinds.fleeting (MEMORY)");
        let why = record.with_context(|| manifest["excluded"].to_string())?["why"].to_string();
        ensure!(why.contains("end with the server"), "{why}");
        ensure!(manifest["degraded"].as_array().is_none_or(Vec::is_empty), "{manifest}");
    }
    Ok(())
}

/// The archive takes much longer than the servers let sessions idle.
#[test]
fn servers_that_end_idle_sessions_soon_are_asked_when_the_clone_is_archived() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let recipient = source.recipient()?;
    for server in [&source.server, &recipient] {
        server.sql("SET GLOBAL wait_timeout = 2")?;
    }
    let slow = ["--limit-rate", "30M"];
    for backup in
        [source.backup_by(&recipient, "recipient.tar"), source.backup("local", "local.tar")]
    {
        backup.args(slow).run()?.expect_success()?;
    }
    for artefact in ["recipient.tar", "local.tar"] {
        let bytes = fs::metadata(source.rig.path(artefact))?.len();
        ensure!(bytes > 120_000_000, "{bytes} bytes: the sessions did not idle for long");
    }
    Ok(())
}

#[test]
fn options_of_another_method_end_the_run_before_it_begins() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let rig = Rig::new()?;
    let run = |method: &[&str], option: &str| {
        let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
        let all = method.iter().copied().chain([option]);
        let options = all.flat_map(|option| ["--engine-option".to_owned(), option.to_owned()]);
        rig.dbbackup_on(&server, backup).args(options).run()
    };
    let recipient = ["method=recipient", "donor_host=127.0.0.1", "data_dir=/nonexistent"];
    for (method, name) in [(&["method=local"][..], "local"), (&recipient[..], "recipient")] {
        for compression in ["zlib", "zstd"] {
            run(method, &format!("compression={compression}"))?
                .expect_exit(3)?
                .expect_stderr(&format!("compression is for method protocol, not {name}"))?;
        }
    }
    ensure!(!rig.path("db.tar").exists(), "an artefact was written");
    run(&["method=protocol"], "compression=zstd")?.expect_success().map(drop)
}

#[test]
fn the_doctor_says_which_statement_is_missing() -> Result<()> {
    let source = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let rig = Rig::new()?;
    source.sql(
        "UNINSTALL PLUGIN clone; CREATE USER 'o\\'brien'@'%' IDENTIFIED BY 'secret'; \
         GRANT SELECT, PROCESS, REPLICATION CLIENT ON *.* TO 'o\\'brien'@'%'",
    )?;
    let port = source.port().to_string();
    let arguments = ["doctor", "--engine", "clone", "--host", "127.0.0.1", "--port", &port];
    let doctor =
        || rig.dbbackup(arguments).args(["--user", "o'brien"]).env("MYSQL_PWD", "secret").run();
    let sick = doctor()?;
    sick.expect_stdout("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")?;
    sick.expect_stdout(r"GRANT BACKUP_ADMIN ON *.* TO 'o\'brien'@'%'")?;
    source.sql(
        r"INSTALL PLUGIN clone SONAME 'mysql_clone.so'; GRANT BACKUP_ADMIN ON *.* TO 'o\'brien'@'%'",
    )?;
    doctor()?.expect_success()?.expect_stdout("8.0.17+ with clone plugin active").map(drop)
}

/// Privileges of a method on the server whose data are cloned, each as granted.
const TOLD: [&str; 3] =
    ["BACKUP_ADMIN ON *.*", "PROCESS ON *.*", "SELECT ON `performance_schema`.*"];

#[test]
fn accounts_of_the_servers_clones_need_what_is_named_and_no_more() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let recipient = source.recipient()?;
    for server in [&source.server, &recipient] {
        server.sql("CREATE USER keeper@'%' IDENTIFIED BY 'k'")?;
    }
    let change = |server: &Server, word: &str, grant: &str, to: &str| -> Result<()> {
        server.sql(&format!("{word} {grant} {to} keeper@'%'"))
    };
    let backup = |server: &Server, output: &str, options: &[String]| {
        let port = server.port().to_string();
        let backup = ["physical-backup", "--engine", "clone", "--output", output];
        let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
        let run = source.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k");
        let run = run.env("DBBACKUP_CLONE_DONOR_PASSWORD", "k");
        let run = options.iter().fold(run, |run, option| run.args(["--engine-option", option]));
        run.deadline(Duration::from_secs(300)).run()
    };
    let local = || backup(&source.server, "local.tar", &["method=local".to_owned()]);
    let options = [
        "method=recipient".to_owned(),
        "donor_host=127.0.0.1".to_owned(),
        format!("donor_port={}", source.server.port()),
        "donor_user=keeper".to_owned(),
        format!("data_dir={}", text(&source.rig.tmp_dir())),
    ];
    let by_recipient = || backup(&recipient, "donor.tar", &options);
    TOLD.iter().try_for_each(|grant| change(&source.server, "GRANT", grant, "TO"))?;
    let refused = by_recipient()?;
    refused.expect_exit(4)?.expect_stderr("GRANT CLONE_ADMIN ON *.* TO 'keeper'@'%'")?;
    change(&recipient, "GRANT", "CLONE_ADMIN ON *.*", "TO")?;
    let refused = by_recipient()?;
    refused.expect_exit(4)?.expect_stderr("GRANT BACKUP_ADMIN ON *.* TO 'keeper'@'%'")?;
    change(&recipient, "GRANT", "BACKUP_ADMIN ON *.*", "TO")?;
    for grant in TOLD {
        change(&source.server, "REVOKE", grant, "FROM")?;
        for refused in [local()?, by_recipient()?] {
            refused.expect_exit(4)?.expect_stderr(&format!("GRANT {grant} TO 'keeper'@'%'"))?;
        }
        change(&source.server, "GRANT", grant, "TO")?;
    }
    ensure!(!source.rig.path("local.tar").exists() && !source.rig.path("donor.tar").exists());
    local()?.expect_success()?;
    // The recipient, who tells the progress, is another server.
    by_recipient()?.expect_success()?.expect_stderr("there will be no progress to see").map(drop)
}
