//! `--json`: one document on every command, on every outcome.
use crate::plugin_files::{PluginDirectory, rogue};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, SampleTables, Server, ServerOptions};
use serde_json::{Value, json};
use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path};

/// Runs with `--json` and checks the envelope.
fn document(rig: &Rig, arguments: &[&str], schema: &str, ok: bool) -> Result<Value> {
    let outcome = rig.dbbackup(arguments.to_vec()).arg("--json").run()?;
    let document = outcome.json()?;
    check(&document, schema, ok).with_context(|| outcome.to_string())?;
    Ok(document)
}

fn check(document: &Value, schema: &str, ok: bool) -> Result<()> {
    let object = document.as_object().context("no object")?;
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    ensure!(keys == ["schema", "ok", "data", "warnings", "error"], "the keys are {keys:?}");
    ensure!(document["schema"] == format!("dbbackup.{schema}/1"), "{document}");
    ensure!(document["ok"] == ok, "{document}");
    ensure!(document["warnings"].is_array());
    ensure!(document["error"].is_null() == ok);
    if !ok {
        for key in ["code", "message"] {
            ensure!(document["error"][key].is_string(), "no {key}: {document}");
        }
    }
    Ok(())
}

#[test]
fn of_commands_without_a_server() -> Result<()> {
    let rig = Rig::new()?;
    std::fs::create_dir(rig.path("empty"))?;
    document(&rig, &["version"], "version", true)?;
    document(&rig, &["completion", "bash"], "completion", true)?;
    document(&rig, &["list", "empty"], "list", true)?;
    document(&rig, &["status", "empty"], "status", false)?;
    document(&rig, &["info", "gone.sql"], "info", false)?;
    document(&rig, &["verify", "empty"], "verify", false)?;
    document(&rig, &["restore", "gone.sql", "--target-dir", "t"], "restore", false)?;
    document(&rig, &["cleanup"], "cleanup", true)?;
    let listed = document(&rig, &["engine", "list"], "engine-list", true)?;
    let engines = listed["data"]["engines"].as_array().context("no engines")?;
    ensure!(engines.iter().any(|engine| engine["id"] == "mysqldump"), "{listed}");
    let info = document(&rig, &["engine", "info", "mysqldump"], "engine-info", true)?;
    ensure!(info["data"]["engines"][0]["options_schema"].is_object());
    document(&rig, &["engine", "lock"], "engine-lock", true)?;
    document(&rig, &["engine", "disable", "mysqldump"], "engine-disable", true)?;
    document(&rig, &["engine", "list"], "engine-list", true)?;
    document(&rig, &["engine", "enable", "mysqldump"], "engine-enable", true)?;
    plugins_are_added(&rig)?;
    document(&rig, &["engine", "new", "acme"], "engine-new", true)?;
    document(&rig, &["engine", "new", "acme"], "engine-new", false)?;
    let away = ["--host", "127.0.0.1", "--port", "1"];
    document(&rig, &[&["engine", "select"], &away[..]].concat(), "engine-select", false)?;
    document(&rig, &[&["engine", "doctor"], &away[..]].concat(), "engine-doctor", false)?;
    document(&rig, &[&["doctor"], &away[..]].concat(), "doctor", false)?;
    document(&rig, &[&["physical-backup"], &away[..]].concat(), "physical-backup", false)?;
    document(&rig, &["engine", "remove", "mysqldump"], "engine-remove", true)?;
    document(&rig, &["engine", "nonsense"], "engine", false)?;
    document(&rig, &["nonsense"], "usage", false)?;
    Ok(())
}

/// What was installed, and then in place of what; a file that is none is refused with its code.
fn plugins_are_added(rig: &Rig) -> Result<()> {
    let directory = PluginDirectory::new()?;
    let into = directory.path().display().to_string();
    let add = |file: &str, ok| {
        document(rig, &["--plugin-dir", &into, "engine", "add", file], "engine-add", ok)
    };
    let well = rogue("well")?.display().to_string();
    for replaced in [Value::Null, Value::from("0.1.0")] {
        let added = add(&well, true)?;
        let data = &added["data"];
        ensure!(data["id"] == "well" && data["version"] == "0.1.0", "{added}");
        ensure!(data["engines"] == json!(["well"]), "{added}");
        let path = data["path"].as_str().context("no path")?;
        ensure!(Path::new(path).starts_with(directory.path()) && Path::new(path).is_file());
        ensure!(data["sha256"].as_str().is_some_and(|digest| digest.len() == 64), "{added}");
        ensure!(data["replaced"] == replaced, "{added}");
    }
    let refused = add(&rogue("no_plugin")?.display().to_string(), false)?;
    ensure!(refused["error"]["code"] == "E-PLUGIN-NOTE", "{refused}");
    Ok(())
}

#[test]
fn a_configuration_that_is_ignored_is_among_the_warnings() -> Result<()> {
    let rig = Rig::without_plugins()?;
    let file = rig.path("dbbackup.yaml");
    std::fs::write(&file, "plugins:\n  trust: dev\n")?;
    std::fs::set_permissions(&file, Permissions::from_mode(0o666))?;
    for command in ["version", "list"] {
        let document = document(&rig, &[command], command, true)?;
        ensure!(
            document["warnings"]
                == json!(["configuration file dbbackup.yaml is ignored: everybody can write it; \
                           --config takes it all the same"]),
            "{document}"
        );
    }
    Ok(())
}

#[test]
fn of_a_backup_and_its_progress() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    let arguments = [
        "physical-backup",
        "--engine",
        "mysqldump",
        "--output",
        "a.sql.gz",
        "--json",
        "--progress",
        "json",
    ];
    let outcome = rig.dbbackup_on(&server, arguments).run()?;
    let document = outcome.expect_success()?.json()?;
    check(&document, "physical-backup", true)?;
    ensure!(document["data"]["artefact"].as_str().is_some_and(|name| name.ends_with("a.sql.gz")));
    ensure!(document["data"]["coordinates"]["precision"] == "exact", "{document}");
    for line in outcome.stderr.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(event["event"].is_string() && event["time"].is_string(), "{event}");
    }
    ensure!(outcome.stderr.contains("\"event\":\"step\""), "no step was told: {outcome}");

    let doctor = rig.dbbackup_on(&server, ["doctor", "--json"]).run()?;
    check(&doctor.expect_success()?.json()?, "doctor", true)?;
    let listed = rig.dbbackup(["list", "--json"]).run()?.json()?;
    ensure!(
        listed["data"]["locations"][0]["backups"][0]["state"]["state"] == "complete",
        "{listed}"
    );
    let info = rig.dbbackup(["info", "a.sql.gz", "--json"]).run()?.json()?;
    ensure!(info["data"]["schema"] == "dbbackup.manifest/1");
    Ok(())
}
