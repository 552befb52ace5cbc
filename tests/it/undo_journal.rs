//! What crashed runs leave is named, undone once, and never more than that.
use crate::aftermath::names;
use crate::shop::Shop;
use anyhow::{Result, ensure};
use std::fs;
use std::time::Duration;

/// How long a worker may take to start and write.
const START: Duration = Duration::from_secs(60);

/// A run that is killed in the middle: its partial file and its journal are left.
fn crashed(shop: &Shop) -> Result<()> {
    let mut run = shop.backup("db.tar").args(["--limit-rate", "1M"]).start()?;
    run.wait_for_file(&shop.rig.path("db.tar.partial"), 1, START)?;
    run.kill9_after(Duration::ZERO)?;
    ensure!(names(&shop.rig.work_dir())?.contains(&"db.tar.partial".to_owned()));
    Ok(())
}

#[test]
fn cleanup_names_then_undoes_what_a_crash_left() -> Result<()> {
    let shop = Shop::open(20_000)?;
    crashed(&shop)?;
    let before = names(&shop.rig.work_dir())?;
    let dry = shop.rig.dbbackup(["cleanup", "--dry-run"]).run()?;
    dry.expect_success()?.expect_stdout("db.tar.partial")?;
    let dry = shop.rig.dbbackup(["cleanup", "--dry-run", "."]).run()?;
    dry.expect_success()?.expect_stdout("db.tar.lock")?;
    ensure!(names(&shop.rig.work_dir())? == before, "a dry run changed something");
    shop.rig.dbbackup(["cleanup"]).run()?.expect_success()?.expect_stdout("db.tar.partial")?;
    shop.expect_names(&[])?;
    shop.expect_clean()?;
    let again = shop.rig.dbbackup(["cleanup"]).run()?;
    again.expect_success()?;
    ensure!(!String::from_utf8_lossy(&again.stdout).contains("db.tar"), "{again}");
    Ok(())
}

#[test]
fn a_live_run_is_left_alone_and_holds_the_lock() -> Result<()> {
    let shop = Shop::open(20_000)?;
    let mut run = shop.backup("db.tar").args(["--limit-rate", "2M"]).start()?;
    run.wait_for_file(&shop.rig.path("db.tar.partial"), 1, START)?;
    shop.rig.dbbackup(["cleanup", "."]).run()?.expect_success()?;
    shop.backup("db.tar").run()?.expect_exit(8)?;
    shop.backup("db.tar").arg("--force").run()?.expect_exit(8)?;
    run.wait()?.expect_success()?;
    shop.expect_names(&["db.tar", "db.tar.manifest.json"])?;
    shop.expect_backups(1)?;
    shop.expect_clean()
}

#[test]
fn a_record_of_a_missing_plugin_stays_and_is_reported() -> Result<()> {
    let shop = Shop::open(100)?;
    let journals = shop.rig.state_dir().join("dbbackup/journal");
    fs::create_dir_all(&journals)?;
    let journal = journals.join("20260101T000000Z-000001.ndjson");
    let lines = concat!(
        r#"{"line":"run","schema":"dbbackup.journal/1","run":"20260101T000000Z-000001","pid":1}"#,
        "\n",
        r#"{"line":"record","number":1,"by":{"owner":"engine","plugin":"acme","engine":"acme"},"#,
        r#""record":{"kind":"acme-snapshot","summary":"snapshot acme/db@b1","facts":{}}}"#,
        "\n",
    );
    fs::write(&journal, lines)?;
    let cleaned = shop.rig.dbbackup(["cleanup"]).run()?;
    ensure!(cleaned.code() != Some(0), "{cleaned}");
    ensure!(cleaned.to_string().contains("snapshot acme/db@b1"), "{cleaned}");
    ensure!(journal.exists(), "the record is gone, the snapshot is not");
    // It does not stand in the way of backups.
    shop.backed_up("db.tar.gz")?;
    ensure!(journal.exists());
    Ok(())
}

/// The scratch directory of a run holds what says whether its tools still run: an engine that could
/// not undo needs that once more.
#[test]
fn what_a_record_that_stays_needs_stays_with_it() -> Result<()> {
    let shop = Shop::open(100)?;
    let state = shop.rig.state_dir().join("dbbackup");
    let (journals, scratch) = (state.join("journal"), state.join("scratch/left"));
    fs::create_dir_all(&journals)?;
    fs::create_dir_all(&scratch)?;
    fs::write(scratch.join("tools.lock"), "")?;
    let journal = journals.join("20260101T000000Z-000003.ndjson");
    let lines = format!(
        r#"{{"line":"run","schema":"dbbackup.journal/1","run":"20260101T000000Z-000003","pid":1}}
{{"line":"record","number":1,"by":{{"owner":"host"}},"record":{{"kind":"host.scratch-directory","summary":"scratch","facts":{{"kind":"scratch-directory","path":"{}"}}}}}}
{{"line":"record","number":2,"by":{{"owner":"engine","plugin":"acme","engine":"acme"}},"record":{{"kind":"acme-snapshot","summary":"snapshot acme/db@b3","facts":{{}}}}}}
"#,
        scratch.display()
    );
    fs::write(&journal, &lines)?;
    let cleaned = shop.rig.dbbackup(["cleanup"]).run()?;
    ensure!(cleaned.to_string().contains("snapshot acme/db@b3"), "{cleaned}");
    ensure!(scratch.join("tools.lock").exists(), "the next try does not know of the tools");
    fs::write(&journal, lines + "{\"line\":\"done\",\"number\":2}\n")?;
    shop.rig.dbbackup(["cleanup"]).run()?.expect_success()?;
    ensure!(!scratch.exists() && !journal.exists(), "something is left");
    Ok(())
}

#[test]
fn a_damaged_journal_is_reported_and_does_not_stop_backups() -> Result<()> {
    let shop = Shop::open(100)?;
    let journals = shop.rig.state_dir().join("dbbackup/journal");
    fs::create_dir_all(&journals)?;
    let journal = journals.join("20260101T000000Z-000002.ndjson");
    fs::write(&journal, "garbage\n")?;
    shop.backed_up("db.tar.gz")?;
    let cleaned = shop.rig.dbbackup(["cleanup"]).run()?;
    ensure!(cleaned.to_string().contains("20260101T000000Z-000002"), "{cleaned}");
    ensure!(journal.exists());
    Ok(())
}
