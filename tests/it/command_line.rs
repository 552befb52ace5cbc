//! The command line as a contract: help texts, exit codes, JSON documents, and what is never said.
//!
//! `command_line/help.txt` holds the help of every command. After a wished change, the failing test
//! leaves the new text in the file that it names, to be looked at and put in place.
mod documents;
mod exit_codes;
mod handbook;

use anyhow::{Result, ensure};
use dbbackup_testkit::Rig;

/// Every command, in the order of the golden file.
const COMMANDS: [&[&str]; 24] = [
    &[],
    &["physical-backup"],
    &["stream-backup"],
    &["restore"],
    &["verify"],
    &["list"],
    &["info"],
    &["status"],
    &["cleanup"],
    &["engine"],
    &["engine", "list"],
    &["engine", "info"],
    &["engine", "select"],
    &["engine", "doctor"],
    &["engine", "add"],
    &["engine", "remove"],
    &["engine", "enable"],
    &["engine", "disable"],
    &["engine", "lock"],
    &["engine", "new"],
    &["engine", "test"],
    &["doctor"],
    &["completion"],
    &["version"],
];

#[test]
fn help_texts_are_golden() -> Result<()> {
    let rig = Rig::without_plugins()?;
    let mut found = String::new();
    for command in COMMANDS {
        let outcome = rig.dbbackup(command.iter().copied()).arg("--help").run()?;
        outcome.expect_success()?;
        ensure!(outcome.stderr.is_empty(), "help belongs on stdout: {outcome}");
        let name = [&["dbbackup"], command].concat().join(" ");
        found.push_str(&format!("===== {name} --help\n{}\n", outcome.stdout_text()));
    }
    let golden = include_str!("command_line/help.txt");
    if found != golden {
        let place = std::env::temp_dir().join("dbbackup-help.txt");
        std::fs::write(&place, &found)?;
        let differing = found.lines().zip(golden.lines()).find(|(new, old)| new != old);
        anyhow::bail!("the help changed, first at {differing:?}; new text: {}", place.display());
    }
    Ok(())
}

#[test]
fn a_password_in_an_argument_is_refused_and_not_repeated() -> Result<()> {
    let rig = Rig::without_plugins()?;
    for argument in ["--password=hunter2", "-phunter2", "--password"] {
        for json in [&[][..], &["--json"]] {
            let outcome = rig.dbbackup(["physical-backup", argument]).args(json.to_vec()).run()?;
            outcome.expect_exit(2)?;
            let said = format!("{}{}", outcome.stderr, outcome.stdout_text());
            ensure!(!said.contains("hunter2"), "the password was repeated: {said}");
            ensure!(said.contains("--password-file"), "no way out was shown: {said}");
        }
    }
    Ok(())
}

#[test]
fn completion_scripts_know_the_commands() -> Result<()> {
    let rig = Rig::without_plugins()?;
    for shell in ["bash", "zsh", "fish"] {
        let outcome = rig.dbbackup(["completion", shell]).run()?;
        outcome.expect_success()?.expect_stdout("physical-backup")?;
        ensure!(!outcome.stdout_text().contains("conformance-check"));
    }
    Ok(())
}

#[test]
fn the_worker_command_says_what_it_is_for() -> Result<()> {
    let rig = Rig::without_plugins()?;
    let outcome = rig.dbbackup(["worker"]).run()?;
    ensure!(outcome.code() != Some(0), "a worker without a supervisor ran: {outcome}");
    ensure!(outcome.stderr.starts_with("error: worker: "), "it said {outcome}");
    Ok(())
}
