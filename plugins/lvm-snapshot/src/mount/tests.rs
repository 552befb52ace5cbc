use super::{mount, unmount};
use std::path::Path;

#[test]
fn a_snapshot_is_mounted_for_reading_and_its_journal_is_replayed() {
    let words = |filesystem| {
        mount("/dev/mapper/vg-dbbackup--7", filesystem, Path::new("/run/a b")).words().join("|")
    };
    let ext4 = "mount|-t|ext4|-o|ro,nosuid,nodev,noexec|/dev/mapper/vg-dbbackup--7|/run/a b";
    assert_eq!(words("ext4"), ext4);
    assert!(words("xfs").contains("noexec,nouuid|"));
    for filesystem in ["ext4", "xfs"] {
        let words = words(filesystem);
        assert!(!words.contains("norecovery") && !words.contains("noload"), "{words}");
    }
    assert_eq!(unmount(Path::new("/run/a b")).words(), ["umount", "/run/a b"]);
}
