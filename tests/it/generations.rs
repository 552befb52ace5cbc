//! Other generations of the contract, made out of today's sources at test time: plugin-api 1.1 with
//! a method and a field more, 2.0 with another root, and today's beside the released one. Each comes
//! with the sdk and an engine built on it; 1.1 also with the host's own loader.
//!
//! No binary is kept in the repository. The copies live in the target directory and are rewritten
//! only where they changed, so that a second run compiles nothing; dependencies are shared with
//! the workspace.
mod dependencies;

use anyhow::{Context, Result, ensure};
use dbbackup_testkit::{env, workspace_root};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// What the generations are built into.
#[derive(Clone, Debug)]
pub(crate) struct Generations {
    /// Engine built with plugin-api 1.1.
    pub(crate) engine_one_one: PathBuf,
    /// Engine built with plugin-api 2.0.
    pub(crate) engine_two_zero: PathBuf,
    /// The host's loader built with plugin-api 1.1: loads each file named and says what came of it.
    pub(crate) loader_one_one: PathBuf,
    /// Compares the layouts of the released 1.0 with today's.
    pub(crate) gate: PathBuf,
}

impl Generations {
    /// Builds everything, once a process.
    pub(crate) fn built() -> Result<Self> {
        static BUILT: Mutex<Option<Generations>> = Mutex::new(None);
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(generations) = &*built {
            return Ok(generations.clone());
        }
        let root = Path::new(std::env!("CARGO_TARGET_TMPDIR")).join("generations");
        let sources = workspace_root()?;
        write_today(&sources, &root.join("today"))?;
        write_one_one(&sources, &root.join("one-one"))?;
        write_two_zero(&sources, &root.join("two-zero"))?;
        // The workspace's own target directory: with the same profiles, versions and features, every
        // dependency is built already.
        let target = Path::new(std::env!("CARGO_TARGET_TMPDIR")).parent().context("no target")?;
        build(&root.join("one-one"), target)?;
        build(&root.join("two-zero"), target)?;
        let output = target.join("debug");
        let generations = Self {
            engine_one_one: output.join("libengine_one_one.so"),
            engine_two_zero: output.join("libengine_two_zero.so"),
            loader_one_one: output.join("loader-one-one"),
            gate: output.join("gate"),
        };
        *built = Some(generations.clone());
        Ok(generations)
    }
}

/// Today's plugin-api under another version, so that one program can link it beside the released.
fn write_today(sources: &Path, root: &Path) -> Result<()> {
    copy_tree(&sources.join("plugin-api/src"), &root.join("plugin-api/src"))?;
    let manifest = standalone_manifest("1.99.0");
    write_if_changed(&root.join("plugin-api/Cargo.toml"), manifest.as_bytes())
}

fn write_one_one(sources: &Path, root: &Path) -> Result<()> {
    let members = ["plugin-api", "sdk", "engine", "loader", "gate", "dependencies"];
    write_workspace(sources, root, &members, "1.1.0")?;
    let api = root.join("plugin-api/src");
    let method = |text: &str| {
        text.replace("capability(&self, id: RStr<'_>) -> ROption<RawCapability>;", ONE_MORE_METHOD)
    };
    patch(&api.join("host.rs"), method)?;
    patch(&api.join("engine.rs"), |text| {
        text.replace(
            "fn role(&self, id: RStr<'_>) -> ROption<RawCapability>;",
            "fn role(&self, id: RStr<'_>) -> ROption<RawCapability>;\n    \
             /// Of version 1.1.\n    fn generation(&self) -> u32 {\n        11\n    }",
        )
    })?;
    patch(&api.join("role/backup.rs"), |text| {
        let run = "pub run: extern \"C\" fn(&EngineBox, Doc, SinkBox, HostBox) -> AbiResult<Doc>,";
        let more = format!(
            "{run}\n    /// Of version 1.1.\n    pub generation: extern \"C\" fn() -> u32,"
        );
        text.replace(run, &more)
    })?;
    patch(&root.join("sdk/src/export/roles.rs"), |text| {
        text.replace(
            "BackupRole, BackupRole_Ref, run",
            "BackupRole, BackupRole_Ref, run, generation",
        )
        .replace("mod backup {\n    use super::*;\n", ONE_MORE_FIELD)
    })?;
    write_engine(root, "engine-one-one", ">=1.0, <2")?;
    write_loader(sources, &root.join("loader"))?;
    write_gate(sources, root)
}

