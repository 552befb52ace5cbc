//! A package that depends on all that the workspace depends on, so that cargo chooses the same
//! features of every dependency in a generation as in the workspace and builds none a second time.
use super::{package_manifest, write_if_changed};
use anyhow::{Context, Result, ensure};
use dbbackup_testkit::env;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

/// A dependency as the members of the workspace ask for it together.
#[derive(Default)]
struct Dependency {
    version: String,
    wants_defaults: bool,
    features: BTreeSet<String>,
}

pub(super) fn write_package(sources: &Path, root: &Path) -> Result<()> {
    let mut lines = String::from("[dependencies]\n");
    for (name, Dependency { version, wants_defaults, features }) in of_workspace(sources)? {
        writeln!(
            lines,
            "{name} = {{ version = {version:?}, default-features = {wants_defaults}, \
             features = {:?} }}",
            Vec::from_iter(features)
        )?;
    }
    let package = root.join("dependencies");
    write_if_changed(
        &package.join("Cargo.toml"),
        package_manifest("dependencies", &lines).as_bytes(),
    )?;
    write_if_changed(&package.join("src/lib.rs"), b"")
}

fn of_workspace(sources: &Path) -> Result<BTreeMap<String, Dependency>> {
    let output = env::cargo()
        .current_dir(sources)
        .args(["metadata", "--offline", "--no-deps", "--format-version=1"])
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let mut all: BTreeMap<String, Dependency> = BTreeMap::new();
    let packages = metadata["packages"].as_array().context("cargo names no packages")?;
    for asked in packages.iter().filter_map(|package| package["dependencies"].as_array()).flatten()
    {
        if asked["path"].is_string() {
            continue;
        }
        let text = |key: &str| asked[key].as_str().with_context(|| format!("{asked} lacks {key}"));
        let dependency = all.entry(text("name")?.to_owned()).or_default();
        text("req")?.clone_into(&mut dependency.version);
        dependency.wants_defaults |= asked["uses_default_features"] == true;
        let features = asked["features"].as_array().context("no features")?;
        dependency.features.extend(features.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    Ok(all)
}
