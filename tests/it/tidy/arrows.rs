//! Dependencies point down: plugin-api <- sdk <- plugins, plugin-api <- host, tests on top.
use super::root;
use anyhow::Result;
use serde_json::Value;
use std::{collections::BTreeSet, process::Command};

/// Edges between crates of the workspace that may exist; tests may depend on everything.
const ALLOWED: &[(&str, &str)] =
    &[("dbbackup-sdk", "dbbackup-plugin-api"), ("dbbackup", "dbbackup-plugin-api")];

/// Crates on top, which drive the others from outside.
const TESTS: &[&str] = &["dbbackup-tests", "dbbackup-testkit", "dbbackup-rogue"];

#[test]
fn dependencies_point_down() -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let ours: BTreeSet<&str> =
        packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let from = package["name"].as_str().expect("a package has a name");
        let dependencies = package["dependencies"].as_array().expect("a list");
        for to in dependencies.iter().filter_map(|dependency| dependency["name"].as_str()) {
            if ours.contains(to) && !allowed(from, to) {
                wrong.push(format!("{from} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "edges against the direction: {wrong:?}");
    assert!(ours.contains("dbbackup-sdk") && ours.contains("dbbackup"), "found only {ours:?}");
    Ok(())
}

fn allowed(from: &str, to: &str) -> bool {
    TESTS.contains(&from)
        || ALLOWED.contains(&(from, to))
        || (from.starts_with("dbbackup-engine-") && to == "dbbackup-sdk")
}