const ONE_MORE_METHOD: &str = "capability(&self, id: RStr<'_>) -> ROption<RawCapability>;
    /// Of version 1.1.
    fn generation(&self) -> u32 {
        11
    }";

const ONE_MORE_FIELD: &str = "mod backup {
    use super::*;

    pub(super) extern \"C\" fn generation<E: BackupEngine + RoleList>() -> u32 {
        11
    }
";

fn write_two_zero(sources: &Path, root: &Path) -> Result<()> {
    write_workspace(sources, root, &["plugin-api", "sdk", "engine", "dependencies"], "2.0.0")?;
    patch(&root.join("plugin-api/src/root.rs"), |text| {
        text.replace(
            "pub struct PluginRoot {\n",
            "pub struct PluginRoot {\n    /// Of version 2.\n    pub generation: u32,\n",
        )
    })?;
    patch(&root.join("sdk/src/export/mod.rs"), |text| {
        text.replace("PluginRoot { manifest,", "PluginRoot { generation: 2, manifest,")
    })?;
    write_engine(root, "engine-two-zero", ">=2.0, <3")
}

/// A workspace with the profiles and versions of ours, and copies of plugin-api and sdk.
fn write_workspace(sources: &Path, root: &Path, members: &[&str], api: &str) -> Result<()> {
    let ours = fs::read_to_string(sources.join("Cargo.toml"))?;
    let mut lines: Vec<String> = Vec::new();
    for line in ours.lines().filter(|line| !line.starts_with("exclude")) {
        lines.push(match line {
            _ if line.starts_with("members") => format!("members = {members:?}"),
            _ if line.starts_with("dbbackup-plugin-api =") => {
                "dbbackup-plugin-api = { path = \"plugin-api\" }".to_owned()
            }
            _ => line.to_owned(),
        });
    }
    // Copies that are no members count as dependencies, and layouts need no optimisation.
    lines.push("[profile.dev.package.dbbackup-plugin-api]\nopt-level = 0\n".to_owned());
    write_if_changed(&root.join("Cargo.toml"), lines.join("\n").as_bytes())?;
    dependencies::write_package(sources, root)?;
    if !root.join("Cargo.lock").exists() {
        write_if_changed(&root.join("Cargo.lock"), &fs::read(sources.join("Cargo.lock"))?)?;
    }
    for package in ["plugin-api", "sdk"] {
        copy_tree(&sources.join(package).join("src"), &root.join(package).join("src"))?;
        let mut manifest = fs::read_to_string(sources.join(package).join("Cargo.toml"))?;
        if package == "plugin-api" {
            manifest = manifest.replacen("version = \"1.0.0\"", &format!("version = \"{api}\""), 1);
            ensure!(manifest.contains(api), "plugin-api is not of version 1.0.0 any more");
        }
        write_if_changed(&root.join(package).join("Cargo.toml"), manifest.as_bytes())?;
    }
    Ok(())
}

fn write_engine(root: &Path, name: &str, requires: &str) -> Result<()> {
    let engine = root.join("engine");
    let manifest = package_manifest(
        name,
        "[dependencies]\n\
         dbbackup-sdk = { path = \"../sdk\", default-features = false }\n\n\
         [lib]\ncrate-type = [\"cdylib\"]\n",
    );
    write_if_changed(&engine.join("Cargo.toml"), manifest.as_bytes())?;
    let plugin = include_str!("generations/plugin.json").replace("ENGINE", name);
    let plugin = plugin.replace("REQUIRES", requires);
    write_if_changed(&engine.join("plugin.json"), plugin.as_bytes())?;
    let source = include_str!("generations/engine.rs").replace("ENGINE", name);
    write_if_changed(&engine.join("src/lib.rs"), source.as_bytes())
}

