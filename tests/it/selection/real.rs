//! The servers of the test bed as they are: what is asked of them, and what is answered.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{BtrfsDisk, Flavor, Rig, SampleTables, Server, ServerOptions, skip};
use serde_json::Value;

fn select(rig: &Rig, server: &Server, more: &[&str]) -> Result<Value> {
    let outcome =
        rig.dbbackup_on(server, ["engine", "select", "--json"]).args(more.to_vec()).run()?;
    Ok(outcome.expect_success()?.json()?["data"].take())
}

/// The verdict on an engine, if the product has it.
fn verdict<'v>(data: &'v Value, engine: &str) -> Option<&'v Value> {
    let engines = data["engines"].as_array()?;
    engines.iter().find(|found| found["engine"] == engine)
}

fn is_eligible(found: &Value) -> bool {
    found["verdict"]["verdict"] == "eligible"
}

#[test]
fn every_server_gets_the_engine_that_fits_it() -> Result<()> {
    let rig = Rig::new()?;
    for (flavor, can_clone) in
        [(Flavor::Mysql97, true), (Flavor::Mysql56, false), (Flavor::Mariadb1011, false)]
    {
        let server = Server::start(flavor, ServerOptions::default())?;
        SampleTables::small().load(&server)?;
        let name = flavor.name();
        let data = select(&rig, &server, &[]).context(name)?;
        let chosen = &data["recommendation"];
        ensure!(chosen["engine"] == "mysqldump", "{name}, small: {chosen}");
        ensure!(data["environment"]["server"]["replica"] == false, "{name} is no replica");
        let paths = data["environment"]["paths"].as_array().context("no paths")?;
        ensure!(paths.iter().all(|path| path["proven_local"] == true), "{name}: {paths:?}");

        let physical = select(&rig, &server, &["--prefer-physical"])?;
        if let Some(clone) = verdict(&physical, "clone") {
            ensure!(is_eligible(clone) == can_clone, "{name}: {clone}");
            if can_clone {
                ensure!(physical["recommendation"]["engine"] == "clone", "{name}");
            } else {
                let blockers = clone["assessment"]["blockers"].as_array().context("no blockers")?;
                ensure!(!blockers.is_empty(), "{name}: {clone}");
            }
        }
    }
    Ok(())
}

#[test]
fn without_plugin_and_privilege_each_has_its_statement() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    server.sql("UNINSTALL PLUGIN clone")?;
    server.sql("CREATE USER 'o''brien'@'%' IDENTIFIED BY 'x'")?;
    server.sql("GRANT SELECT, REPLICATION CLIENT ON *.* TO 'o''brien'@'%'")?;
    let port = server.port().to_string();
    let outcome = rig
        .dbbackup(["engine", "select", "--explain", "--host", "127.0.0.1", "--port", &port])
        .args(["--user", "o'brien"])
        .env("MYSQL_PWD", "x")
        .run()?;
    outcome
        .expect_exit(4)?
        .expect_stdout("Clone Plugin: false\n")?
        .expect_stdout("Engine: none\n")?
        .expect_stdout(r"unlock: GRANT RELOAD, PROCESS ON *.* TO 'o\'brien'@'%';")?;
    if outcome.stdout_text().contains("\nclone: ") {
        outcome
            .expect_stdout("unlock: INSTALL PLUGIN clone SONAME 'mysql_clone.so';")?
            .expect_stdout(r"unlock: GRANT BACKUP_ADMIN ON *.* TO 'o\'brien'@'%';")?;
    }
    // What was printed is what helps.
    server.sql(r"GRANT RELOAD, PROCESS ON *.* TO 'o\'brien'@'%';")?;
    rig.dbbackup(["engine", "select", "--host", "127.0.0.1", "--port", &port])
        .args(["--user", "o'brien"])
        .env("MYSQL_PWD", "x")
        .run()?
        .expect_success()?
        .expect_stdout("Engine: mysqldump\n")?;
    Ok(())
}

#[test]
fn on_btrfs_the_snapshots_are_seen() -> Result<()> {
    if let Some(obstacle) = BtrfsDisk::obstacle() {
        skip!("{obstacle}");
    }
    let disk = BtrfsDisk::mount(2 << 30)?;
    let subvolume = disk.subvolume("data")?;
    let rig = Rig::new()?;
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let options = ServerOptions::default().under(&subvolume);
        let server = Server::start(flavor, options)?;
        let data = select(&rig, &server, &["--prefer-physical"])?;
        ensure!(data["filesystem"] == "btrfs", "{}", data["filesystem"]);
        let paths = data["environment"]["paths"].as_array().context("no paths")?;
        let device = paths[0]["device"].as_str().context("no device")?;
        ensure!(device.starts_with("/dev/loop"), "{paths:?}");
        let Some(found) = verdict(&data, "btrfs-snapshot") else { continue };
        ensure!(is_eligible(found), "{}: {found}", flavor.name());
        ensure!(data["snapshot"] == true);
        for more in [&["--snapshot-backend", "btrfs"][..], &[]] {
            let family = select(&rig, &server, &[&["--engine", "snapshot"], more].concat())?;
            ensure!(family["recommendation"]["engine"] == "btrfs-snapshot", "{family}");
        }
        for other in ["lvm-snapshot", "zfs-snapshot"] {
            ensure!(verdict(&data, other).is_none_or(|found| !is_eligible(found)), "{other}");
        }
    }
    Ok(())
}
