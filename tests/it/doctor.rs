//! `engine doctor`: the statements that mend what it finds, and a server that is as it was before.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Invocation, Rig, Server, ServerOptions};
use serde_json::Value;

const USER: &str = "careful";
const PASSWORD: &str = "x";

/// An account that may look and dump, but neither clone nor administer.
fn prepare(server: &Server) -> Result<()> {
    server.sql(&format!("CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'"))?;
    let monitor = if server.flavor().is_mariadb() { "SLAVE MONITOR" } else { "REPLICATION CLIENT" };
    server.sql(&format!("GRANT SELECT, RELOAD, PROCESS, {monitor} ON *.* TO {USER}@'%'"))
}

fn as_careful(rig: &Rig, server: &Server, command: &[&str]) -> Invocation {
    let port = server.port().to_string();
    let connection = ["--host", "127.0.0.1", "--port", &port, "--user", USER];
    rig.dbbackup([command, &connection].concat()).env("MYSQL_PWD", PASSWORD)
}

/// Everything of a server that a doctor could have changed.
fn state(server: &Server) -> Result<Vec<String>> {
    let mut state = Vec::new();
    for query in [
        "SHOW GLOBAL VARIABLES",
        "SELECT PLUGIN_NAME, PLUGIN_STATUS FROM information_schema.PLUGINS ORDER BY 1",
        "SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES ORDER BY 1, 2",
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES ORDER BY 1, 2",
    ] {
        let rows: Vec<(String, Option<String>)> = server.rows(query)?;
        state.extend(rows.into_iter().map(|(name, value)| format!("{query}: {name} = {value:?}")));
    }
    Ok(state)
}

/// The remedies that are statements for the server.
fn statements(document: &Value) -> Result<Vec<String>> {
    let findings = document["data"]["findings"].as_array().context("no findings")?;
    let sql = findings.iter().filter(|finding| finding["remedy"]["kind"] == "sql");
    let texts = sql.filter_map(|finding| finding["remedy"]["text"].as_str());
    Ok(texts.map(str::to_owned).collect())
}

#[test]
fn it_prints_what_mends_and_changes_nothing() -> Result<()> {
    let rig = Rig::new()?;
    let options =
        ServerOptions::default().arg("--gtid-mode=OFF").arg("--enforce-gtid-consistency=OFF");
    let server = Server::start(Flavor::Mysql97, options)?;
    server.sql("UNINSTALL PLUGIN clone")?;
    prepare(&server)?;
    let before = state(&server)?;
    let doctor = as_careful(&rig, &server, &["engine", "doctor"]).run()?;
    as_careful(&rig, &server, &["doctor"]).run()?.expect_exit(doctor.code().unwrap_or(-1))?;
    as_careful(&rig, &server, &["engine", "select", "--explain"]).run()?.expect_success()?;
    let document = as_careful(&rig, &server, &["engine", "doctor", "--json"]).run()?.json()?;
    let after = state(&server)?;
    let changed: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    ensure!(before.len() == after.len() && changed.is_empty(), "it changed {changed:?}");

    let gtid = "SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = OFF_PERMISSIVE; \
                SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON;";
    doctor
        .expect_success()?
        .expect_stdout("warning: binlog: GTIDs are not enabled (gtid_mode is OFF)\n")?
        .expect_stdout(&format!("  mend: {gtid}\n"))?
        .expect_stdout("engine mysqldump")?;
    if doctor.stdout_text().contains("engine clone") {
        doctor
            .expect_stdout("  mend: INSTALL PLUGIN clone SONAME 'mysql_clone.so';\n")?
            .expect_stdout(&format!("  mend: GRANT BACKUP_ADMIN ON *.* TO '{USER}'@'%';\n"))?;
    }

    // The statements are right: run as they are, they leave nothing to mend.
    for statement in statements(&document)? {
        server.sql(&statement).with_context(|| statement.clone())?;
    }
    let (mode,): (String,) = server.row("SELECT @@gtid_mode")?;
    ensure!(mode == "ON", "gtid_mode is {mode}");
    let document = as_careful(&rig, &server, &["engine", "doctor", "--json"]).run()?.json()?;
    ensure!(statements(&document)?.is_empty(), "statements are left: {document}");
    Ok(())
}

#[test]
fn half_way_to_gtids_the_rest_of_the_way_is_shown() -> Result<()> {
    let rig = Rig::new()?;
    let options = ServerOptions::default().arg("--gtid-mode=ON_PERMISSIVE");
    let server = Server::start(Flavor::Mysql97, options)?;
    prepare(&server)?;
    as_careful(&rig, &server, &["doctor"])
        .run()?
        .expect_success()?
        .expect_stdout("(gtid_mode is ON_PERMISSIVE)\n  mend: SET GLOBAL gtid_mode = ON;\n")?;
    Ok(())
}

#[test]
fn servers_without_a_binlog_or_with_an_old_one_get_advice() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default().without_binlog())?;
    prepare(&server)?;
    let before = state(&server)?;
    as_careful(&rig, &server, &["engine", "doctor"])
        .run()?
        .expect_success()?
        .expect_stdout("warning: binlog: the binary log is off")?
        .expect_stdout("  mend: set log_bin and server_id in the server's configuration")?;
    ensure!(state(&server)? == before, "the server changed");

    let options = ServerOptions::default().arg("--gtid-mode=OFF");
    let server = Server::start(Flavor::Mysql56, options.arg("--skip-enforce-gtid-consistency"))?;
    prepare(&server)?;
    let doctor = as_careful(&rig, &server, &["engine", "doctor"]).run()?;
    doctor.expect_stdout("  mend: set gtid_mode = ON, enforce_gtid_consistency")?;
    ensure!(!doctor.stdout_text().contains("SET GLOBAL gtid_mode"), "{doctor}");
    Ok(())
}

/// Doctor and selection see the handbook's keys of an engine, as a backup does.
#[test]
fn the_directory_for_clones_of_the_configuration_is_known() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let engine = "engines:\n  clone:\n    method: recipient\n    donor_host: 127.0.0.1\n";
    let directory = "backup:\n  clone:\n    data_dir: /clones\n";
    let lacking = "method recipient needs data_dir";
    for (file, is_lacking) in [(engine.to_owned(), true), (format!("{directory}{engine}"), false)] {
        std::fs::write(rig.path("dbbackup.yaml"), file)?;
        for words in [&["engine", "select", "--explain"][..], &["engine", "doctor"]] {
            let said = rig.dbbackup_on(&server, words.to_vec()).run()?;
            ensure!(said.stdout_text().contains("clone"), "{said}");
            ensure!(said.stdout_text().contains(lacking) == is_lacking, "{said}");
        }
    }
    Ok(())
}
