//! `engine select`: the handbook's two blocks, the same facts as data, the same choice every time.
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{ADMIN_USER, AuthPlugin, Flavor, Rig, SampleTables, Server, ServerOptions};
use serde_json::Value;

const RULE: &str = "--------------------------------------------------";

/// The lines of the two blocks up to the colon, in the handbook's order.
const NAMES: [&str; 14] = [
    "Database Information",
    RULE,
    "Version",
    "Flavor",
    "Data Size",
    "Clone Plugin",
    "Binlog",
    "GTID",
    "Filesystem",
    "Snapshot",
    "Recommendation",
    RULE,
    "Engine",
    "Reason",
];

fn select(rig: &Rig, server: &Server, more: &[&str]) -> Result<String> {
    let outcome = rig.dbbackup_on(server, ["engine", "select"]).args(more.to_vec()).run()?;
    outcome.expect_success()?;
    Ok(outcome.stdout_text())
}

fn value<'t>(text: &'t str, name: &str) -> Result<&'t str> {
    let start = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(&start)).with_context(|| format!("no {name}"))
}

#[test]
fn the_two_blocks_of_the_handbook_on_mysql() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    // The sizes are statistics, which the server counts anew some seconds after a load of its own accord.
    server.sql("ANALYZE TABLE sbtest.sbtest1, sbtest.sbtest2, sbtest.sbtest3, sbtest.sbtest4")?;
    let text = select(&rig, &server, &[])?;
    let names: Vec<&str> =
        text.lines().map(|line| line.split(':').next().unwrap_or_default()).collect();
    ensure!(names == NAMES, "the blocks are {names:?}");
    let (version,): (String,) = server.row("SELECT VERSION()")?;
    ensure!(version.starts_with(value(&text, "Version")?));
    ensure!(value(&text, "Flavor")? == "MySQL");
    ensure!(value(&text, "Clone Plugin")? == "true");
    ensure!(value(&text, "Binlog")? == "true");
    ensure!(value(&text, "GTID")? == "true");
    ensure!(value(&text, "Filesystem")? != "unknown", "the data directory is local");
    ensure!(value(&text, "Engine")? == "mysqldump");
    ensure!(value(&text, "Reason")?.ends_with(" database"));
    let again = select(&rig, &server, &[])?;
    ensure!(again == text, "the same facts gave another choice:\n{text}\n{again}");

    let explained = select(&rig, &server, &["--explain"])?;
    ensure!(explained.starts_with(&text), "--explain changes the blocks:\n{text}\n{explained}");
    ensure!(explained.contains("mysqldump: 45 points\n  +45 logical, at most 10 GB of data\n"));
    Ok(())
}

#[test]
fn facts_as_data() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    let outcome = rig.dbbackup_on(&server, ["engine", "select", "--json"]).run()?;
    let document = outcome.expect_success()?.json()?;
    ensure!(document["schema"] == "dbbackup.engine-select/1");
    let facts = &document["data"]["environment"]["server"];
    let (uuid,): (String,) = server.row("SELECT @@server_uuid")?;
    ensure!(facts["uuid"] == uuid.as_str());
    ensure!(facts["data_bytes"].as_u64() > Some(0), "no data was seen: {facts}");
    let plugins = facts["plugins"].as_array().context("no plugins")?;
    ensure!(plugins.contains(&Value::from("clone")));
    let paths = document["data"]["environment"]["paths"].as_array().context("no paths")?;
    let data = paths.iter().find(|path| path["role"] == "data").context("no data path")?;
    ensure!(data["proven_local"] == true, "auto.cnf proves the data directory: {data}");
    ensure!(data["free_bytes"].as_u64() > Some(0));
    ensure!(document["data"]["recommendation"]["engine"] == "mysqldump");
    Ok(())
}

