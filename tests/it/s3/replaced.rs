//! Two runs on one name, and a run that replaces a backup: there is always one whole backup.
use super::{Cloud, FOLDER, url};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Fault, FaultRule, S3Operation};
use std::time::Duration;

#[test]
fn a_replaced_backup_is_whole_until_the_new_manifest_is_there() -> Result<()> {
    let cloud = Cloud::start(10_000)?;
    cloud.stream("mysqldump", "db.sql.gz").run()?.expect_success()?;
    let again = cloud.stream("mysqldump", "db.sql.gz").run()?;
    again.expect_exit(23)?.expect_stderr("--force")?;
    let first = cloud.data(&["info", &url("db.sql.gz")])?;

    // The new manifest cannot be put: the old backup is what it was.
    let denied = FaultRule::on(S3Operation::Put, Fault::Deny).key_suffix("db.sql.gz.manifest.json");
    cloud.proxy.add(denied);
    cloud
        .server
        .sql("INSERT INTO shop.t1 (id) VALUES (10000001)")
        .or_else(|_| cloud.server.sql("CREATE TABLE shop.later (id INT PRIMARY KEY)"))?;
    cloud.stream("mysqldump", "db.sql.gz").args(["--force"]).run()?.expect_exit(6)?;
    cloud.proxy.clear();
    cloud.expect_objects(&["db.sql.gz", "db.sql.gz.manifest.json"])?;
    ensure!(cloud.data(&["info", &url("db.sql.gz")])? == first, "the old backup has changed");
    cloud.dbbackup(&["verify", &url("db.sql.gz")]).run()?.expect_success()?;

    cloud.stream("mysqldump", "db.sql.gz").args(["--force"]).run()?.expect_success()?;
    let second = cloud.data(&["info", &url("db.sql.gz")])?;
    ensure!(second["id"] != first["id"], "it was not replaced");
    let object = second["objects"][0]["name"].as_str().context("a name")?.to_owned();
    let mut names = [object.as_str(), "db.sql.gz.manifest.json"];
    names.sort_unstable();
    cloud.expect_objects(&names)?;
    cloud.dbbackup(&["status", &url("db.sql.gz")]).run()?.expect_success()?;
    cloud.expect_good("db.sql.gz")
}

#[test]
fn a_continuation_alone_is_in_the_way_and_is_replaced() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    for stray in ["db.sql.0002", "db.sql.0003"] {
        cloud.client()?.put(&format!("{FOLDER}/{stray}"), *b"somebody's")?;
        // A look at the next object tells before the run, and not hours later.
        if stray == "db.sql.0002" {
            let refused = cloud.stream("mysqldump", "db.sql").run()?;
            refused.expect_exit(23)?.expect_stderr("db.sql.0002 exists")?;
        }
        cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
        let info = cloud.data(&["info", &url("db.sql")])?;
        let object = info["objects"][0]["name"].as_str().context("a name")?.to_owned();
        ensure!(object != "db.sql", "what would continue it is in the way");
        let mut names = [object.as_str(), "db.sql.manifest.json"];
        names.sort_unstable();
        cloud.expect_objects(&names)?;
        cloud.client()?.delete(&format!("{FOLDER}/{object}"))?;
        cloud.client()?.delete(&format!("{FOLDER}/db.sql.manifest.json"))?;
    }
    Ok(())
}

#[test]
fn of_two_runs_on_one_name_one_writes_and_the_other_says_so() -> Result<()> {
    let cloud = Cloud::start(40_000)?;
    // Slow enough for both to be at work.
    cloud.proxy.add(FaultRule::on(S3Operation::Part, Fault::Slow(20_000)));
    let mut first = cloud.stream("mysqldump", "db.sql").start()?;
    first.wait_for_worker(Duration::from_secs(60))?;
    let second = cloud.stream("mysqldump", "db.sql").run()?;
    let first = first.wait()?;
    let codes = [first.code(), second.code()];
    let losers = codes.iter().filter(|code| matches!(code, Some(8 | 23))).count();
    ensure!(codes.contains(&Some(0)) && losers == 1, "{first}\n{second}");
    cloud.proxy.clear();
    cloud.expect_objects(&["db.sql", "db.sql.manifest.json"])?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    let there = cloud.client()?.head(&format!("{FOLDER}/db.sql.run.json"))?;
    ensure!(there.is_none(), "a marker is left: {there:?}");
    Ok(())
}

