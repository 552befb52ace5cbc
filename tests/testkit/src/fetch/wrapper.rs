//! Wrapper scripts: each runs a program of a private tree through the tree's own loader and
//! libraries, so that it needs nothing of the machine's.
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A program of a tree.
pub(crate) struct Program<'a> {
    /// Where it lies under the tree's root.
    pub(crate) path: &'a str,
    /// Shell words between the program and the caller's arguments.
    pub(crate) arguments: Vec<String>,
    /// Variables set for this process alone.
    pub(crate) variables: Vec<(&'a str, String)>,
}

/// Writes wrapper scripts for `programs` into `bin`.
///
/// `unpacked` is where the tree lies now, `root` where it will be used.
pub(crate) fn write(
    unpacked: &Path,
    root: &Path,
    bin: &Path,
    programs: &[Program<'_>],
) -> Result<()> {
    let loader = loader(unpacked)?;
    let libraries: Vec<String> = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"]
        .iter()
        .filter(|part| unpacked.join(part).is_dir())
        .map(|part| root.join(part).to_string_lossy().into_owned())
        .collect();
    let prefix = format!(
        "{} --library-path {}",
        quoted(&root.join(loader).to_string_lossy()),
        quoted(&libraries.join(":"))
    );
    for program in programs {
        if !unpacked.join(program.path).is_file() {
            bail!("{} is not in the packages", program.path);
        }
        place(bin, program, &script(&prefix, root, program))?;
    }
    Ok(())
}

/// Writes the wrapper of a program that runs on the machine's own loader and libc.
pub(crate) fn write_native(root: &Path, bin: &Path, program: &Program<'_>) -> Result<()> {
    place(bin, program, &script("", root, program))
}

fn place(bin: &Path, program: &Program<'_>, script: &str) -> Result<()> {
    let name = program.path.rsplit('/').next().unwrap_or(program.path);
    let path = bin.join(name);
    fs::create_dir_all(bin)?;
    fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The caller's `--no-defaults` and the like must stay the first argument, ours come after it.
fn script(prefix: &str, root: &Path, program: &Program<'_>) -> String {
    let variables: String = program
        .variables
        .iter()
        .map(|(name, value)| format!("export {name}={}\n", quoted(value)))
        .collect();
    let arguments: Vec<String> = program.arguments.iter().map(|word| quoted(word)).collect();
    format!(
        "#!/bin/sh\n{variables}first=\n\
         case \"$1\" in --no-defaults|--defaults-file=*) first=\"$1\"; shift;; esac\n\
         exec {prefix} {} ${{first:+\"$first\"}} {} \"$@\"\n",
        quoted(&root.join(program.path).to_string_lossy()),
        arguments.join(" "),
    )
}

/// The dynamic loader, as a path under the tree's root that holds no link out of the tree.
fn loader(unpacked: &Path) -> Result<PathBuf> {
    const NAME: &str = "x86_64-linux-gnu/ld-linux-x86-64.so.2";
    ["usr/lib", "lib"]
        .iter()
        .map(|part| Path::new(part).join(NAME))
        .find(|path| unpacked.join(path).is_file())
        .context("the unpacked libc holds no loader for x86-64: only that architecture is served")
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
