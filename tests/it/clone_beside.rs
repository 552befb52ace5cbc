//! Tables that come empty out of a clone and are dumped beside it: what they hold comes back, they
//! are of one instant, and who may not read them is told so before anything is written.
use crate::{cloned::Source, logical::load_with_client};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Contents, Flavor, Outcome, Rig, Server, ServerOptions};
use std::{fs, path::Path, process::Command, time::Duration};

/// Tables of every storage engine that a clone leaves empty; names and values that want quoting.
const TABLES: &str = "CREATE DATABASE `odd name`; USE `odd name`; \
    CREATE TABLE `my isam` (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT, b BLOB, f DOUBLE, \
        n INT GENERATED ALWAYS AS (LENGTH(t)) STORED, KEY by_n (n), FULLTEXT KEY (t)) ENGINE=MyISAM; \
    INSERT INTO `my isam` (t, b, f) VALUES ('it''s \\\\ \\n', 0x00ff27, 0.1), (NULL, '', -0e0), \
        (REPEAT('ä', 5000), REPEAT(0x5c, 70000), 1e300); \
    INSERT INTO `my isam` (t) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
        WHERE i < 900) SELECT REPEAT(SHA2(i, 256), 50) FROM n; \
    CREATE TABLE latin (c CHAR(20) CHARACTER SET latin1, u VARCHAR(9) COLLATE utf8mb4_bin) \
        ENGINE=MyISAM; \
    INSERT INTO latin VALUES (0xe9e8, 'é'), ('x', NULL); \
    CREATE TABLE listed (i INT NOT NULL, t VARCHAR(99) NOT NULL) ENGINE=CSV; \
    INSERT INTO listed VALUES (1, 'a,\"b\"'), (2, ''); \
    CREATE TABLE archived (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT) ENGINE=ARCHIVE; \
    INSERT INTO archived VALUES (5, 'five'), (9, 'nine'); \
    CREATE TABLE part1 (i INT) ENGINE=MyISAM; CREATE TABLE part2 (i INT) ENGINE=MyISAM; \
    INSERT INTO part1 VALUES (1); INSERT INTO part2 VALUES (2); \
    CREATE TABLE both_parts (i INT) ENGINE=MERGE UNION=(part1, part2) INSERT_METHOD=LAST; \
    CREATE TABLE fleeting (i INT) ENGINE=MEMORY; INSERT INTO fleeting VALUES (1); \
    CREATE TABLE seen (t TEXT) ENGINE=MyISAM";
/// It fires once on the source, and not once more while the rows are loaded.
const TRIGGER: &str = "CREATE TRIGGER `odd name`.notes AFTER INSERT ON `odd name`.`my isam` \
    FOR EACH ROW INSERT INTO `odd name`.seen VALUES (NEW.t)";
/// The table whose rows end with the server.
const MEMORY: &str = "data `odd name`.`fleeting`";
const DEFINITION_IN_MEMORY: &str = "table `odd name`.`fleeting`";

fn source() -> Result<Source> {
    let source = Source::start(ServerOptions::default())?;
    fill(&source.server)?;
    Ok(source)
}

fn fill(server: &Server) -> Result<()> {
    server.sql(TABLES)?;
    server.sql(TRIGGER)?;
    server.sql("INSERT INTO `odd name`.`my isam` (t) VALUES ('seen once')")
}

fn contents(server: &Server) -> Result<Contents> {
    Ok(server.checksum_all()?.without(MEMORY))
}

/// The file that the message of a restore names.
fn named_file(message: &str) -> Result<&Path> {
    let (_, rest) = message.split_once("mysql --user=root < '").context(message.to_owned())?;
    Ok(Path::new(rest.split_once('\'').context("no end")?.0))
}

