//! The load matrix: every kind of bad plugin file is refused with its own code, none of them stops
//! the others, and a plugin that misbehaves after loading ends its own process and nothing else.
use crate::plugin_files::{PluginDirectory, code_of, patched, program, rogue};
use anyhow::{Context, Result};
use dbbackup::{
    conformance::{CheckOutcome, Kit, Verdict},
    plugin::{self, AddRequest, PluginSettings, Registry, Sha256, TrustPolicy},
};
use dbbackup_plugin_api::host::silent_host;
use dbbackup_testkit::is_root;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

#[test]
fn a_truncated_library_is_refused_wherever_it_was_cut() -> Result<()> {
    let directory = PluginDirectory::with(&["well"])?;
    let whole = fs::read(rogue("well_two")?)?;
    for (number, part) in [0.001, 0.05, 0.2, 0.4, 0.6, 0.8, 0.999].into_iter().enumerate() {
        let length = (whole.len() as f64 * part) as usize;
        let file = format!("cut{number}.so");
        directory.write(&file, &whole[..length])?;
        assert_eq!(directory.code_of(&file), "E-PLUGIN-TRUNCATED", "cut at {part}");
    }
    assert_eq!(directory.code_of("libwell.so"), "usable");
    Ok(())
}

#[test]
fn what_is_no_plugin_is_refused_by_what_it_is() -> Result<()> {
    let directory = PluginDirectory::with(&["well", "no_plugin", "not_abi_stable"])?;
    directory.write("text.so", b"I am a text.\n")?;
    directory.write("empty.so", b"")?;
    directory.write("start.so", b"\x7fELF\x02\x01")?;
    fs::create_dir(directory.path().join("directory.so"))?;
    assert_eq!(directory.code_of("text.so"), "E-PLUGIN-FORMAT");
    assert_eq!(directory.code_of("empty.so"), "E-PLUGIN-FORMAT");
    assert_eq!(directory.code_of("start.so"), "E-PLUGIN-TRUNCATED");
    assert_eq!(directory.code_of("directory.so"), "E-PLUGIN-FORMAT");
    assert_eq!(directory.code_of("libno_plugin.so"), "E-PLUGIN-NOTE");
    assert_eq!(directory.code_of("libnot_abi_stable.so"), "E-PLUGIN-LAYOUT");
    assert_eq!(directory.code_of("libwell.so"), "usable");
    Ok(())
}

#[test]
fn another_machine_or_a_newer_glibc_is_refused() -> Result<()> {
    let directory = PluginDirectory::new()?;
    let mut other_machine = fs::read(rogue("well")?)?;
    other_machine[18] = 243; // RISC-V
    directory.write("riscv.so", &other_machine)?;
    let mut narrow = fs::read(rogue("well")?)?;
    narrow[4] = 1; // 32 bit
    directory.write("narrow.so", &narrow)?;
    let newer = patched(&fs::read(rogue("well")?)?, b"GLIBC_2.28\0", b"GLIBC_9.28\0")?;
    directory.write("newer.so", &newer)?;
    assert_eq!(directory.code_of("riscv.so"), "E-PLUGIN-ARCH");
    assert_eq!(directory.code_of("narrow.so"), "E-PLUGIN-ARCH");
    assert_eq!(directory.code_of("newer.so"), "E-PLUGIN-GLIBC");
    Ok(())
}