/// The host's own loader, compiled against the plugin-api of this generation.
fn write_loader(sources: &Path, loader: &Path) -> Result<()> {
    let dependencies = "abi_stable dbbackup-plugin-api jsonschema libloading object rustix semver \
                        serde serde_json sha2 strsim tempfile thiserror tracing";
    let lines: String =
        dependencies.split_whitespace().map(|name| format!("{name}.workspace = true\n")).collect();
    let manifest = package_manifest("loader-one-one", &format!("[dependencies]\n{lines}"));
    write_if_changed(&loader.join("Cargo.toml"), manifest.as_bytes())?;
    copy_tree(&sources.join("host/src/plugin"), &loader.join("src/plugin"))?;
    for file in ["exit.rs", "nearest.rs"] {
        let content = fs::read(sources.join("host/src").join(file))?;
        write_if_changed(&loader.join("src").join(file), &content)?;
    }
    let main = include_str!("generations/loader.rs");
    write_if_changed(&loader.join("src/main.rs"), main.as_bytes())
}

fn write_gate(sources: &Path, root: &Path) -> Result<()> {
    let released = sources.join("tests/abi/plugin-api-1.0");
    let dependencies = format!(
        "[dependencies]\n\
         released = {{ package = \"dbbackup-plugin-api\", path = {:?} }}\n\
         today = {{ package = \"dbbackup-plugin-api\", path = \"../../today/plugin-api\" }}\n",
        released
    );
    let manifest = package_manifest("gate", &dependencies);
    write_if_changed(&root.join("gate/Cargo.toml"), manifest.as_bytes())?;
    let main = include_str!("generations/gate.rs");
    write_if_changed(&root.join("gate/src/main.rs"), main.as_bytes())
}

fn package_manifest(name: &str, rest: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"9.9.9\"\nedition = \"2024\"\npublish = false\n\n{rest}"
    )
}

/// Manifest of a plugin-api that belongs to no workspace.
fn standalone_manifest(version: &str) -> String {
    include_str!("../abi/plugin-api-1.0/Cargo.toml").replacen(
        "version = \"1.0.0\"",
        &format!("version = \"{version}\""),
        1,
    )
}

fn build(workspace: &Path, target: &Path) -> Result<()> {
    let output = env::cargo()
        .current_dir(workspace)
        // Without sessions with servers: the contract is what is compared.
        .args(["build", "--offline", "--workspace", "--no-default-features", "--target-dir"])
        .arg(target)
        .output()
        .context("start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "build {}:\n{said}", workspace.display());
    Ok(())
}

/// Applies a patch that must change something: sources move on, and a patch that no longer bites
/// would test nothing.
fn patch(file: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let original = original_of(file);
    let text =
        fs::read_to_string(&original).with_context(|| format!("read {}", original.display()))?;
    let changed = change(&text);
    ensure!(changed != text, "the patch of {} changes nothing", file.display());
    write_if_changed(file, changed.as_bytes())
}

/// Copies sources. A file beside each keeps the original, from which patches start.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
            continue;
        }
        let content = fs::read(entry.path())?;
        let original = original_of(&target);
        let is_new = fs::read(&original).map_or(true, |old| old != content);
        if is_new {
            write_if_changed(&target, &content)?;
            write_if_changed(&original, &content)?;
        }
    }
    Ok(())
}

fn original_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".original");
    PathBuf::from(name)
}

/// Cargo looks at times: a file that did not change must keep its own.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let directory = path.parent().context("a file has a directory")?;
    fs::create_dir_all(directory)?;
    fs::write(path, content).with_context(|| format!("write {}", path.display()))
}
