//! Exit codes, case by case, each with what is said and which stable code the JSON document has.
//! 7 (no space), 8 (run lock), 9 (lock budget), 130 and 143 are tested where their faults are made:
//! `file_target`, `interrupted_backup`, `logical_faults`.
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{AuthPlugin, Flavor, Invocation, Rig, SampleTables, Server, ServerOptions};
use std::fs;

/// A command line, the exit code, the stable code, a part of the message.
type Case = (&'static [&'static str], i32, &'static str, &'static str);

const WITHOUT_SERVER: [Case; 20] = [
    (&["--nonsense"], 2, "E-USAGE", "unexpected argument '--nonsense'"),
    (&["physical-backup", "--port", "0"], 2, "E-USAGE", "invalid value '0'"),
    (&["physical-backup", "--max-lock", "5"], 2, "E-USAGE", "is no duration"),
    (&["physical-backup", "--limit-rate", "0"], 2, "E-USAGE", "a rate of 0 would never end"),
    (&["physical-backup", "--output", "-"], 2, "E-USAGE", "--output - needs --manifest FILE"),
    (&["physical-backup", "--output", "x.rar"], 2, "E-OUTPUT-NAME", "x.rar"),
    (&["physical-backup", "--output", "x.sql.age"], 2, "E-USAGE", "needs a key"),
    (
        &["physical-backup", "--output", "x/", "--encrypt-to", "age1"],
        2,
        "E-USAGE",
        "the output x/ is a directory, which --encrypt-to cannot encrypt",
    ),
    (
        &["physical-backup", "--output", "x/", "--format", "tar.gz"],
        2,
        "E-USAGE",
        "the output x/ is a directory, and --format tar.gz is of a file",
    ),
    (
        &["physical-backup", "--output", "x.tar.gz", "--format", "sql.zst"],
        2,
        "E-USAGE",
        "the output x.tar.gz and --format sql.zst say two things",
    ),
    (&["restore", "x.tar"], 2, "E-USAGE", "--target-dir DIR or --into-server"),
    (&["engine", "new", "Bad_Name"], 2, "E-ENGINE-NAME", "cannot be an engine's id"),
    (&["list", "--config", "gone.yaml"], 3, "E-CONFIG-READ", "read gone.yaml"),
    (&["list", "--config", "bad.yaml"], 3, "E-CONFIG-UNKNOWN-KEY", "bad.yaml:2: unknown key"),
    (
        &["engine", "select", "--host", "h", "--ssl-mode", "VERIFY_CA"],
        3,
        "E-CONFIG-VALUE",
        "needs the authorities to trust",
    ),
    (&["engine", "info", "nothing"], 4, "E-ENGINE-UNKNOWN", "unknown engine 'nothing'"),
    (&["engine", "remove", "nothing"], 4, "E-PLUGIN-UNKNOWN", "unknown plugin 'nothing'"),
    (
        &["engine", "select", "--host", "127.0.0.1", "--port", "1"],
        5,
        "E-SERVER-UNREACHABLE",
        "connect to 127.0.0.1:1: Connection refused",
    ),
    (&["list", "gone"], 6, "E-CATALOG", "look through gone"),
    (&["status"], 22, "E-STALE", "there is no backup"),
];

#[test]
fn without_a_server() -> Result<()> {
    let rig = Rig::without_plugins()?;
    fs::write(rig.path("bad.yaml"), "backup:\n  engin: auto\n")?;
    for case in WITHOUT_SERVER {
        expect(|| rig.dbbackup(case.0.iter().copied()), case)?;
    }
    Ok(())
}

