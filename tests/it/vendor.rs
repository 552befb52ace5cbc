//! The vendor's view: an engine made outside this workspace, against the sdk alone, runs in the
//! installed host as it is.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    Flavor, Invocation, Rig, S3_BUCKET, S3Options, S3Server, Server, ServerOptions,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[test]
fn an_engine_from_outside_runs_in_the_installed_host() -> Result<()> {
    let rig = Rig::new()?;
    let host_before = fs::read(rig.binary())?;
    let library = build_acme(&rig)?;

    let test = rig.dbbackup([Path::new("engine"), "test".as_ref(), &library]).run()?;
    test.expect_exit(0)?;

    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    rig.add_plugin(&library)?;
    let list = rig.dbbackup(["engine", "list", "--json"]).run()?.expect_exit(0)?.json()?;
    ensure!(names_engine(&list, "acme"), "acme is not in {list}");
    let select = rig.dbbackup_on(&server, ["engine", "select", "--explain", "--json"]).run()?;
    let select = select.expect_exit(0)?.json()?;
    ensure!(names_engine(&select, "acme"), "acme is not in {select}");

    round_trip(&rig, &server)?;
    ensure!(fs::read(rig.binary())? == host_before, "the host binary changed");
    Ok(())
}

/// `engine new`, its one dependency, and a build offline.
fn build_acme(rig: &Rig) -> Result<PathBuf> {
    let sdk = checkout().join("sdk");
    let new = ["engine", "new", "acme", "--sdk", sdk.to_str().context("path of the sdk")?];
    rig.dbbackup(new).run()?.expect_exit(0)?;
    let crate_dir = rig.path("acme");

    let metadata =
        cargo(&crate_dir, &["metadata", "--offline", "--no-deps", "--format-version=1"])?;
    let metadata: Value = serde_json::from_slice(&metadata)?;
    let dependencies: Vec<_> = metadata["packages"][0]["dependencies"]
        .as_array()
        .context("cargo lists dependencies")?
        .iter()
        .filter_map(|dependency| dependency["name"].as_str())
        .collect();
    ensure!(dependencies == ["dbbackup-sdk"], "the vendor's crate depends on {dependencies:?}");

    // The versions that this checkout was built with, so that nothing has to be fetched.
    fs::copy(checkout().join("Cargo.lock"), crate_dir.join("Cargo.lock"))?;
    cargo(&crate_dir, &["build", "--offline"])?;
    Ok(target_dir().join("debug/libacme.so"))
}

fn round_trip(rig: &Rig, server: &Server) -> Result<()> {
    let source = rig.path("source");
    fs::create_dir_all(source.join("deep/er"))?;
    fs::write(source.join("a.bin"), vec![7; 3 << 20])?;
    fs::write(source.join("deep/er/empty"), "")?;
    fs::write(source.join("deep/b"), "bytes")?;

    let option = format!("directory={}", source.display());
    let backup =
        ["physical-backup", "--engine", "acme", "--engine-option", &option, "--output", "a.tar.gz"];
    rig.dbbackup_on(server, backup).run()?.expect_exit(0)?;
    rig.dbbackup(["verify", "a.tar.gz"]).run()?.expect_exit(0)?;
    rig.dbbackup(["restore", "a.tar.gz", "--target-dir", "restored"]).run()?.expect_exit(0)?;
    ensure!(tree(&rig.path("restored"))? == tree(&source)?, "the restored directory differs");

    // The engine knows nothing of stores, and its backup goes there all the same.
    let store = S3Server::start(S3Options::default())?;
    let keys = |run: Invocation| {
        store.access().env().into_iter().fold(run, |run, (name, value)| run.env(name, value))
    };
    let url = format!("s3://{S3_BUCKET}/vendor/a.tar.gz");
    let backup =
        ["stream-backup", "--engine", "acme", "--engine-option", &option, "--target", &url];
    keys(rig.dbbackup_on(server, backup)).run()?.expect_exit(0)?;
    keys(rig.dbbackup(["restore", &url, "--target-dir", "streamed"])).run()?.expect_exit(0)?;
    ensure!(tree(&rig.path("streamed"))? == tree(&source)?, "the streamed directory differs");
    Ok(())
}

/// Relative paths and contents of all files below a directory.
fn tree(root: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for item in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = item?.path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.insert(path.strip_prefix(root)?.to_owned(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

/// Cargo unpacks what it has packed and builds it: a file that a package lacks is found here, and not by
/// the first vendor. The sdk finds the contract among what was packed beside it, as it is published
/// nowhere yet. The dependencies are those of the vendor's engine above, built once for both.
#[test]
fn contract_and_sdk_build_from_their_packages() -> Result<()> {
    let packages = ["-p", "dbbackup-plugin-api", "-p", "dbbackup-sdk"];
    let arguments = [&["package", "--offline", "--allow-dirty"][..], &packages];
    cargo(&checkout(), &arguments.concat())?;
    for name in ["dbbackup-plugin-api", "dbbackup-sdk"] {
        let archive = target_dir().join(format!("package/{name}-1.0.0.crate"));
        ensure!(archive.is_file(), "{} was not made", archive.display());
    }
    Ok(())
}

/// True if an object with `"id": name` or `"engine": name` is anywhere in the document.
fn names_engine(document: &Value, name: &str) -> bool {
    match document {
        Value::Object(fields) => {
            ["id", "engine"]
                .iter()
                .any(|key| fields.get(*key).and_then(Value::as_str) == Some(name))
                || fields.values().any(|value| names_engine(value, name))
        }
        Value::Array(items) => items.iter().any(|item| names_engine(item, name)),
        _ => false,
    }
}

fn cargo(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", target_dir())
        .output()?;
    ensure!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_owned()
}

/// A target directory of its own below the workspace's, kept from run to run.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("vendor")
}
