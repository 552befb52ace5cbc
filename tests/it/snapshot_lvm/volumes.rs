//! Logical volumes inside of a guest, made and looked at with LVM's own tools.
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The volume group on the guest's disk.
pub(super) const GROUP: &str = "vg_mysql";
/// What the names of our snapshots begin with.
const OURS: &str = "dbbackup-";

/// Runs a program to its end and returns what it printed.
pub(super) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{program} {arguments:?}: {}: {complained}", output.status);
    Ok(said.into_owned())
}

/// Makes the volume group.
pub(super) fn make_group() -> Result<()> {
    run("pvcreate", &["/dev/ubda"])?;
    run("vgcreate", &[GROUP, "/dev/ubda"])?;
    Ok(())
}

/// Makes a thick volume with ext4 and mounts it.
pub(super) fn thick(name: &str, size: &str) -> Result<PathBuf> {
    run("lvcreate", &["--yes", "--size", size, "--name", name, GROUP])?;
    mounted(name, &["mkfs.ext4", "-q"])
}

/// Makes a thin volume with XFS in a pool of its own and mounts it.
pub(super) fn thin(name: &str, pool_size: &str, size: &str) -> Result<PathBuf> {
    let pool = format!("{GROUP}/pool");
    let words = ["--yes", "--size", pool_size, "--thinpool", &pool, "--virtualsize", size];
    run("lvcreate", &[&words[..], &["--name", name]].concat())?;
    mounted(name, &["mkfs.xfs", "-q"])
}

fn mounted(name: &str, make: &[&str]) -> Result<PathBuf> {
    let device = format!("/dev/{GROUP}/{name}");
    let (program, options) = make.split_first().context("a program")?;
    run(program, &[options, &[&device]].concat())?;
    let point = PathBuf::from("/srv").join(name);
    fs::create_dir_all(&point)?;
    run("mount", &[&device, &point.display().to_string()])?;
    Ok(point)
}

/// The volumes whose names begin like those of our snapshots.
pub(super) fn snapshots() -> Result<Vec<String>> {
    let names = run("lvs", &["--noheadings", "--options", "lv_name", GROUP])?;
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

/// Writes a file of random bytes, which nothing compresses, and syncs it.
pub(super) fn fill(path: &Path, mebibytes: u32) -> Result<()> {
    let (to, count) = (format!("of={}", path.display()), format!("count={mebibytes}"));
    run("dd", &["if=/dev/urandom", &to, "bs=1M", &count, "conv=fsync"])?;
    Ok(())
}
