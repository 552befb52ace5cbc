//! Rogue plugins under the whole program: whatever a plugin does to its process, the supervisor
//! ends with its own clear error and exit code 24, and leaves nothing behind.
use crate::plugin_files::rogue;
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, Server, ServerOptions};
use serde_json::Value;
use std::{fs, time::Duration};

fn rig_with(names: &[&str]) -> Result<Rig> {
    let rig = Rig::without_plugins()?;
    for name in names {
        rig.add_plugin(&rogue(name)?)?;
    }
    Ok(rig)
}

#[test]
fn a_listing_shows_every_refused_file_and_the_good_one() -> Result<()> {
    let rig = rig_with(&["well", "no_plugin", "not_abi_stable", "claims_binlog"])?;
    fs::write(rig.plugins_dir().join("text.so"), "no library")?;
    let whole = fs::read(rogue("well_two")?)?;
    fs::write(rig.plugins_dir().join("cut.so"), &whole[..whole.len() / 2])?;
    let outcome = rig.dbbackup(["engine", "list", "--json"]).run()?;
    outcome.expect_success()?;
    let document = outcome.json()?;
    let engines = document["data"]["engines"].as_array().context("no engines")?;
    assert_eq!(engines.len(), 1, "{document}");
    assert_eq!(engines[0]["id"], "well");
    let refused = document["data"]["refused"].as_array().context("no refusals")?;
    let mut codes: Vec<_> = refused.iter().filter_map(|r| r["code"].as_str()).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "E-PLUGIN-FORMAT",
            "E-PLUGIN-LAYOUT",
            "E-PLUGIN-NOTE",
            "E-PLUGIN-SHADOWED",
            "E-PLUGIN-TRUNCATED"
        ]
    );
    for refusal in refused {
        assert!(refusal["mend"].as_str().is_some_and(|mend| !mend.is_empty()), "{refusal}");
    }
    rig.dbbackup(["engine", "list"]).run()?.expect_success()?.expect_stdout("fix:  ")?;
    rig.dbbackup(["engine", "info", "well"]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn a_plugin_that_fails_its_probe_is_not_installed() -> Result<()> {
    let rig = rig_with(&[])?;
    let directory = rig.path("plugins");
    let directory = directory.to_string_lossy();
    for (name, said) in [
        ("constructor_aborts", "E-PLUGIN-CRASHED"),
        ("foreign_root", "E-PLUGIN-LAYOUT"),
        ("other_manifest", "E-PLUGIN-NOTE"),
        ("init_fails", "E-PLUGIN-INIT"),
        ("no_plugin", "E-PLUGIN-NOTE"),
    ] {
        let file = rogue(name)?.to_string_lossy().into_owned();
        let outcome = rig.dbbackup(["--plugin-dir", &*directory, "engine", "add", &file]).run()?;
        outcome.expect_exit(24)?.expect_stderr(said)?;
        let left = fs::read_dir(&*directory)?.count();
        ensure!(left == 0, "{left} files are left of {name}");
    }
    let well = rogue("well")?.to_string_lossy().into_owned();
    let add = || rig.dbbackup(["--plugin-dir", &*directory, "engine", "add", &well]).run();
    add()?.expect_success()?;
    add()?.expect_success()?;
    let list = rig.dbbackup(["--plugin-dir", &*directory, "engine", "list", "--json"]).run()?;
    let document = list.json()?;
    assert_eq!(document["data"]["plugins"][0]["lock"], "locked", "{document}");
    Ok(())
}

#[test]
fn engine_test_reports_a_line_a_check_and_its_own_exit_code() -> Result<()> {
    let rig = rig_with(&[])?;
    let well = rogue("well")?.to_string_lossy().into_owned();
    let outcome = rig.dbbackup(["engine", "test", &well]).run()?;
    outcome.expect_success()?.expect_stdout("passed, 0 failed, 0 not run")?;
    let misdeeds = rogue("misdeeds")?.to_string_lossy().into_owned();
    let options = r#"{"misdeed": "segfault", "place": "assess"}"#;
    let arguments =
        ["engine", "test", &misdeeds, "--options", options, "--only", "assess", "--json"];
    let outcome = rig.dbbackup(arguments).run()?;
    let document: Value = outcome.expect_exit(24)?.json()?;
    assert_eq!(document["ok"], false);
    let outcomes = document["data"]["outcomes"].as_array().context("no outcomes")?;
    let assess = outcomes.iter().find(|outcome| outcome["check"] == "assess");
    assert_eq!(assess.context("no assess")?["verdict"], "failed");
    Ok(())
}

#[test]
fn a_rogue_engine_ends_its_worker_and_never_the_supervisor() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let rig = rig_with(&["misdeeds", "well"])?;
    for (misdeed, place, exit, said) in [
        ("panic", "backup", 24, "a rogue panic"),
        ("panic", "drop", 24, "E-PLUGIN-CRASHED"),
        ("abort", "backup", 24, "E-PLUGIN-CRASHED"),
        ("segfault", "backup", 24, "E-PLUGIN-CRASHED"),
        ("exit", "backup", 24, "E-PLUGIN-CRASHED"),
        ("abort", "create", 24, "E-PLUGIN-CRASHED"),
        ("hang", "backup", 124, "E-PLUGIN-STALLED"),
    ] {
        let (misdeed, place) = (format!("misdeed={misdeed}"), format!("place={place}"));
        let outcome = rig
            .dbbackup_on(&server, ["physical-backup", "--engine", "misdeeds"])
            .args(["--output", "rogue.tar", "--stall-timeout", "3s"])
            .args(["--engine-option", &misdeed, "--engine-option", &place])
            .deadline(Duration::from_secs(60))
            .run()?;
        outcome
            .expect_exit(exit)
            .and_then(|outcome| outcome.expect_stderr(said))
            .with_context(|| format!("{misdeed} {place}"))?;
        let left: Vec<_> = fs::read_dir(rig.work_dir())?.collect();
        ensure!(left.is_empty(), "{misdeed} {place} left {left:?}");
    }
    // The same flow with an engine that behaves, so that the refusals above mean something.
    rig.dbbackup_on(&server, ["physical-backup", "--engine", "well", "--output", "well.tar"])
        .run()?
        .expect_success()?;
    Ok(())
}
