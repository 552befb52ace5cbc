//! Version negotiation in both directions, with plugins and a loader of other generations of the
//! contract: an old plugin on a newer host, a newer one on an older host, and those that must not.
use crate::{
    generations::Generations,
    plugin_files::{PluginDirectory, patched, rogue},
};
use anyhow::{Context, Result, ensure};
use dbbackup::plugin::{HostApi, PluginCode, PluginError, Refusal};
use dbbackup_plugin_api::host::silent_host;
use serde_json::Value;
use std::{fs, path::Path, process::Command, sync::Arc};

/// A directory with one plugin file of this content, and why today's host refuses it.
fn refusal(content: &[u8]) -> Result<Arc<Refusal>> {
    let directory = PluginDirectory::new()?;
    directory.write("plugin.so", content)?;
    let registry = directory.discover();
    let plugin = registry.plugins().first().context("nothing was found")?;
    plugin.refusal.clone().context("the plugin is usable")
}

#[test]
fn a_newer_plugin_loads_on_todays_host_where_its_range_allows_it() -> Result<()> {
    let directory = PluginDirectory::with(&["well"])?;
    directory.write("newer.so", &fs::read(Generations::built()?.engine_one_one)?)?;
    let registry = directory.discover();
    for (id, reason) in
        [("engine-one-one", "engine-one-one needs nothing"), ("well", "well needs nothing")]
    {
        let engine = registry.load(id, silent_host(), Value::Null)?;
        assert_eq!(engine.assess(&Default::default())?.reason, reason);
    }
    Ok(())
}

#[test]
fn a_plugin_that_needs_a_newer_host_says_so() -> Result<()> {
    let newer = fs::read(Generations::built()?.engine_one_one)?;
    let refusal = refusal(&patched(&newer, b">=1.0, <2", b">=1.1, <2")?)?;
    assert_eq!(refusal.plugin_code(), PluginCode::Api);
    let host = HostApi::current();
    let expected = format!(
        "error[E-PLUGIN-API]: engine plugin 'engine-one-one' 9.9.9 cannot be used with dbbackup {tool}\n  \
         plugin needs host API  >=1.1, <2   (built with plugin-api 1.1.0)\n  \
         this dbbackup offers   1.0.0       (accepts plugins built with 1.0 and later 1.x)\n  \
         file: {file}\n  \
         fix:  upgrade dbbackup to a version that offers host API >=1.1, <2, \
         or install an engine-one-one built for host API 1.0",
        tool = host.tool,
        file = refusal.path.display()
    );
    assert_eq!(refusal.report(), expected);
    Ok(())
}

#[test]
fn a_plugin_of_another_major_version_is_refused() -> Result<()> {
    let two = refusal(&fs::read(Generations::built()?.engine_two_zero)?)?;
    assert_eq!(two.plugin_code(), PluginCode::Major);
    let zero = patched(&fs::read(rogue("well")?)?, br#""api":"1.0.0""#, br#""api":"0.9.0""#)?;
    assert_eq!(refusal(&zero)?.plugin_code(), PluginCode::Major);
    Ok(())
}

#[test]
fn a_plugin_that_lies_about_its_contract_is_found_out_before_it_runs() -> Result<()> {
    let two = fs::read(Generations::built()?.engine_two_zero)?;
    let lie = patched(&two, br#""api":"2.0.0""#, br#""api":"1.0.0""#)?;
    let lie = patched(&lie, b">=2.0, <3", b">=1.0, <2")?;
    let directory = PluginDirectory::new()?;
    directory.write("lie.so", &lie)?;
    let error = directory.discover().load("engine-two-zero", silent_host(), Value::Null);
    let Err(PluginError::Refused(refusal)) = error else {
        anyhow::bail!("a plugin of plugin-api 2.0 was loaded");
    };
    assert_eq!(refusal.plugin_code(), PluginCode::Note, "{refusal}");
    Ok(())
}

/// What the loader of plugin-api 1.1 says of files, a block each.
fn newer_host(files: &[&Path]) -> Result<String> {
    let output = Command::new(Generations::built()?.loader_one_one).args(files).output()?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn an_old_plugin_loads_on_a_newer_host_in_both_orders_with_a_newer_one() -> Result<()> {
    let newer = Generations::built()?.engine_one_one;
    let directory = PluginDirectory::with(&["well"])?;
    let old = directory.path().join("libwell.so");
    let newer = directory.write("newer.so", &fs::read(newer)?)?;
    // The method that the old plugin lacks runs its default body; the field it lacks is absent.
    let old_line = "loaded well: well needs nothing, 11, None\n";
    let new_line = "loaded engine-one-one: engine-one-one needs nothing, 11, Some(11)\n";
    assert_eq!(newer_host(&[&old, &newer])?, format!("{old_line}{new_line}"));
    assert_eq!(newer_host(&[&newer, &old])?, format!("{new_line}{old_line}"));
    Ok(())
}

#[test]
fn a_newer_host_outside_the_range_of_an_old_plugin_refuses_it() -> Result<()> {
    let directory = PluginDirectory::new()?;
    let narrow = patched(&fs::read(rogue("well")?)?, b">=1.0, <2", b"~1.0     ")?;
    let file = directory.write("narrow.so", &narrow)?;
    let said = newer_host(&[&file])?;
    assert!(said.starts_with("error[E-PLUGIN-API]: engine plugin 'well'"), "{said}");
    assert!(said.contains("this dbbackup offers   1.1.0"), "{said}");
    Ok(())
}
