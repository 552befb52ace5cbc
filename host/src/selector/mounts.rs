//! Where a path lies on this machine: mount point, device, file system, free space.
use super::{local::Proof, paths::UsedPath};
use dbbackup_plugin_api::document::environment::PathFacts;
use std::{
    fs, io,
    os::unix::{
        ffi::OsStringExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

/// Where the kernel describes block devices by their numbers.
const BLOCK_DEVICES: &str = "/sys/dev/block";

/// The mounts of this process, in the kernel's order: of equals the last one is on top.
pub(super) struct Table(Vec<Mount>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    device: String,
    filesystem: String,
    /// `major:minor` as in the mount table.
    number: String,
}

impl Table {
    pub(super) fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read("/proc/self/mountinfo")?))
    }

    fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(Mount::parse).collect())
    }

    /// Facts of a path that is on this machine; none for one that is not.
    pub(super) fn facts(&self, used: UsedPath, proof: &Proof) -> Option<PathFacts> {
        let real = used.path.canonicalize().ok()?;
        let mount = self.holding(&real)?;
        let mapped = mapped_device(mount, Path::new(BLOCK_DEVICES));
        Some(PathFacts {
            role: used.role,
            mount: mount.point.clone(),
            device: mapped.unwrap_or_else(|| mount.device.clone()),
            filesystem: mount.filesystem.clone(),
            free_bytes: free_bytes(&real).unwrap_or_default(),
            proven_local: proof.covers(&used.path),
            path: used.path,
        })
    }

    /// The mount that a real path lies in: by the longest mount point, the topmost of equals. Where
    /// the device number of the path names another mount of the table (a bind mount over a parent),
    /// the number decides.
    fn holding(&self, real: &Path) -> Option<&Mount> {
        let length = |mount: &&Mount| mount.point.as_os_str().len();
        let candidates = || self.0.iter().filter(|mount| real.starts_with(&mount.point));
        let longest = candidates().max_by_key(length)?;
        let number = device_number(real);
        let same = candidates().filter(|mount| Some(&mount.number) == number.as_ref());
        Some(
            same.max_by_key(length)
                .filter(|same| length(same) == length(&longest))
                .unwrap_or(longest),
        )
    }
}

/// The name of a device-mapper device, `/dev/mapper/<group>-<volume>` for LVM, whatever name it was
/// mounted by (`/dev/<group>/<volume>`, `/dev/dm-3`, `/dev/root`). File systems with subvolumes have
/// a number of their own; there the name that they were mounted by leads to the device.
fn mapped_device(mount: &Mount, block_devices: &Path) -> Option<String> {
    let of_source = || {
        let device =
            fs::metadata(mount.device.strip_prefix("/dev/").map(|_| &mount.device)?).ok()?;
        device.file_type().is_block_device().then(|| number(device.rdev()))
    };
    let named = |number: &str| {
        let name = fs::read_to_string(block_devices.join(number).join("dm/name")).ok()?;
        Some(format!("/dev/mapper/{}", name.trim_end()))
    };
    named(&mount.number).or_else(|| named(&of_source()?))
}

fn device_number(path: &Path) -> Option<String> {
    Some(number(fs::metadata(path).ok()?.dev()))
}

/// As the mount table and `/sys` write it.
fn number(device: u64) -> String {
    format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

impl Mount {
    /// `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw`
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let number = String::from_utf8_lossy(fields.nth(2)?).into_owned();
        let point = PathBuf::from(std::ffi::OsString::from_vec(unescape(fields.nth(1)?)));
        let mut after = fields.skip_while(|field| *field != b"-").skip(1);
        let filesystem = String::from_utf8_lossy(after.next()?).into_owned();
        let device = String::from_utf8_lossy(&unescape(after.next()?)).into_owned();
        Some(Self { point, device, filesystem, number })
    }
}

/// The kernel writes blank, tab, newline and backslash as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// Free bytes for this user at a path, or at the nearest parent that exists.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let absolute = std::path::absolute(path).ok()?;
    let existing = absolute.ancestors().find(|path| path.exists())?;
    let space = rustix::fs::statvfs(existing).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
        30 22 0:40 / /var/lib/mysql rw,relatime shared:5 - zfs tank/mysql rw\n\
        31 22 0:41 / /mnt/a\\040b rw - btrfs /dev/sdb rw\n";

    #[test]
    fn the_longest_mount_point_holds_the_path() {
        let table = Table::parse(TABLE);
        let found = |path: &str| table.holding(Path::new(path)).unwrap().device.clone();
        assert_eq!(found("/var/lib/mysql/ibdata1"), "tank/mysql");
        assert_eq!(found("/var/lib/mysqlx"), "/dev/sda1");
        assert_eq!(found("/mnt/a b/c"), "/dev/sdb");
    }

    #[test]
    fn a_logical_volume_has_its_mapper_name_however_it_was_mounted() {
        let devices = tempfile::tempdir().unwrap();
        fs::create_dir_all(devices.path().join("253:0/dm")).unwrap();
        fs::write(devices.path().join("253:0/dm/name"), "vg_mysql-lv_data\n").unwrap();
        let mounted = |line: &str| {
            let mount = Mount::parse(line.as_bytes()).unwrap();
            mapped_device(&mount, devices.path())
        };
        let mapper = Some("/dev/mapper/vg_mysql-lv_data".to_owned());
        for source in ["/dev/vg_mysql/lv_data", "/dev/dm-0", "/dev/root"] {
            assert_eq!(mounted(&format!("30 22 253:0 / /data rw - ext4 {source} rw")), mapper);
        }
        assert_eq!(mounted("31 22 8:1 / / rw - ext4 /dev/no-such-disk rw"), None);
        assert_eq!(mounted("32 22 0:40 / /z rw - zfs tank/mysql rw"), None);
    }

    #[test]
    fn this_machine_has_a_root_mount_and_free_space() {
        let table = Table::read().unwrap();
        assert!(table.holding(Path::new("/")).is_some());
        assert!(free_bytes(Path::new("/tmp/not/there/yet")).unwrap() > 0);
    }
}