/// Runs a case twice: as text, and with `--json`.
fn expect(invocation: impl Fn() -> Invocation, case: Case) -> Result<()> {
    let (arguments, exit, code, message) = case;
    let context = || format!("case {arguments:?}");
    let text = invocation().run()?;
    text.expect_exit(exit).with_context(context)?;
    text.expect_stderr(message).with_context(context)?;
    let has_error_line = text.stderr.contains("error: ") || text.stderr.contains("error[E-PLUGIN-");
    ensure!(has_error_line, "case {arguments:?}: no error line: {text}");

    let document = invocation().arg("--json").run()?;
    document.expect_exit(exit).with_context(context)?;
    let document = document.json().with_context(context)?;
    ensure!(document["ok"] == false, "case {arguments:?}: {document}");
    ensure!(document["error"]["code"] == code, "case {arguments:?}: {document}");
    let said = document["error"]["message"].as_str().unwrap_or_default();
    ensure!(said.contains(message), "case {arguments:?}: {document}");
    Ok(())
}

#[test]
fn of_a_refused_plugin() -> Result<()> {
    let rig = Rig::without_plugins()?;
    fs::write(rig.plugins_dir().join("libtext.so"), "not a library")?;
    let added = rig.dbbackup(["engine", "add", "libtext.so"]);
    fs::write(rig.path("libtext.so"), "not a library")?;
    added.run()?.expect_exit(24)?.expect_stderr("hint: ")?;
    let listed = rig.dbbackup(["engine", "list"]).run()?;
    listed.expect_success()?.expect_stdout("error[E-PLUGIN-FORMAT]")?.expect_stdout("fix:")?;
    Ok(())
}

#[test]
fn of_a_backups_life() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    let backup = |more: &[&str]| {
        let arguments = ["physical-backup", "--engine", "mysqldump"];
        rig.dbbackup_on(&server, arguments).args(more.to_vec())
    };
    backup(&["--output", "a.sql.gz"]).run()?.expect_success()?;
    let existing = backup(&["--output", "a.sql.gz"]).run()?;
    existing.expect_exit(23)?.expect_stderr("hint: ")?;
    backup(&["--output", "a.sql.gz", "--force"]).run()?.expect_success()?;
    backup(&["--output", "no/such/dir/a.sql.gz"]).run()?.expect_exit(6)?;
    backup(&["--output", "-", "--no-manifest", "--format", "sql"]).run()?.expect_exit(10)?;
    backup(&["--output", "t.sql", "--timeout", "1ms"]).run()?.expect_exit(124)?;
    ensure!(!rig.path("t.sql").exists(), "a run out of time left its output");
    let options = backup(&["--output", "o.sql", "--engine-option", "databses=x"]).run()?;
    options.expect_exit(3)?.expect_stderr("unknown option 'databses'")?;

    rig.dbbackup(["verify", "a.sql.gz"]).run()?.expect_success()?;
    rig.dbbackup(["status", ".", "--max-age", "26h"]).run()?.expect_success()?;
    rig.dbbackup(["status", ".", "--max-age", "0"]).run()?.expect_exit(22)?;
    let mut bytes = fs::read(rig.path("a.sql.gz"))?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(rig.path("a.sql.gz"), bytes)?;
    rig.dbbackup(["verify", "a.sql.gz"]).run()?.expect_exit(20)?.expect_stdout("BAD: ")?;
    rig.dbbackup(["verify", "."]).run()?.expect_exit(20)?;
    Ok(())
}

#[test]
fn of_accounts() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    SampleTables::small().load(&server)?;
    let denied = rig.dbbackup_on(&server, ["engine", "select"]).env("MYSQL_PWD", "wrong").run()?;
    denied.expect_exit(5)?.expect_stderr("Access denied")?.expect_stderr("hint: check --user")?;
    ensure!(!denied.stderr.contains("wrong"), "the password was printed: {denied}");

    let port = server.port().to_string();
    let poor =
        server.create_account("poor", "pw", AuthPlugin::CachingSha2Password, &["USAGE ON *.*"])?;
    let outcome = rig
        .dbbackup(["physical-backup", "--engine", "mysqldump", "--output", "p.sql"])
        .args(["--host", "127.0.0.1", "--port", &port, "--user", &poor.user])
        .env("MYSQL_PWD", poor.password)
        .run()?;
    outcome.expect_exit(4)?.expect_stderr("GRANT ")?;
    ensure!(!rig.path("p.sql").exists());
    Ok(())
}