/// Restores, loads what the restore names, and compares everything with the source.
fn comes_back(source: &Source, artefact: &str) -> Result<()> {
    let restore = ["restore", artefact, "--target-dir", "restored"];
    let run = source.rig.dbbackup(restore).deadline(Duration::from_secs(300)).run()?;
    let message = run.expect_success()?.stderr.clone();
    let text = fs::read(named_file(&message)?)?;
    let options = ServerOptions::default();
    let restored = Server::start_on(Flavor::Mysql97, &source.rig.path("restored"), options)?;
    let executed = "SELECT @@GLOBAL.gtid_executed";
    let before: String = restored.row(executed)?;
    load_with_client(&restored, &text)?;
    ensure!(restored.row::<String>(executed)? == before, "the load went into the binlog");
    contents(&source.server)?.expect_same(&contents(&restored)?)?;
    ensure!(restored.row::<u64>("SELECT COUNT(*) FROM `odd name`.fleeting")? == 0);
    Ok(())
}

#[test]
fn tables_dumped_beside_a_clone_come_back_with_their_rows() -> Result<()> {
    let source = source()?;
    let backup = source.backup("protocol", "db/").args(["--include-non-innodb", "--max-lock=1m"]);
    backup.run()?.expect_success()?;
    let manifest = source.manifest("db/")?;
    let fact = &manifest["source"]["non_innodb"];
    ensure!(fact["tables"].as_array().map(Vec::len) == Some(8), "{fact}");
    ensure!(fact["coordinates"]["precision"] == "exact", "{fact}");
    ensure!(fact["coordinates"]["gtid"].is_string(), "{fact}");
    let lock = &manifest["locks"][0];
    ensure!(lock["statement"] == "LOCK TABLES … READ", "{lock}");
    let excluded = manifest["excluded"].to_string();
    ensure!(excluded.contains("my isam (MyISAM)"), "{excluded}");
    ensure!(excluded.contains("fleeting (MEMORY)"), "{excluded}");
    ensure!(!excluded.contains("comes back empty"), "{excluded}");

    let target = source.rig.path("target");
    let applier = source.rig.path("db/.dbbackup/apply.py");
    let output = Command::new("python3").arg(applier).arg(&target).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success() && said.contains("mysql --user=root < "), "{said}");
    let text = fs::read(target.join("dbbackup-non-innodb.sql"))?;
    ensure!(text == fs::read(source.rig.path("db/.dbbackup/non-innodb.sql"))?);
    comes_back(&source, "db/")
}

#[test]
fn tables_are_dumped_beside_a_clone_that_the_server_makes() -> Result<()> {
    let source = source()?;
    let backup = source.backup("local", "db.tar.gz").args(["--include-non-innodb"]);
    backup.args(["--max-lock=1m"]).run()?.expect_success()?;
    comes_back(&source, "db.tar.gz")
}

/// The donor's tables, and not the recipient's.
#[test]
fn tables_are_dumped_beside_a_clone_that_a_recipient_makes() -> Result<()> {
    let source = source()?;
    let recipient = source.recipient()?;
    recipient.sql("CREATE DATABASE own; CREATE TABLE own.isam (i INT) ENGINE=MyISAM")?;
    let backup = source.backup_by(&recipient, "db/").args(["--include-non-innodb"]);
    backup.args(["--max-lock=1m"]).run()?.expect_success()?;
    let manifest = source.manifest("db/")?;
    let tables = manifest["source"]["non_innodb"]["tables"].to_string();
    ensure!(tables.contains("odd name.my isam (MyISAM)") && !tables.contains("own."), "{tables}");
    let excluded = manifest["excluded"].to_string();
    ensure!(excluded.contains("odd name.fleeting (MEMORY)"), "{excluded}");
    comes_back(&source, "db/")
}

/// A schema that was made after the clone is in the text alone.
#[test]
fn the_text_beside_a_clone_makes_schemas_that_are_not_there() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let source = Source { rig: Rig::new()?, server };
    fill(&source.server)?;
    source
        .server
        .sql("ALTER DATABASE `odd name` CHARACTER SET latin1 COLLATE latin1_german2_ci")?;
    let backup = source.backup("protocol", "db/").args(["--include-non-innodb", "--max-lock=1m"]);
    backup.run()?.expect_success()?;
    let text = fs::read(source.rig.path("db/.dbbackup/non-innodb.sql"))?;

    let empty = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    load_with_client(&empty, &text)?;
    let collation: String = empty.row(
        "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA \
         WHERE SCHEMA_NAME = 'odd name'",
    )?;
    ensure!(collation == "latin1_german2_ci", "{collation}");
    // No row of a table in memory is anywhere, and its definition is in the clone.
    let all =
        |server: &Server| Ok::<_, anyhow::Error>(contents(server)?.without(DEFINITION_IN_MEMORY));
    all(&source.server)?.expect_same(&all(&empty)?)?;
    // Loaded over the schema that a clone brings, nothing of it changes.
    load_with_client(&empty, &text)?;
    all(&source.server)?.expect_same(&all(&empty)?)
}

