//! What is under test: the `dbbackup` binary and the engine plugins, built by cargo once per run.
use crate::env;
use crate::fetch::run;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The built files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Product {
    /// The `dbbackup` binary.
    pub binary: PathBuf,
    /// The engine plugins, one shared library each.
    pub plugins: Vec<PathBuf>,
}

impl Product {
    /// Builds the host and every engine of `plugins/`, in the target directory and profile of the
    /// running test, unless this run of the tests has done so before.
    ///
    /// # Errors
    /// The build fails; the message holds the compiler's.
    pub fn built() -> Result<Self> {
        static BUILT: Mutex<Option<Product>> = Mutex::new(None);
        let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(product) = built.as_ref() {
            return Ok(product.clone());
        }
        let product = Self::of_this_run()?;
        *built = Some(product.clone());
        Ok(product)
    }

    /// nextest runs each test in a process of its own; the first of a run builds for all.
    fn of_this_run() -> Result<Self> {
        let output = OutputDirectory::of_this_executable()?;
        let Some(run_id) = env::run_id() else {
            return Self::build(&output);
        };
        let stamps = output.target.join("tmp");
        fs::create_dir_all(&stamps)?;
        let lock = File::create(stamps.join("dbbackup-product.lock"))?;
        lock.lock()?;
        let stamp = stamps.join(format!("dbbackup-product-{run_id}.json"));
        if let Ok(text) = fs::read_to_string(&stamp) {
            return Ok(serde_json::from_str(&text)?);
        }
        let product = Self::build(&output)?;
        forget_earlier_runs(&stamps)?;
        fs::write(&stamp, serde_json::to_vec(&product)?)?;
        Ok(product)
    }

    fn build(output: &OutputDirectory) -> Result<Self> {
        let packages = engine_packages()?;
        let mut artifacts = build_packages_into(output, "dbbackup", &packages)?;
        let binary = artifacts
            .iter()
            .position(|artifact| artifact.file_name().is_some_and(|name| name == "dbbackup"))
            .context("the package dbbackup has no binary dbbackup")?;
        Ok(Self { binary: artifacts.remove(binary), plugins: artifacts })
    }
}

/// Builds packages of the workspace in the target directory and profile of the running test, and
/// returns their binaries and shared libraries.
///
/// # Errors
/// The build fails; the message holds the compiler's.
pub fn build_packages(packages: &[&str]) -> Result<Vec<PathBuf>> {
    let output = OutputDirectory::of_this_executable()?;
    let Some((first, others)) = packages.split_first() else { return Ok(Vec::new()) };
    let others: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
    build_packages_into(&output, first, &others)
}

/// The root of the workspace.
///
/// # Errors
/// The sources were moved after the build.
pub fn workspace_root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().with_context(|| format!("find the workspace {}", root.display()))
}

fn build_packages_into(
    output: &OutputDirectory,
    first: &str,
    others: &[String],
) -> Result<Vec<PathBuf>> {
    let mut cargo = Command::new(env::cargo());
    cargo.current_dir(workspace_root()?);
    cargo.args(["build", "--message-format=json-render-diagnostics", "--package", first]);
    for package in others {
        cargo.args(["--package", package]);
    }
    cargo.arg("--target-dir").arg(&output.target);
    if output.is_release {
        cargo.arg("--release");
    }
    let messages = String::from_utf8(run(&mut cargo)?.stdout)?;
    let mut artifacts = Vec::new();
    for line in messages.lines().filter(|line| line.contains("\"compiler-artifact\"")) {
        let message: ArtifactMessage = serde_json::from_str(line)?;
        let is_ours = message.manifest_path.starts_with(workspace_root()?);
        if !is_ours {
            continue;
        }
        if message.target.kind.iter().any(|kind| kind == "cdylib") {
            let is_library = |path: &PathBuf| path.extension().is_some_and(|name| name == "so");
            artifacts.extend(message.filenames.into_iter().filter(is_library));
        } else if let Some(binary) = message.executable {
            artifacts.push(binary);
        }
    }
    Ok(artifacts)
}

/// The packages below `plugins/`: one engine each.
fn engine_packages() -> Result<Vec<String>> {
    let root = workspace_root()?;
    let mut cargo = Command::new(env::cargo());
    cargo.current_dir(&root).args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Metadata = serde_json::from_slice(&run(&mut cargo)?.stdout)?;
    let engines = root.join("plugins");
    Ok(metadata
        .packages
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(&engines))
        .map(|package| package.name)
        .collect())
}

/// Stamps of runs that have ended.
fn forget_earlier_runs(stamps: &Path) -> Result<()> {
    for entry in fs::read_dir(stamps)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("dbbackup-product-") && name.ends_with(".json") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Where the running test was built, so that what it tests is built there too.
struct OutputDirectory {
    target: PathBuf,
    is_release: bool,
}

impl OutputDirectory {
    fn of_this_executable() -> Result<Self> {
        let executable = std::env::current_exe()?;
        let profile = executable
            .ancestors()
            .skip(1)
            .find(|directory| directory.file_name().is_some_and(|name| name != "deps"))
            .context("the running test has no target directory")?;
        let target = profile.parent().context("the profile has no target directory")?;
        let is_release = profile.file_name().is_some_and(|name| name == "release");
        Ok(Self { target: target.to_owned(), is_release })
    }
}

#[derive(Deserialize)]
struct ArtifactMessage {
    manifest_path: PathBuf,
    target: ArtifactTarget,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct ArtifactTarget {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
}
