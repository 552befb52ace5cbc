//! Garage, the second store, for acceptance and benchmarks. It is built from source: ten minutes
//! on two cores while the cache is cold.
use super::run;
use crate::{cache, env};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

const VERSION: &str = "2.5.0";
/// Raised when the layout of the cached tree changes.
const LAYOUT: u32 = 1;

/// Builds `garage`, or finds it in the cache. It is a tool of the tests and linked to nothing.
pub(crate) fn garage_program() -> Result<PathBuf> {
    let directory = cache::entry(&format!("garage-{VERSION}-{LAYOUT}"), |building, _| {
        // Outside of what a killed build loses, so that the next one goes on where it ended.
        let target = env::cache_root()?.join(format!("garage-{VERSION}-target"));
        let mut install = env::cargo();
        // Away from the workspace, whose configuration is not for it.
        install.current_dir(building);
        install.args(["install", "garage", "--version", VERSION, "--locked", "--quiet"]);
        install.arg("--root").arg(building).arg("--target-dir").arg(&target);
        run(&mut install)?;
        fs::remove_dir_all(&target).with_context(|| format!("remove {}", target.display()))
    })?;
    Ok(directory.join("bin/garage"))
}
