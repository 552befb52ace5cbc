//! A restore overwrites nothing unasked, takes parts and other names, and stops at the first error.
use super::logical::{
    Entries, Entry, FLAVORS, backup_of, failed, failure, harness, restore_into, server, shown,
    statements,
};
use anyhow::{Result, ensure};
use dbbackup_sdk::{
    document::{manifest::FileRecord, restore::Mapping},
    plugin_api::error::ErrorCode,
};
use dbbackup_testkit::{Flavor, Server, ServerOptions};

fn shop(flavor: Flavor) -> Result<Server> {
    let source = server(flavor)?;
    // One at a time: of several in one text, the server keeps the semicolons.
    for statement in [
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT)",
        "INSERT INTO shop.t VALUES (1, 'one'), (2, 'two')",
        "CREATE TABLE shop.child (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES shop.t (id))",
        "CREATE TRIGGER shop.tr BEFORE INSERT ON shop.t FOR EACH ROW SET @x = 1",
        "CREATE FUNCTION shop.f(i INT) RETURNS INT DETERMINISTIC RETURN i",
        "CREATE VIEW shop.v AS SELECT t.id, shop.f(t.id) AS f FROM shop.t t",
        "CREATE DATABASE log",
        "CREATE TABLE log.l (i INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES shop.t (id))",
        "INSERT INTO log.l VALUES (1, 2)",
    ] {
        source.sql(statement)?;
    }
    Ok(source)
}

/// The entries as a manifest lists them.
fn files(entries: &Entries) -> Vec<FileRecord> {
    let file = |entry: &Entry| {
        serde_json::from_value(serde_json::json!({
            "kind": "stream", "path": format!("dump/{}", entry.meta.path),
            "size_bytes": entry.bytes.len(),
        }))
    };
    entries.0.iter().map(|entry| file(entry).expect("a record")).collect()
}

#[test]
fn the_first_error_is_named_with_its_place() -> Result<()> {
    for flavor in FLAVORS {
        let target = server(flavor)?;
        let sql = "CREATE DATABASE shop;\nUSE shop;\nCREATE TABLE t (id INT PRIMARY KEY);\n\
                   INSERT INTO t VALUES (1);\n\n  INSERT INTO t VALUES (1),(2),('a value far too long to be shown');\n\
                   INSERT INTO t VALUES (3);\n";
        let error = failure(harness().restore(&restore_into(&target), statements(sql)))?;
        let text = shown(&error);
        ensure!(text.contains("dump/x.sql line 6 (byte 98): INSERT INTO t VALUES"), "{text}");
        ensure!(text.contains("'a value far …'") && !text.contains("too long"), "{text}");
        ensure!(text.contains("1062"), "{text}");
        let rows: u64 = target.row("SELECT COUNT(*) FROM shop.t")?;
        ensure!(rows <= 1, "it went on after the error: {rows} rows");
    }
    Ok(())
}

#[test]
fn a_dump_that_is_cut_off_is_no_success() -> Result<()> {
    let target = server(Flavor::Mariadb1011)?;
    let sql = "CREATE DATABASE shop; USE shop; CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('cut";
    let error = failure(harness().restore(&restore_into(&target), statements(sql)))?;
    ensure!(error.code == ErrorCode::INTEGRITY, "{}", shown(&error));
    ensure!(shown(&error).contains("ends inside a string"), "{}", shown(&error));
    Ok(())
}

#[test]
fn what_is_there_is_not_overwritten_unasked() -> Result<()> {
    for flavor in FLAVORS {
        let (source, target) = (shop(flavor)?, server(flavor)?);
        let run = harness();
        run.backup(&backup_of(&source)).map_err(failed)?;
        target.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.t (mine INT); INSERT INTO shop.t VALUES (7)",
        )?;
        let mut request = restore_into(&target);
        let error = failure(harness().restore(&request, run.entries()))?;
        ensure!(error.code == ErrorCode::SAFETY, "{}", shown(&error));
        request.manifest.files = files(&run.entries());
        let error = failure(harness().check(&request))?;
        ensure!(error.code == ErrorCode::SAFETY, "{}", shown(&error));
        ensure!(error.message.contains("1 schema is already there: shop"), "{}", shown(&error));
        ensure!(target.row::<u64>("SELECT mine FROM shop.t")? == 7);
        request.force = true;
        harness().restore(&request, run.entries()).map_err(failed)?;
        source.checksum_all()?.expect_same(&target.checksum_all()?)?;
    }
    Ok(())
}

/// Where the server makes no difference between upper and lower case, the guard makes none either. Names
/// of routines have no case on any server.
#[test]
fn names_of_what_is_there_are_compared_as_the_server_does() -> Result<()> {
    let source = server(Flavor::Mariadb1011)?;
    for statement in [
        "CREATE DATABASE Shop",
        "CREATE TABLE Shop.Orders (id INT PRIMARY KEY)",
        "CREATE DATABASE log",
        "CREATE PROCEDURE log.Rotate() SELECT 1",
    ] {
        source.sql(statement)?;
    }
    let run = harness();
    run.backup(&backup_of(&source)).map_err(failed)?;
    let options = ServerOptions::default().arg("--lower-case-table-names=1");
    let target = Server::start(Flavor::Mariadb1011, options)?;
    target.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (mine INT)")?;
    target.sql("INSERT INTO shop.orders VALUES (7); CREATE DATABASE log")?;
    target.sql("CREATE PROCEDURE log.ROTATE() SELECT 2")?;

    let mut request = restore_into(&target);
    for only in [&[][..], &["Shop"], &["Shop/Orders"], &["log/Rotate"]] {
        request.only = only.iter().map(|&pattern| pattern.to_owned()).collect();
        let error = failure(harness().restore(&request, run.entries()))?;
        ensure!(error.code == ErrorCode::SAFETY, "{only:?}: {}", shown(&error));
        ensure!(error.message.contains("already there"), "{only:?}: {}", shown(&error));
    }
    ensure!(target.row::<u64>("SELECT mine FROM shop.orders")? == 7);
    let body: String = target.row(
        "SELECT routine_definition FROM information_schema.routines WHERE routine_schema = 'log'",
    )?;
    ensure!(body.contains('2'), "the routine is now {body}");

    request.only = Vec::new();
    request.manifest.files = files(&run.entries());
    let error = failure(harness().check(&request))?;
    ensure!(error.message.contains("already there: Shop, log"), "{}", shown(&error));
    // Nothing is in the way of other names, and what the restore has made itself is none.
    request.map = vec![
        Mapping { old: "Shop".into(), new: "Shop2".into() },
        Mapping { old: "log".into(), new: "log2".into() },
    ];
    harness().check(&request).map_err(failed)?;
    harness().restore(&request, run.entries()).map_err(failed)?;
    Ok(())
}

