//! The cache of fetched and prepared things: built once, then used by every test process.
use crate::env;
use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// Returns the cached directory `name`, building it first if it is not there yet.
///
/// `build` fills a temporary directory (its first argument) that is then renamed to the final
/// path (its second), so that a killed build leaves nothing that looks complete. Other processes
/// wait for it.
pub(crate) fn entry(name: &str, build: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
    let root = env::cache_root()?;
    let path = root.join(name);
    if path.exists() {
        return Ok(path);
    }
    let _lock = lock(&root, name)?;
    if path.exists() {
        return Ok(path);
    }
    let building = root.join(format!(".building-{name}"));
    remove_leftover(&building)?;
    fs::create_dir_all(&building).with_context(|| format!("create {}", building.display()))?;
    build(&building, &path).with_context(|| format!("prepare {name}"))?;
    rustix::fs::rename(&building, &path)
        .with_context(|| format!("rename {} to {}", building.display(), path.display()))?;
    Ok(path)
}

/// Holds the cache-wide lock `name` until the returned file is dropped.
pub(crate) fn lock(root: &Path, name: &str) -> Result<File> {
    let locks = root.join("locks");
    fs::create_dir_all(&locks).with_context(|| format!("create {}", locks.display()))?;
    let path = locks.join(format!("{name}.lock"));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    file.lock().with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// Removes what a build that was killed has left; we hold its lock, so nobody else uses it.
fn remove_leftover(building: &Path) -> Result<()> {
    match fs::remove_dir_all(building) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", building.display()))
        }
        _ => Ok(()),
    }
}
