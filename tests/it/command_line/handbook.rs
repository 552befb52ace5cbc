//! Command lines of the handbook, verbatim but for the place of `/backups`, with the connection in
//! the user's option file as it would be.
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, SampleTables, Server, ServerOptions};
use std::fs;

#[test]
fn the_quick_start() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    fs::copy(server.defaults_file()?, rig.home().join(".my.cnf"))?;
    // A port in the option file decides for TCP, as host and account are there too.
    let backups = rig.path("backups");
    fs::create_dir(&backups)?;
    let place = backups.join("db.tar.gz");
    let place = place.to_str().context("a path that is no text")?;
    rig.dbbackup(["engine", "list"]).run()?.expect_success()?.expect_stdout("mysqldump")?;
    rig.dbbackup(["engine", "select"])
        .run()?
        .expect_success()?
        .expect_stdout("Engine: mysqldump")?;
    rig.dbbackup(["physical-backup", "--output", place]).run()?.expect_success()?;
    let dump = ["physical-backup", "--engine", "mysqldump", "--output", "backup.sql.gz"];
    rig.dbbackup(dump).run()?.expect_success()?;
    rig.dbbackup(["verify"]).run()?.expect_success()?.expect_stdout("backup.sql.gz")?;
    rig.dbbackup(["status"]).run()?.expect_success()?.expect_stdout("Status: fresh")?;
    Ok(())
}

#[test]
fn without_output_a_name_is_made_and_printed() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    fs::create_dir(rig.path("there"))?;
    fs::write(rig.path("dbbackup.yaml"), "backup:\n  output_dir: there\n")?;
    let outcome = rig.dbbackup_on(&server, ["physical-backup"]).run()?;
    outcome.expect_success()?.expect_stdout("there/127.0.0.1-")?.expect_stdout(".tar.gz\n")?;
    rig.dbbackup(["verify"]).run()?.expect_success()?.expect_stdout("good: there/127.0.0.1-")?;
    let listed = rig.dbbackup(["list"]).run()?;
    listed.expect_success()?.expect_stdout("complete")?;
    ensure!(listed.stdout_text().lines().count() == 2, "one backup is expected: {listed}");
    Ok(())
}