#[test]
fn mariadb_is_asked_what_it_knows() -> Result<()> {
    let rig = Rig::new()?;
    let options = ServerOptions::default().without_binlog();
    let server = Server::start(Flavor::Mariadb1011, options)?;
    let text = select(&rig, &server, &[])?;
    ensure!(value(&text, "Flavor")? == "MariaDB");
    ensure!(value(&text, "Clone Plugin")? == "false");
    ensure!(value(&text, "Binlog")? == "false");
    ensure!(value(&text, "GTID")? == "false");
    ensure!(value(&text, "Filesystem")? != "unknown", "the server holds its files open");
    ensure!(value(&text, "Engine")? == "mysqldump");
    Ok(())
}

#[test]
fn another_servers_directory_is_not_taken_for_local() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let cnf = server.datadir().join("auto.cnf");
    std::fs::write(cnf, "[auto]\nserver-uuid=00000000-0000-0000-0000-000000000001\n")?;
    ensure!(value(&select(&rig, &server, &[])?, "Filesystem")? == "unknown");
    Ok(())
}

#[test]
fn an_account_without_privileges_still_gets_facts() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let account =
        server.create_account("nobody", "secret", AuthPlugin::CachingSha2Password, &[])?;
    let port = server.port().to_string();
    let outcome = rig
        .dbbackup(["engine", "select", "--json", "--host", "127.0.0.1", "--port", &port])
        .args(["--user", &account.user])
        .env("MYSQL_PWD", account.password)
        .run()?;
    let document = outcome.json()?;
    let facts = &document["data"]["environment"]["server"];
    ensure!(facts["account"] == "nobody@%", "the facts are {facts}");
    ensure!(facts["privileges"].as_array().is_some_and(Vec::is_empty));
    Ok(())
}

#[test]
fn an_unknown_engine_has_a_nearest_name_and_one_of_our_own_is_said_to_be_missing() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let outcome = rig.dbbackup_on(&server, ["engine", "select", "--engine", "mysqldmup"]).run()?;
    outcome
        .expect_exit(4)?
        .expect_stderr("unknown engine 'mysqldmup'")?
        .expect_stderr("hint: did you mean 'mysqldump'?")?;
    let bare = Rig::without_plugins()?;
    let missing = bare.dbbackup(["engine", "info", "mysqldump"]).run()?;
    missing.expect_exit(4)?.expect_stderr("its plugin is in none of the plugin directories")?;
    let named = rig.dbbackup_on(&server, ["engine", "select", "--engine", "mysqldump"]).run()?;
    named.expect_success()?.expect_stdout("Reason: named; ")?;
    ensure!(!named.stdout_text().contains(ADMIN_USER));
    Ok(())
}

#[test]
fn an_output_of_sql_text_is_given_to_no_engine_that_copies_files() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    let files = select(&rig, &server, &["--prefer-physical", "--output", "x.tar.gz"])?;
    ensure!(value(&files, "Engine")? == "clone", "{files}");
    let text = select(&rig, &server, &["--prefer-physical", "--output", "x.sql.gz", "--explain"])?;
    ensure!(value(&text, "Engine")? == "mysqldump", "{text}");
    ensure!(text.contains("clone: not eligible: copies files, and the output holds SQL text"));

    let output = rig.path("x.sql.gz");
    let backup = |more: &[&str]| {
        let command = rig.dbbackup_on(&server, ["physical-backup"]).arg("--output").arg(&output);
        command.args(more.to_vec()).run()
    };
    backup(&["--engine", "clone"])?
        .expect_exit(2)?
        .expect_stderr("clone: copies files, and the output holds SQL text")?
        .expect_stderr("hint: end the output in .tar.gz, .tar.zst, .tar or / for files")?;
    ensure!(!output.exists());
    backup(&["--prefer-physical"])?.expect_success()?.expect_stdout("Engine: mysqldump")?;
    rig.dbbackup(["verify"]).arg(&output).run()?.expect_success()?;
    Ok(())
}