#[test]
fn a_replacement_takes_what_no_manifest_vouches_for_with_it() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let client = cloud.client()?;
    for name in ["db.sql", "db.sql.0002", "db.sql.txt", "other.sql"] {
        client.put(&format!("{FOLDER}/{name}"), *b"somebody's")?;
    }
    cloud.stream("mysqldump", "db.sql").run()?.expect_exit(23)?.expect_stderr("--force")?;
    cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
    let info = cloud.data(&["info", &url("db.sql")])?;
    let object = info["objects"][0]["name"].as_str().context("a name")?.to_owned();
    let mut names = [object.as_str(), "db.sql.manifest.json", "db.sql.txt", "other.sql"];
    names.sort_unstable();
    cloud.expect_objects(&names)?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn what_a_replacement_could_not_remove_goes_by_cleanup() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    let client = cloud.client()?;
    let object_of = |name: &str| -> Result<String> {
        let info = cloud.data(&["info", &url(name)])?;
        Ok(info["objects"][0]["name"].as_str().context("a name")?.to_owned())
    };
    cloud.stream("mysqldump", "other.sql").run()?.expect_success()?;
    cloud.stream("mysqldump", "db.sql").run()?.expect_success()?;
    // As after a kill between the new manifest and the removal, twice.
    let denied = FaultRule::on(S3Operation::Delete, Fault::Deny).key_suffix(".sql");
    cloud.proxy.add(denied);
    cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
    let second = object_of("db.sql")?;
    cloud.stream("mysqldump", "db.sql").args(["--force"]).run()?.expect_success()?;
    let third = object_of("db.sql")?;
    cloud.proxy.clear();
    for name in ["db.monday.sql", "db.sql.txt"] {
        client.put(&format!("{FOLDER}/{name}"), *b"somebody's")?;
    }
    let kept = [third.as_str(), "db.monday.sql", "db.sql.manifest.json", "db.sql.txt"];
    let kept = [&kept[..], &["other.sql", "other.sql.manifest.json"]].concat();
    let sorted = |more: &[&str]| {
        let mut names = [&kept[..], more].concat();
        names.sort_unstable();
        names.join(" ")
    };
    let expect = |more: &[&str]| {
        let names = sorted(more);
        cloud.expect_objects(&names.split(' ').collect::<Vec<_>>())
    };
    expect(&["db.sql", &second])?;

    // A manifest that cannot be read may need them.
    let folder = url("");
    let manifest = format!("{FOLDER}/broken.sql.manifest.json");
    client.put(&manifest, *b"{")?;
    let left = cloud.dbbackup(&["cleanup", &folder]).run()?;
    left.expect_success()?.expect_stderr("broken.sql")?;
    client.delete(&manifest)?;
    expect(&["db.sql", &second])?;

    let told = cloud.dbbackup(&["cleanup", &folder, "--dry-run"]).run()?;
    told.expect_success()?.expect_stdout("would remove")?.expect_stdout(&second)?;
    expect(&["db.sql", &second])?;
    cloud.dbbackup(&["cleanup", &url("db.sql")]).run()?.expect_success()?;
    expect(&[])?;
    cloud.dbbackup(&["cleanup", &folder]).run()?.expect_stdout("nothing to clean up")?;
    cloud.dbbackup(&["verify", &url("db.sql")]).run()?.expect_success()?;
    Ok(())
}
