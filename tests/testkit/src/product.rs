//! What is under test: the `dbbackup` binary and the engine plugins, built by cargo once per run.
use crate::env;
use crate::fetch::run;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
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
        if let Some(path) = env::product_file() {
            return Self::read(&path);
        }
        let output = OutputDirectory::of_this_executable()?;
        let Some(run_id) = env::run_id() else {
            return Self::build(&output);
        };
        let stamps = output.target.join("tmp");
        fs::create_dir_all(&stamps)?;
        let lock = File::create(stamps.join("dbbackup-product.lock"))?;
        lock.lock()?;
        let stamp = stamps.join(format!("dbbackup-product-{run_id}.json"));
        if stamp.exists() {
            return Self::read(&stamp);
        }
        let product = Self::build(&output)?;
        forget_earlier_runs(&stamps)?;
        product.write(&stamp)?;
        Ok(product)
    }

    fn build(output: &OutputDirectory) -> Result<Self> {
        Self::from_messages(&build_into(output, &["--lib", "--bins"])?)
    }

    /// Builds host and engines with full optimisation, in the target directory of the running
    /// program.
    ///
    /// # Errors
    /// The build fails; the message holds the compiler's.
    pub fn release() -> Result<Self> {
        let output = OutputDirectory { is_release: true, ..OutputDirectory::of_this_executable()? };
        Self::build(&output)
    }

    /// The same together with examples of the workspace, whose binaries and shared libraries come in
    /// the order of `names`. In one build: with examples cargo chooses other features of shared
    /// dependencies than without, and a second build would build all of them once more.
    ///
    /// # Errors
    /// The build fails; the message holds the compiler's.
    pub fn release_with_examples(names: &[&str]) -> Result<(Self, Vec<PathBuf>)> {
        let output = OutputDirectory { is_release: true, ..OutputDirectory::of_this_executable()? };
        let mut kinds = vec!["--lib", "--bin", "dbbackup"];
        kinds.extend(names.iter().flat_map(|name| ["--example", name]));
        let messages = build_into(&output, &kinds)?;
        let artifacts = artifacts(&messages)?;
        let find = |name: &&str| {
            let library = format!("lib{name}");
            let is_it = |path: &&PathBuf| {
                path.file_stem().is_some_and(|stem| stem == *name || stem == library.as_str())
            };
            let found = artifacts.iter().map(|artifact| &artifact.path).find(is_it);
            found.cloned().with_context(|| format!("the build made no example {name}"))
        };
        let examples = names.iter().map(find).collect::<Result<_>>()?;
        Ok((Self::from_messages(&messages)?, examples))
    }

    /// Finds the product among what a build with `--message-format=json-render-diagnostics` says.
    ///
    /// # Errors
    /// It is not among it.
    pub fn from_messages(messages: &str) -> Result<Self> {
        let artifacts = artifacts(messages)?;
        let binary = artifacts
            .iter()
            .map(|artifact| &artifact.path)
            .find(|path| path.file_name().is_some_and(|name| name == "dbbackup"))
            .context("the build made no binary dbbackup")?;
        let engines = workspace_root()?.join("plugins");
        let plugins = artifacts.iter().filter(|artifact| {
            artifact.manifest.starts_with(&engines)
                && artifact.path.extension().is_some_and(|name| name == "so")
        });
        let plugins = plugins.map(|artifact| artifact.path.clone()).collect();
        Ok(Self { binary: binary.clone(), plugins })
    }

    /// Writes the paths down for test processes, which find the file by
    /// [`PRODUCT_FILE`](crate::env::PRODUCT_FILE).
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_vec(self)?)
            .with_context(|| format!("write {}", path.display()))
    }

    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// Builds the examples of the workspace (the rogue plugins are some) in the target directory and
/// profile of the running test, and returns their binaries and shared libraries.
///
/// # Errors
/// The build fails; the message holds the compiler's.
pub fn build_examples() -> Result<Vec<PathBuf>> {
    let output = OutputDirectory::of_this_executable()?;
    let artifacts = artifacts(&build_into(&output, &["--examples"])?)?;
    Ok(artifacts.into_iter().map(|artifact| artifact.path).collect())
}

/// The root of the workspace.
///
/// # Errors
/// The sources were moved after the build.
pub fn workspace_root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().with_context(|| format!("find the workspace {}", root.display()))
}

/// Builds kinds of targets of the whole workspace, and returns what cargo says about it, one JSON
/// document a line. Always the whole workspace: a part of it would choose other features of shared
/// dependencies, and all of them would be built once more.
fn build_into(output: &OutputDirectory, kinds: &[&str]) -> Result<String> {
    let mut cargo = env::cargo();
    cargo.current_dir(workspace_root()?);
    cargo.args(["build", "--workspace", "--message-format=json-render-diagnostics"]).args(kinds);
    cargo.arg("--target-dir").arg(&output.target);
    if output.is_release {
        cargo.arg("--release");
    }
    // The compiler's progress and errors are for whoever waits.
    cargo.stderr(Stdio::inherit());
    Ok(String::from_utf8(run(&mut cargo)?.stdout)?)
}

/// A binary or shared library of this workspace.
struct Artifact {
    path: PathBuf,
    manifest: PathBuf,
}

fn artifacts(messages: &str) -> Result<Vec<Artifact>> {
    let root = workspace_root()?;
    let mut artifacts = Vec::new();
    for line in messages.lines().filter(|line| line.contains("\"compiler-artifact\"")) {
        let message: ArtifactMessage = serde_json::from_str(line)?;
        if !message.manifest_path.starts_with(&root) || message.profile.test {
            continue;
        }
        let is_library = |path: &PathBuf| path.extension().is_some_and(|name| name == "so");
        let libraries = message.filenames.into_iter().filter(is_library);
        for path in libraries.chain(message.executable) {
            artifacts.push(Artifact { path, manifest: message.manifest_path.clone() });
        }
    }
    Ok(artifacts)
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
    profile: ArtifactProfile,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct ArtifactProfile {
    test: bool,
}
