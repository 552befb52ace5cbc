//! The host as a library: the example of the handbook's "Programmatic Backup", run on a real server.
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, Flavor, Rig, SampleTables, Server, ServerOptions, build_examples,
};
use std::process::Command;

#[test]
fn the_example_selects_backs_up_and_reports() -> Result<()> {
    let examples = build_examples()?;
    let example = examples
        .iter()
        .find(|path| path.file_name().is_some_and(|name| name == "programmatic_backup"))
        .context("the example was not built")?;
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;

    let output = rig.path("library.sql.gz");
    let plugin = rig.plugins_dir().join("libdbbackup_mysqldump.so");
    let run = Command::new(example)
        .arg(rig.binary())
        .arg(plugin)
        .args(["127.0.0.1", &server.port().to_string(), ADMIN_USER])
        .arg(&output)
        .env("MYSQL_PWD", ADMIN_PASSWORD)
        .env("DBBACKUP_STATE_DIR", rig.state_dir().join("library"))
        .output()
        .context("run the example")?;
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    ensure!(run.status.success(), "the example ended with {}: {said}", run.status);
    ensure!(said.starts_with("mysqldump ("), "the example said {said:?}");
    ensure!(said.contains("optimal for"), "the choice has no reason: {said:?}");

    rig.dbbackup(["verify"]).arg(&output).run()?.expect_success()?;
    Ok(())
}
