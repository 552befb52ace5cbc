//! An archive that is too large for one object continues in further ones.
use super::{Cloud, FOLDER, local, url};
use anyhow::{Context as _, Result, ensure};

#[test]
fn an_archive_continues_in_further_objects_and_comes_back() -> Result<()> {
    let cloud = Cloud::start(1000)?;
    // 80 MB as text, more than the largest part of one object.
    cloud.server.sql(
        "CREATE TABLE shop.large (id INT PRIMARY KEY, b LONGBLOB); \
         INSERT INTO shop.large WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < 40) SELECT i, REPEAT(RANDOM_BYTES(1000), 1000) FROM n",
    )?;
    let backup = cloud.stream("mysqldump", "db.sql").args(["--max-parts", "1"]);
    backup.run()?.expect_success()?;
    let info = cloud.data(&["info", &url("db.sql")])?;
    let objects = info["objects"].as_array().context("objects")?.clone();
    ensure!(objects.len() > 1, "only {} objects", objects.len());
    let mut names = vec!["db.sql".to_owned()];
    names.extend((2..=objects.len()).map(|number| format!("db.sql.{number:04}")));
    names.push("db.sql.manifest.json".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cloud.expect_objects(&names)?;
    cloud.expect_good("db.sql")?;

    // Downloaded, they are the same backup, and `cat` joins them.
    let client = cloud.client()?;
    let mut joined = Vec::new();
    for name in &names {
        let bytes = client.get(&format!("{FOLDER}/{name}"))?;
        if !name.ends_with(".json") {
            joined.extend_from_slice(&bytes);
        }
        std::fs::write(cloud.rig.path(name), bytes)?;
    }
    ensure!(joined.ends_with(b"\n") && joined.len() > 70_000_000, "{} bytes", joined.len());
    cloud.rig.dbbackup(["verify", &local(&cloud, "db.sql")]).run()?.expect_success()?;

    // One that is missing or short is found before anything is restored.
    client.delete(&format!("{FOLDER}/db.sql.0002"))?;
    let verify = cloud.dbbackup(&["verify", &url("db.sql")]).run()?;
    verify.expect_exit(20)?.expect_stderr("db.sql.0002")?;
    let listed = cloud.dbbackup(&["list", &url("")]).run()?;
    listed.expect_stdout("object db.sql.0002 is missing")?;
    Ok(())
}

#[test]
fn a_flipped_bit_on_the_way_back_is_damage() -> Result<()> {
    use dbbackup_testkit::{Fault, FaultRule, S3Operation};
    let cloud = Cloud::start(20_000)?;
    cloud.stream("mysqldump", "db.sql.gz").run()?.expect_success()?;
    let rule = FaultRule::on(S3Operation::Get, Fault::CorruptGet).key_suffix("db.sql.gz");
    cloud.proxy.add(rule);
    cloud.dbbackup(&["verify", &url("db.sql.gz")]).run()?.expect_exit(20)?;
    cloud.proxy.clear();
    cloud.dbbackup(&["verify", &url("db.sql.gz")]).run()?.expect_success()?;
    Ok(())
}