#[test]
fn one_table_is_restored_beside_others() -> Result<()> {
    for flavor in FLAVORS {
        let (source, target) = (shop(flavor)?, server(flavor)?);
        let run = harness();
        run.backup(&backup_of(&source)).map_err(failed)?;
        target.sql("CREATE DATABASE shop; CREATE TABLE shop.other (i INT)")?;
        let mut request = restore_into(&target);
        request.only = vec!["shop/t".to_owned()];
        harness().restore(&request, run.entries()).map_err(failed)?;
        let names: Vec<String> = target.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1",
        )?;
        ensure!(names == ["other", "t"], "{names:?}");
        ensure!(target.row::<u64>("SELECT COUNT(*) FROM shop.t")? == 2);
        let error = failure(harness().restore(&request, run.entries()))?;
        ensure!(error.code == ErrorCode::SAFETY, "{}", shown(&error));
        request.only = vec!["nothing/here".to_owned()];
        let error = failure(harness().restore(&request, run.entries()))?;
        ensure!(
            error.message.contains("nothing in the backup fits nothing/here"),
            "{}",
            shown(&error)
        );
    }
    Ok(())
}

#[test]
fn schemas_get_other_names() -> Result<()> {
    for flavor in FLAVORS {
        let source = shop(flavor)?;
        let run = harness();
        run.backup(&backup_of(&source)).map_err(failed)?;
        let before = source.checksum_all()?;
        // Into the same server: everything must go beside what is there.
        let mut request = restore_into(&source);
        request.map = vec![
            Mapping { old: "shop".into(), new: "shop two".into() },
            Mapping { old: "log".into(), new: "log`2".into() },
        ];
        harness().restore(&request, run.entries()).map_err(failed)?;
        let copy = source.checksum_all()?.without("x");
        ensure!(!before.differences(&copy).iter().any(|line| !line.starts_with("unexpected")));
        ensure!(copy.len() == 2 * before.len(), "{} and {}", copy.len(), before.len());
        let view: String = source.row(
            "SELECT view_definition FROM information_schema.views WHERE table_schema = 'shop two'",
        )?;
        ensure!(view.contains("`shop two`") && !view.contains("`shop`."), "{view}");
        let parents: Vec<String> = source.rows(
            "SELECT DISTINCT unique_constraint_schema FROM information_schema.referential_constraints \
             WHERE constraint_schema = 'log`2'",
        )?;
        ensure!(parents == ["shop two"], "{parents:?}");
    }
    Ok(())
}

#[test]
fn a_target_that_cannot_take_the_longest_statement_is_refused_before() -> Result<()> {
    let target =
        Server::start(Flavor::Mysql97, ServerOptions::default().arg("--max-allowed-packet=1M"))?;
    let mut request = restore_into(&target);
    request.manifest.source.facts.insert("longest_statement_bytes".into(), 5_000_000.into());
    let error = failure(harness().check(&request))?;
    ensure!(error.code == ErrorCode::PRECONDITION, "{}", shown(&error));
    ensure!(error.hint.contains("SET GLOBAL max_allowed_packet = 5001216"), "{}", shown(&error));
    Ok(())
}

#[test]
fn the_position_is_taken_over_when_asked_for() -> Result<()> {
    for flavor in FLAVORS {
        let (source, target) = (shop(flavor)?, server(flavor)?);
        let run = harness();
        let summary = run.backup(&backup_of(&source)).map_err(failed)?;
        let mut request = restore_into(&target);
        request.manifest.coordinates = summary.coordinates.clone();
        let options = serde_json::json!({"gtid": "set", "binlog": false});
        harness().options(options).restore(&request, run.entries()).map_err(failed)?;
        let gtid = summary.coordinates.gtid.expect("a set").to_string();
        let variable = if flavor.is_mariadb() { "gtid_slave_pos" } else { "gtid_purged" };
        let now: String = target.row(&format!("SELECT @@GLOBAL.{variable}"))?;
        ensure!(now.replace('\n', "").contains(&gtid), "{now} lacks {gtid}");
    }
    Ok(())
}

#[test]
fn values_that_the_target_changes_are_an_error() -> Result<()> {
    let target = server(Flavor::Mysql97)?;
    let sql = "CREATE DATABASE shop; USE shop; CREATE TABLE t (v VARCHAR(3)); SET sql_mode = '';\n\
               INSERT INTO t VALUES ('too long');";
    let error = failure(harness().restore(&restore_into(&target), statements(sql)))?;
    ensure!(error.code == ErrorCode::INTEGRITY, "{}", shown(&error));
    ensure!(
        error.message.contains("line 2") && error.message.contains("Data truncated"),
        "{}",
        shown(&error)
    );
    Ok(())
}
