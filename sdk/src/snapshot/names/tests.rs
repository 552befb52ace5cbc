use super::{is_snapshot_name, snapshot_name};

#[test]
fn only_our_own_names_count() {
    assert_eq!(snapshot_name("20260101T000000Z-00a1"), "dbbackup-20260101T000000Z-00a1");
    assert!(is_snapshot_name(&snapshot_name("a/../b@c")));
    assert!(is_snapshot_name(&snapshot_name(&"x".repeat(1000))));
    for name in ["", "dbbackup-", "mysql", "dbbackup-a/b", "dbbackup-..", "/dbbackup-a"] {
        assert!(!is_snapshot_name(name), "{name}");
    }
}