/// A clone has the definition of a table over others, and not even that can be opened.
#[test]
fn tables_over_others_are_refused_by_name_and_come_back_beside_the_clone() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql(
        "USE kinds; CREATE TABLE part1 (i INT, KEY (i)) ENGINE=MyISAM; \
         CREATE TABLE part2 LIKE part1; INSERT INTO part1 VALUES (1), (2); \
         INSERT INTO part2 VALUES (3); CREATE TABLE whole (i INT, KEY (i)) ENGINE=MRG_MyISAM \
             UNION=(part1, part2) INSERT_METHOD=LAST",
    )?;
    for method in ["protocol", "local"] {
        let refused = source.backup(method, "db.tar").run()?;
        refused.expect_exit(4)?.expect_stderr("1 of MRG_MYISAM")?;
        refused.expect_stderr("--include-non-innodb")?;
        ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
    }
    let accept = ["--accept-degraded", "non-transactional"];
    source.backup("protocol", "without.tar").args(accept).run()?.expect_exit(10)?;
    let excluded = source.manifest("without.tar")?["excluded"].to_string();
    ensure!(excluded.contains("kinds.whole (MRG_MYISAM)"), "{excluded}");

    let backup = source.backup("protocol", "db/").args(["--include-non-innodb", "--max-lock=1m"]);
    backup.run()?.expect_success()?;
    source.restore("db/", "restored")?;
    let text = fs::read(source.rig.path("db/.dbbackup/non-innodb.sql"))?;
    let options = ServerOptions::default();
    let restored = Server::start_on(Flavor::Mysql97, &source.rig.path("restored"), options)?;
    load_with_client(&restored, &text)?;
    restored.sql("INSERT INTO kinds.whole VALUES (4)")?;
    for (table, rows) in [("whole", &[1, 2, 3, 4][..]), ("part1", &[1, 2]), ("part2", &[3, 4])] {
        let found: Vec<u32> = restored.rows(&format!("SELECT i FROM kinds.{table} ORDER BY i"))?;
        ensure!(found == rows, "{table} holds {found:?}");
    }
    Ok(())
}

#[test]
fn tables_that_no_lock_of_this_length_suffices_for_are_refused_before_the_clone() -> Result<()> {
    let source = source()?;
    for method in ["protocol", "local"] {
        let backup = source.backup(method, "db.tar").args(["--include-non-innodb"]);
        let refused = backup.args(["--max-lock=1ms"]).run()?;
        refused
            .expect_exit(9)?
            .expect_stderr("8 tables that are not InnoDB's hold ")?
            .expect_stderr(" MB, which cannot be read within a lock of 1 ms")?
            .expect_stderr("allow it with --max-lock 1s")?;
        ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
    }
    let clones: u64 = source.server.row("SELECT COUNT(*) FROM performance_schema.clone_status")?;
    ensure!(clones == 0, "the server cloned before it was refused");
    Ok(())
}

#[test]
fn tables_beside_a_clone_are_locked_within_the_budget() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql("CREATE TABLE kinds.isam (i INT) ENGINE=MyISAM")?;
    let mut writer = source.server.session()?;
    writer.run("LOCK TABLES kinds.isam WRITE")?;
    let backup = source.backup("protocol", "db.tar").args(["--include-non-innodb"]);
    let refused = backup.args(["--max-lock-wait=1s"]).run()?;
    refused.expect_exit(9)?.expect_stderr("LOCK TABLES … READ")?;
    ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
    writer.run("UNLOCK TABLES; INSERT INTO kinds.isam VALUES (1)")
}

