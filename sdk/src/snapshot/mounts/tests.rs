use super::Mounts;
use std::path::Path;

const TABLE: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
    35 26 254:0 / /srv/my\\040sql rw,relatime - ext4 /dev/mapper/vg-lv rw\n\
    36 26 254:0 /data /var/lib/mysql rw shared:5 - ext4 /dev/mapper/vg-lv rw\n\
    38 28 0:35 / /tank/mysql rw,relatime - zfs tank/mysql rw\n\
    39 38 0:36 / /tank/mysql/redo rw,relatime - zfs tank/mysql/redo rw\n\
    garbage\n";

fn device(major: u32, minor: u32) -> u64 {
    rustix::fs::makedev(major, minor)
}

#[test]
fn a_path_is_reached_through_the_mount_of_its_own_file_system() {
    let mounts = Mounts::parse(TABLE);
    let at = |path: &str, number| mounts.holding(Path::new(path), number).unwrap();
    let bound = at("/var/lib/mysql/shop", device(254, 0));
    assert_eq!((bound.root.to_str(), bound.source.as_str()), (Some("/data"), "/dev/mapper/vg-lv"));
    assert_eq!(at("/srv/my sql/x", device(254, 0)).root, Path::new("/"));
    assert_eq!(at("/tank/mysql/redo", device(0, 36)).source, "tank/mysql/redo");
    assert!(mounts.holding(Path::new("/tank/mysql/redo"), device(0, 99)).is_none());
}

#[test]
fn the_whole_of_a_file_system_is_found_beside_a_bind_mount() {
    let mounts = Mounts::parse(TABLE);
    assert_eq!(mounts.whole(device(254, 0)).unwrap().point, Path::new("/srv/my sql"));
    assert!(mounts.whole(device(9, 9)).is_none());
    assert_eq!(mounts.at(Path::new("/tank/mysql")).unwrap().number, (0, 35));
}
