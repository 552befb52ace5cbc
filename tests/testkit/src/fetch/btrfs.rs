//! The programs that make Btrfs file systems and subvolumes.
use super::apt::{self, Selection};
use super::wrapper::{self, Program};
use crate::cache;
use anyhow::Result;
use std::path::PathBuf;

/// Raised when the layout of the cached tree changes.
const LAYOUT: u32 = 1;

/// Fetches `mkfs.btrfs` and `btrfs`, or finds them in the cache; answers the directory with both.
pub(crate) fn btrfs_programs() -> Result<PathBuf> {
    let directory = cache::entry(&format!("btrfs-bookworm-{LAYOUT}"), |building, home| {
        let selection = Selection {
            suite: "bookworm",
            components: "main",
            packages: &["btrfs-progs"],
            alone: &[],
        };
        let unpacked = building.join("root");
        apt::unpack(&selection, &unpacked, &building.join("apt"))?;
        let programs = ["bin/btrfs", "sbin/mkfs.btrfs"].map(|path| Program {
            path,
            arguments: Vec::new(),
            variables: Vec::new(),
        });
        wrapper::write(&unpacked, &home.join("root"), &building.join("bin"), &programs)
    })?;
    Ok(directory.join("bin"))
}
