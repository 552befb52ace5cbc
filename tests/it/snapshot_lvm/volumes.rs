//! Logical volumes inside of a guest, looked at with LVM's own tools.
use anyhow::Result;
use dbbackup_testkit::run_program;
use std::fs;
use std::path::Path;

/// The volume group on the guest's disk.
pub(super) const GROUP: &str = "vg_mysql";
/// What the names of our snapshots begin with.
const OURS: &str = "dbbackup-";

/// The volumes whose names begin like those of our snapshots.
pub(super) fn snapshots() -> Result<Vec<String>> {
    let names = run_program("lvs", &["--noheadings", "--options", "lv_name", GROUP])?;
    let names = names.lines().map(str::trim).filter(|name| name.starts_with(OURS));
    Ok(names.map(str::to_owned).collect())
}

/// The mount points of volumes whose names begin so.
pub(super) fn mounted_snapshots() -> Result<Vec<String>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    // A dash in a name is two in that of its device.
    let ours = mounts.lines().filter(|line| line.contains("-dbbackup--"));
    Ok(ours.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect())
}

/// Both.
pub(super) fn left() -> Result<Vec<String>> {
    Ok([snapshots()?, mounted_snapshots()?].concat())
}

/// Writes a file of random bytes, which nothing compresses, and syncs it.
pub(super) fn fill(path: &Path, mebibytes: u32) -> Result<()> {
    let (to, count) = (format!("of={}", path.display()), format!("count={mebibytes}"));
    run_program("dd", &["if=/dev/urandom", &to, "bs=1M", &count, "conv=fsync"])?;
    Ok(())
}