#[test]
fn a_malformed_note_is_refused_and_never_printed_raw() -> Result<()> {
    let directory = PluginDirectory::new()?;
    let well = fs::read(rogue("well")?)?;
    directory.write("id.so", &patched(&well, br#""id": "well""#, br#""id": "We/l""#)?)?;
    directory.write("json.so", &patched(&well, br#""id": "well""#, br#""id": "well!"#)?)?;
    directory.write("schema.so", &patched(&well, b"dbbackup.plugin/1", b"dbbackup.plugin/9")?)?;
    for file in ["id.so", "json.so", "schema.so"] {
        assert_eq!(directory.code_of(file), "E-PLUGIN-NOTE", "{file}");
    }
    Ok(())
}

#[test]
fn an_overwritten_library_is_refused_by_its_lock_entry_alone() -> Result<()> {
    let directory = PluginDirectory::with(&["well"])?;
    let file = directory.path().join("libwell.so");
    plugin::lock(&directory.discover(), &[])?;
    assert_eq!(directory.code_of("libwell.so"), "usable");
    let mut content = fs::read(&file)?;
    let middle = content.len() / 2;
    content[middle..middle + 8].fill(0xcc);
    fs::write(&file, &content)?;
    let registry = directory.discover();
    assert_eq!(code_of(&registry, &file), "E-PLUGIN-HASH");
    let refused = registry.load("well", silent_host(), Value::Null);
    assert!(refused.is_err_and(|error| error.is_refusal()));
    plugin::lock(&registry, &["well".to_owned()])?;
    assert_eq!(directory.code_of("libwell.so"), "usable");
    Ok(())
}

#[test]
fn loading_hashes_even_what_a_listing_takes_for_unchanged() -> Result<()> {
    let directory = PluginDirectory::with(&["well"])?;
    let file = directory.path().join("libwell.so");
    plugin::lock(&directory.discover(), &[])?;
    let modified = fs::metadata(&file)?.modified()?;
    let mut content = fs::read(&file)?;
    let middle = content.len() / 2;
    content[middle..middle + 8].fill(0xcc);
    fs::write(&file, &content)?;
    fs::File::options().write(true).open(&file)?.set_modified(modified)?;
    let registry = directory.discover();
    assert_eq!(code_of(&registry, &file), "usable", "size, time and inode are the same");
    let error = registry.load("well", silent_host(), Value::Null).err().context("loaded")?;
    assert!(error.to_string().contains("sha256"), "{error}");
    Ok(())
}

#[test]
fn the_first_of_two_with_one_id_wins_and_the_other_is_listed() -> Result<()> {
    let first = PluginDirectory::with(&["well"])?;
    first.install("well", "twin.so")?;
    let second = PluginDirectory::with(&["well", "well_two"])?;
    let settings = PluginSettings::only([first.path().to_owned(), second.path().to_owned()]);
    let registry = Registry::discover(&settings);
    assert_eq!(code_of(&registry, &first.path().join("libwell.so")), "usable");
    assert_eq!(code_of(&registry, &first.path().join("twin.so")), "E-PLUGIN-DUPLICATE");
    assert_eq!(code_of(&registry, &second.path().join("libwell.so")), "E-PLUGIN-SHADOWED");
    assert_eq!(code_of(&registry, &second.path().join("libwell_two.so")), "usable");
    Ok(())
}

#[test]
fn a_first_party_id_is_not_for_third_parties() -> Result<()> {
    let directory = PluginDirectory::with(&["claims_binlog"])?;
    assert_eq!(directory.code_of("libclaims_binlog.so"), "E-PLUGIN-SHADOWED");
    let settings = PluginSettings { allow_shadowing: true, ..directory.settings() };
    let registry = Registry::discover(&settings);
    assert!(registry.engine("binlog").is_ok());
    let safe = PluginSettings { safe_mode: true, ..settings };
    let registry = Registry::discover(&safe);
    assert_eq!(
        code_of(&registry, &directory.path().join("libclaims_binlog.so")),
        "E-PLUGIN-SAFE-MODE"
    );
    Ok(())
}

#[test]
fn a_file_that_others_can_change_is_refused_with_the_exact_mend() -> Result<()> {
    let directory = PluginDirectory::with(&["well", "well_two"])?;
    let file = directory.path().join("libwell.so");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
    let registry = directory.discover();
    assert_eq!(code_of(&registry, &file), "E-PLUGIN-PERM");
    let refusal = registry.plugin("well").and_then(|p| p.refusal.clone()).context("refused")?;
    assert_eq!(refusal.mend(), format!("chmod go-w {}", file.display()));
    assert_eq!(code_of(&registry, &directory.path().join("libwell_two.so")), "usable");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    std::os::unix::fs::symlink(&file, directory.path().join("link.so"))?;
    assert_eq!(directory.code_of("link.so"), "E-PLUGIN-PERM");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))?;
    assert_eq!(directory.code_of("libwell.so"), "E-PLUGIN-PERM");
    let dev = PluginSettings { trust: TrustPolicy::Dev, ..directory.settings() };
    assert_eq!(code_of(&Registry::discover(&dev), &file), "usable");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[test]
fn a_file_of_another_user_is_refused() -> Result<()> {
    if !is_root() {
        dbbackup_testkit::skip!("only root can give a file to another user");
    }
    let directory = PluginDirectory::with(&["well"])?;
    let file = directory.path().join("libwell.so");
    std::os::unix::fs::chown(&file, Some(12345), None)?;
    let registry = directory.discover();
    assert_eq!(code_of(&registry, &file), "E-PLUGIN-PERM");
    let refusal = registry.plugin("well").and_then(|p| p.refusal.clone()).context("refused")?;
    assert_eq!(refusal.mend(), format!("chown root {}", file.display()));
    Ok(())
}

#[test]
fn the_locked_policy_lets_in_what_the_lock_file_names() -> Result<()> {
    let directory = PluginDirectory::with(&["well", "well_two"])?;
    let locked = PluginSettings { trust: TrustPolicy::Locked, ..directory.settings() };
    let file = directory.path().join("libwell.so");
    assert_eq!(code_of(&Registry::discover(&locked), &file), "E-PLUGIN-UNTRUSTED");
    plugin::lock(&Registry::discover(&locked), &["well".to_owned()])?;
    let registry = Registry::discover(&locked);
    assert_eq!(code_of(&registry, &file), "usable");
    let other = directory.path().join("libwell_two.so");
    assert_eq!(code_of(&registry, &other), "E-PLUGIN-UNTRUSTED");
    fs::write(directory.path().join("plugins.lock"), "{ not a lock file")?;
    assert_eq!(directory.code_of("libwell.so"), "E-PLUGIN-UNTRUSTED", "never taken for empty");
    Ok(())
}

#[test]
fn a_plugin_is_disabled_and_enabled_with_and_without_a_lock_entry() -> Result<()> {
    let directory = PluginDirectory::with(&["well", "well_two"])?;
    plugin::lock(&directory.discover(), &["well".to_owned()])?;
    for (id, file) in [("well", "libwell.so"), ("well-two", "libwell_two.so")] {
        assert!(plugin::set_enabled(&directory.discover(), id, false)?.changed);
        assert_eq!(directory.code_of(file), "E-PLUGIN-DISABLED");
        assert!(directory.discover().engine(id).is_err_and(|error| error.is_refusal()));
        assert!(plugin::set_enabled(&directory.discover(), id, true)?.changed);
        assert_eq!(directory.code_of(file), "usable");
    }
    assert!(!plugin::set_enabled(&directory.discover(), "well", true)?.changed);
    let unknown = plugin::set_enabled(&directory.discover(), "wel", true);
    assert!(unknown.is_err_and(|error| error.to_string().contains("unknown plugin 'wel'")));
    Ok(())
}

#[test]
fn adding_replaces_by_rename_and_leaves_no_half_installed_file() -> Result<()> {
    let directory = PluginDirectory::new()?;
    let well = rogue("well")?;
    let request = AddRequest { source: &well, directory: directory.path(), sha256: None };
    let added = plugin::add(&request, &|_| Ok(()))?;
    assert_eq!(added.sha256, Sha256::of(&fs::read(&well)?));
    let mut running = fs::File::open(&added.path)?;
    let again = plugin::add(&request, &|_| Ok(()))?;
    assert!(again.replaced.is_some());
    assert_eq!(Sha256::of_reader(&mut running)?, added.sha256, "the old inode is untouched");

    let wrong = AddRequest { sha256: Some(Sha256::of(b"something else")), ..request.clone() };
    let error = plugin::add(&wrong, &|_| Ok(())).err().context("a wrong digest is refused")?;
    assert!(error.to_string().contains("--sha256"), "{error}");
    let two = rogue("well_two")?;
    let request = AddRequest { source: &two, ..request };
    let refusal = plugin::Refusal {
        path: two.clone(),
        plugin: None,
        reason: plugin::Reason::Crashed { how: "signal 11".to_owned() },
    };
    let error = plugin::add(&request, &|_| Err(std::sync::Arc::new(refusal.clone())));
    assert!(error.is_err_and(|error| error.to_string().contains("signal 11")));
    let mut names: Vec<_> = fs::read_dir(directory.path())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    names.sort();
    names.retain(|name| name != ".in-use");
    assert_eq!(names, ["libwell.so", "plugins.lock"]);
    let removed = plugin::remove(&directory.discover(), "well")?;
    assert!(removed.was_locked && !removed.path.exists());
    Ok(())
}

#[test]
fn two_libraries_in_one_process_are_not_mixed_up_and_survive_their_files() -> Result<()> {
    let directory = PluginDirectory::with(&["well", "well_two"])?;
    let registry = directory.discover();
    let well = registry.load("well", silent_host(), Value::Null)?;
    let two = registry.load("well-two", silent_host(), Value::Null)?;
    // A loaded library is not the file any more: `cp` over it must not reach the running code.
    fs::write(directory.path().join("libwell.so"), b"gone")?;
    fs::remove_file(directory.path().join("libwell_two.so"))?;
    let environment = Default::default();
    assert_eq!(well.assess(&environment)?.reason, "well needs nothing");
    assert_eq!(two.assess(&environment)?.reason, "well-two needs nothing");
    Ok(())
}

#[test]
fn options_are_checked_before_anything_is_loaded() -> Result<()> {
    let directory = PluginDirectory::with(&["well"])?;
    let registry = directory.discover();
    registry.check_options("well", &json!({"bytes": 1}))?;
    let error = registry.check_options("well", &json!({"byte": 1})).err().context("unknown")?;
    assert_eq!(error.to_string(), "options of engine 'well': unknown option 'byte'");
    let hint = dbbackup::exit::Classified::hint(&error);
    assert_eq!(hint.as_deref(), Some("did you mean 'bytes'?"));
    assert!(registry.check_options("well", &json!({"bytes": "many"})).is_err());
    let error = registry.engine("wel").err().context("unknown engine")?;
    assert_eq!(dbbackup::exit::Classified::hint(&error).as_deref(), Some("did you mean 'well'?"));
    Ok(())
}

/// Runs one check on a rogue plugin in a process of its own.
fn check(name: &str, options: Value, only: &str) -> Result<CheckOutcome> {
    let mut kit = Kit::new(program()?, rogue(name)?);
    kit.options = options;
    kit.only = vec![only.to_owned()];
    kit.time_limit = Duration::from_secs(20);
    let report = kit.run()?;
    report.outcomes.into_iter().find(|o| o.check == only).context("the check did not run")
}

fn why(outcome: &CheckOutcome) -> &str {
    match &outcome.verdict {
        Verdict::Failed { why } => why,
        Verdict::Passed => "passed",
        Verdict::NotRun { why } => why,
    }
}

#[test]
fn what_cannot_be_loaded_fails_with_its_own_error() -> Result<()> {
    for (name, expected) in [
        ("foreign_root", "E-PLUGIN-LAYOUT"),
        ("other_manifest", "E-PLUGIN-NOTE"),
        ("missing_role", "E-PLUGIN-NOTE"),
        ("init_fails", "E-PLUGIN-INIT"),
        ("linked_to_nothing", "a_function_that_no_library_has"),
        ("constructor_panics", "E-PLUGIN-LAYOUT"),
        ("constructor_aborts", "signal 6"),
    ] {
        let outcome = check(name, Value::Null, "load")?;
        assert!(why(&outcome).contains(expected), "{name}: {outcome}");
    }
    Ok(())
}

#[test]
fn misdeeds_end_their_own_process_or_become_an_error() -> Result<()> {
    for (misdeed, place, only, expected) in [
        ("panic", "create", "load", "the plugin panicked: a rogue panic"),
        ("panic", "backup", "backup", "the plugin panicked: a rogue panic"),
        ("panic-in-thread", "backup", "backup", "passed"),
        ("panic", "drop", "load", "ended its process"),
        ("abort", "assess", "assess", "signal 6"),
        ("segfault", "assess", "assess", "signal 11"),
        ("exit", "assess", "assess", "exit status 0 without a verdict"),
        ("spam-stdout", "assess", "assess", "bytes to standard output"),
        ("change-environment", "assess", "process", "changed the environment TZ"),
        ("change-directory", "assess", "process", "changed the directory to /"),
        ("change-umask", "assess", "process", "changed Umask"),
        ("change-signals", "assess", "process", "changed SigIgn"),
        ("leak-descriptors", "backup", "leaks", "5 more descriptors"),
        ("leak-threads", "backup", "leaks", "5 more threads"),
        ("swallow-sink-errors", "backup", "sink-error", "the backup ended well"),
        ("forget-journal", "backup", "backup", "1 of 1 journal records"),
    ] {
        let options = json!({"misdeed": misdeed, "place": place});
        let outcome = check("misdeeds", options, only)?;
        assert!(why(&outcome).contains(expected), "{misdeed} at {place}: {outcome}");
    }
    Ok(())
}

#[test]
fn a_plugin_that_hangs_is_ended() -> Result<()> {
    let mut kit = Kit::new(program()?, rogue("misdeeds")?);
    kit.options = json!({"misdeed": "hang", "place": "assess"});
    kit.only = vec!["assess".to_owned()];
    kit.time_limit = Duration::from_secs(2);
    let report = kit.run()?;
    let outcome = report.outcomes.last().context("no outcome")?;
    assert_eq!(why(outcome), "hung: no verdict after 2 s");
    assert!(!report.is_conformant());
    Ok(())
}
