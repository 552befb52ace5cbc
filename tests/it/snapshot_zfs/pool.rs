//! Datasets inside of a guest, made and looked at with ZFS's own tools, and a user who owns them.
use anyhow::{Result, ensure};
use dbbackup_testkit::{env, run_program};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the dataset of the servers is mounted.
pub(super) const MOUNT: &str = "/srv/mysql";
/// Where the other pool is mounted.
pub(super) const OTHER: &str = "/srv/other";
/// The user that servers and dbbackup run as.
pub(super) const USER: &str = "mysql";
const UID: &str = "4711";
const HOME: &str = "/home/mysql";

/// Makes the pools, with a dataset for servers and one for redo logs inside of it.
pub(super) fn make() -> Result<()> {
    run_program("zpool", &["create", "-O", "compression=lz4", "tank", "/dev/ubda"])?;
    run_program("zpool", &["create", "-m", OTHER, "other", "/dev/ubdb"])?;
    run_program("zfs", &["create", "-o", &format!("mountpoint={MOUNT}"), "tank/mysql"])?;
    run_program("zfs", &["create", "tank/mysql/redo"])?;
    Ok(())
}

/// The snapshots whose names begin like ours.
pub(super) fn snapshots() -> Result<Vec<String>> {
    let names = run_program("zfs", &["list", "-H", "-o", "name", "-t", "snapshot"])?;
    Ok(names.lines().filter(|name| name.contains("@dbbackup-")).map(str::to_owned).collect())
}

/// Makes the user, who may read what the tests are built from and owns the datasets.
pub(super) fn make_user() -> Result<()> {
    let mut accounts = format!("{USER}:x:{UID}:{UID}::{HOME}:/bin/sh\n");
    // The first of a name counts, should this machine have one.
    accounts.push_str(&fs::read_to_string("/etc/passwd")?);
    fs::write("/etc/passwd", accounts)?;
    // As a machine with udev has it.
    fs::set_permissions("/dev/zfs", fs::Permissions::from_mode(0o666))?;
    // For the step that puts another program in the place of one of ZFS's.
    fs::set_permissions("/usr/local/sbin", fs::Permissions::from_mode(0o777))?;
    let cache = env::cache_root()?;
    for path in [cache.clone(), std::env::current_exe()?, dbbackup_testkit::workspace_root()?] {
        open_ancestors(&path)?;
    }
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755))?;
    let own = PathBuf::from(HOME).join(".cache/dbbackup-testbed");
    fs::create_dir_all(&own)?;
    for entry in fs::read_dir(&cache)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = own.join(&name);
        if name.starts_with("tree-") || name.starts_with("seaweedfs-") {
            symlink(&path, &place)?;
        } else if name.starts_with("datadir-") {
            run_program("cp", &["-r", &path.display().to_string(), &place.display().to_string()])?;
        }
    }
    for path in [HOME, MOUNT, &format!("{MOUNT}/redo"), OTHER] {
        run_program("chown", &["-R", &format!("{UID}:{UID}"), path])?;
    }
    Ok(())
}

/// In the guest's own view of the files, so that nothing outside changes.
fn open_ancestors(path: &Path) -> Result<()> {
    for directory in path.ancestors().skip(1) {
        let mode = fs::metadata(directory)?.permissions().mode();
        if mode & 0o5 != 0o5 {
            fs::set_permissions(directory, fs::Permissions::from_mode(mode | 0o5))?;
        }
    }
    Ok(())
}

/// Runs another scenario of this program as the user; its steps are printed among ours.
pub(super) fn as_user(scenario: &str) -> Result<()> {
    let name = format!("snapshot_zfs::inside::{scenario}");
    let status = Command::new("setpriv")
        .args(["--reuid", UID, "--regid", UID, "--clear-groups"])
        .arg(std::env::current_exe()?)
        .args(["--exact", &name, "--ignored", "--nocapture", "--test-threads=1"])
        .env("HOME", HOME)
        .env("XDG_CACHE_HOME", Path::new(HOME).join(".cache"))
        .current_dir(HOME)
        .status()?;
    ensure!(status.success(), "{scenario} ended with {status}");
    Ok(())
}