/// Small tables, whose definitions alone take longer.
#[test]
fn a_lock_beside_a_clone_that_is_held_beyond_its_budget_is_told_as_such() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    for number in 0..20 {
        let table = format!("kinds.isam{number}");
        source.server.sql(&format!("CREATE TABLE {table} (i INT) ENGINE=MyISAM"))?;
    }
    let backup = source.backup("protocol", "db.tar").args(["--include-non-innodb"]);
    let refused = backup.args(["--max-lock=1ms"]).run()?;
    refused
        .expect_exit(9)?
        .expect_stderr("was held for ")?
        .expect_stderr("allow more with --max-lock")?;
    ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
    source.server.expect_writable_within(Duration::from_secs(5))
}

#[test]
fn tables_beside_a_clone_need_privileges_which_are_named_before_it() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql(
        "CREATE TABLE kinds.isam (i INT) ENGINE=MyISAM; \
         CREATE USER keeper@'%' IDENTIFIED BY 'k'; \
         GRANT BACKUP_ADMIN, REPLICATION CLIENT, TRIGGER ON *.* TO keeper@'%'; \
         GRANT SELECT ON kinds.* TO keeper@'%'",
    )?;
    let port = source.server.port().to_string();
    let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    let run = || {
        let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
        let run = source.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k");
        run.args(["--include-non-innodb"]).run()
    };
    let grant = "GRANT SELECT, LOCK TABLES ON *.* TO 'keeper'@'%'";
    run()?.expect_exit(4)?.expect_stderr(grant)?;
    ensure!(!source.rig.path("db.tar").exists(), "an artefact was written");
    source.server.sql(grant)?;
    run()?.expect_success().map(drop)
}

#[test]
fn tables_with_which_no_server_starts_on_a_clone_are_refused_by_name() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql("CREATE TABLE kinds.`a``b` (i INT) ENGINE=MyISAM")?;
    for (method, choice) in [
        ("protocol", ["--accept-degraded", "non-transactional"]),
        ("protocol", ["--include-non-innodb", "--max-lock=1m"]),
        ("local", ["--include-non-innodb", "--max-lock=1m"]),
    ] {
        let refused = source.backup(method, "db.tar").args(choice).run()?;
        refused.expect_exit(4)?.expect_stderr("kinds.a`b (MyISAM) has a backtick in its name")?;
    }
    Ok(())
}

#[test]
fn tables_that_the_account_did_not_see_are_found_by_the_first_boot() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    source.server.sql(
        "CREATE TABLE kinds.isam (i INT) ENGINE=MyISAM; INSERT INTO kinds.isam VALUES (1); \
         CREATE TABLE kinds.archived (i INT) ENGINE=ARCHIVE; \
         CREATE USER keeper@'%' IDENTIFIED BY 'k'; GRANT BACKUP_ADMIN ON *.* TO keeper@'%'",
    )?;
    let port = source.server.port().to_string();
    let connection = ["--host", "127.0.0.1", "--port", &port, "--user", "keeper"];
    let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    let run = source.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", "k").run()?;
    run.expect_success()?.expect_stderr("the account does not see all tables")?;
    let dry = ["restore", "db.tar", "--target-dir", "restored", "--dry-run"];
    let dry = source.rig.dbbackup(dry).run()?;
    dry.expect_success()?.expect_stderr("did not see every table")?;
    let unseen = verify(&source, "db.tar")?;
    unseen.expect_exit(20)?.expect_stdout("kinds.archived (ARCHIVE): comes back empty")?;
    unseen.expect_stdout("kinds.isam (MyISAM): comes back empty")?;

    let accept = ["--accept-degraded", "non-transactional"];
    source.backup("protocol", "seen.tar").args(accept).run()?.expect_exit(10)?;
    let seen = verify(&source, "seen.tar")?;
    seen.expect_success()?.expect_stdout("kinds.isam (MyISAM): no rows of it")?;
    Ok(())
}

/// Boots a scratch server on a copy.
fn verify(source: &Source, artefact: &str) -> Result<Outcome> {
    let mysqld = source.server.tree().mysqld_path().display().to_string();
    // A short place: the path of the scratch server's socket has a limit.
    let state = tempfile::tempdir()?;
    let verify = ["verify", artefact, "--level", "boot", "--mysqld", &mysqld];
    let verify = source.rig.dbbackup(verify).env("DBBACKUP_STATE_DIR", state.path());
    verify.deadline(Duration::from_secs(300)).run()
}
