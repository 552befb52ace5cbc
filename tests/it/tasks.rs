//! The tasks of `cargo xtask` that the README sends its readers to.
use crate::plugin_files::PluginDirectory;
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{Product, workspace_root};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs a task with what this run of the tests has built.
fn xtask(arguments: &[&str]) -> Result<Output> {
    let program = Product::built()?.binary.with_file_name("xtask");
    Command::new(&program)
        .args(arguments)
        .output()
        .with_context(|| format!("start {}", program.display()))
}

fn succeeded(output: Output) -> Result<String> {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    Ok(stdout)
}

/// The plugins that the `dbbackup` of a prefix lists, with nothing of this machine around it.
fn plugins_of(prefix: &Path) -> Result<Vec<Value>> {
    let output = Command::new(prefix.join("bin/dbbackup"))
        .args(["engine", "list", "--json"])
        .env_clear()
        .env("HOME", prefix)
        .env("DBBACKUP_STATE_DIR", prefix.join("state"))
        .current_dir(prefix)
        .output()?;
    let list: Value = serde_json::from_str(&succeeded(output)?)?;
    list["data"]["plugins"].as_array().cloned().with_context(|| list.to_string())
}

#[test]
fn an_installation_can_be_moved_with_its_engines_and_its_lock() -> Result<()> {
    let scratch = PluginDirectory::new()?;
    let (made, moved) = (scratch.path().join("made"), scratch.path().join("moved"));
    let prefix = made.to_str().context("a path in UTF-8")?;
    succeeded(xtask(&["dist", "--profile", "dev", "--prefix", prefix])?)?;
    succeeded(Command::new("mv").args([&made, &moved]).output()?)?;

    let listed = plugins_of(&moved)?;
    let mut names: Vec<_> = listed.iter().filter_map(|plugin| plugin["id"].as_str()).collect();
    names.sort_unstable();
    ensure!(names == engines_of_the_checkout()?, "{names:?} are listed");
    for plugin in &listed {
        let path = plugin["file"].as_str().context("a file")?;
        ensure!(Path::new(path).starts_with(&moved), "{path} is not below {}", moved.display());
        ensure!(plugin["lock"] == "locked", "{plugin}");
    }

    // The lock that came along is the one that counts: a file that it does not fit is refused.
    let changed = moved.join("lib/dbbackup/plugins/libdbbackup_clone.so");
    let mut content = fs::read(&changed)?;
    *content.last_mut().context("an empty plugin")? ^= 1;
    fs::write(&changed, content)?;
    let refused: Vec<_> =
        plugins_of(&moved)?.into_iter().filter(|plugin| !plugin["refusal"].is_null()).collect();
    let [refused] = refused.as_slice() else { anyhow::bail!("refused are {refused:?}") };
    ensure!(refused["refusal"]["code"] == "E-PLUGIN-HASH", "{refused}");
    Ok(())
}

/// Each folder of `plugins/` holds one engine of its name.
fn engines_of_the_checkout() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace_root()?.join("plugins"))? {
        let entry = entry?;
        if entry.path().join("plugin.json").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[test]
fn the_demonstration_ends_with_a_backup_that_came_back() -> Result<()> {
    let said = succeeded(xtask(&["demo", "--rows", "1000"])?)?;
    for line in ["$ dbbackup engine list", "== it came back", "ledger and counters agree"] {
        ensure!(said.contains(line), "no {line:?} in {said}");
    }
    Ok(())
}
