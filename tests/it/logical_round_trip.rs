//! Everything in a schema comes back: by our restore, and by the stock client.
use super::logical::{
    FLAVORS, backup_of, failed, fill, harness, load_with_client, restore_into, server, statements,
};
use anyhow::{Result, ensure};
use dbbackup_testkit::{Flavor, kitchen_sink, large_row};

fn comes_back(flavor: Flavor) -> Result<()> {
    let source = server(flavor)?;
    kitchen_sink(&source)?;
    fill(&source)?;
    let run = harness();
    // The kitchen sink has a few tables without transactions, and nobody writes to them here.
    let mut request = backup_of(&source);
    request.accept_degraded = vec!["non-transactional".to_owned()];
    let summary = run.backup(&request).map_err(failed)?;
    let weaker = |clause: &&String| !clause.ends_with("not of the snapshot's instant");
    ensure!(summary.degraded.iter().find(weaker).is_none(), "{:?}", summary.degraded);
    let before = source.checksum_all()?;

    let restored = server(flavor)?;
    harness().restore(&restore_into(&restored), run.entries()).map_err(failed)?;
    before.expect_same(&restored.checksum_all()?)?;

    let loaded = server(flavor)?;
    load_with_client(&loaded, &run.entries().sql())?;
    before.expect_same(&loaded.checksum_all()?)?;

    // A dump of the copy is the dump: what neither digest nor definition tells is told here.
    let again = harness();
    request.connection.port = Some(restored.port());
    again.backup(&request).map_err(failed)?;
    let lines = |run: &super::logical::Harness| -> Vec<String> {
        let sql = String::from_utf8_lossy(&run.entries().sql()).into_owned();
        sql.lines().filter(|line| !line.starts_with("-- ")).map(str::to_owned).collect()
    };
    let (first, second) = (lines(&run), lines(&again));
    if let Some(at) = first.iter().zip(&second).position(|(a, b)| a != b) {
        anyhow::bail!("line {at}:\n{}\n{}", first[at], second[at]);
    }
    ensure!(first.len() == second.len(), "{} and {} lines", first.len(), second.len());
    Ok(())
}

#[test]
fn everything_comes_back_on_mysql() -> Result<()> {
    comes_back(Flavor::Mysql97)
}

#[test]
fn everything_comes_back_on_mariadb() -> Result<()> {
    comes_back(Flavor::Mariadb1011)
}

#[test]
fn a_row_larger_than_every_buffer_comes_back() -> Result<()> {
    let (source, target) = (server(Flavor::Mysql97)?, server(Flavor::Mysql97)?);
    large_row(&source, 20 << 20)?;
    let run = harness();
    let summary = run.backup(&backup_of(&source)).map_err(failed)?;
    let needs = summary.restore_needs.join("; ");
    ensure!(needs.contains("max_allowed_packet of at least 2"), "{needs}");
    harness().restore(&restore_into(&target), run.entries()).map_err(failed)?;
    source.checksum_all()?.expect_same(&target.checksum_all()?)
}

#[test]
fn definers_can_be_stripped_and_objects_left_out() -> Result<()> {
    for flavor in FLAVORS {
        let source = server(flavor)?;
        fill(&source)?;
        let options = serde_json::json!({
            "definers": "strip", "databases": ["sink"], "exclude": ["sink.all_*", "sink.many_rows"],
        });
        let run = harness().options(options);
        let summary = run.backup(&backup_of(&source)).map_err(failed)?;
        let sql = String::from_utf8_lossy(&run.entries().sql()).into_owned();
        ensure!(!sql.contains("DEFINER="), "a definer is left");
        ensure!(!sql.contains("INTO `many_rows`") && sql.contains("INTO `audit`").eq(&false));
        let excluded: Vec<&str> =
            summary.excluded.iter().map(|record| record.what.as_str()).collect();
        for what in ["sink.all_types", "sink.many_rows", "odd `name/ü", "mysql"] {
            ensure!(excluded.contains(&what), "{what} is not among {excluded:?}");
        }
        ensure!(!summary.restore_needs.iter().any(|need| need.contains("definers")));
    }
    Ok(())
}

#[test]
fn stock_dumps_are_restored() -> Result<()> {
    for (flavor, program) in [(Flavor::Mysql97, "mysqldump"), (Flavor::Mariadb1011, "mariadb-dump")]
    {
        let (source, target) = (server(flavor)?, server(flavor)?);
        source.sql(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT); \
             INSERT INTO shop.t VALUES (1, 'it''s; '), (2, NULL); \
             CREATE VIEW shop.v AS SELECT id FROM shop.t; \
             CREATE TRIGGER shop.tr BEFORE INSERT ON shop.t FOR EACH ROW SET @a = ';'; \
             CREATE PROCEDURE shop.p() BEGIN SELECT 1; SELECT ';'; END; \
             CREATE EVENT shop.e ON SCHEDULE EVERY 1 DAY DISABLE DO BEGIN SELECT 1; END",
        )?;
        let arguments =
            ["--single-transaction", "--routines", "--events", "--triggers", "--databases", "shop"];
        let sql = super::logical::client_output(&source, program, &arguments)?;
        harness().restore(&restore_into(&target), statements(sql)).map_err(failed)?;
        source.checksum_all()?.expect_same(&target.checksum_all()?)?;
    }
    Ok(())
}
