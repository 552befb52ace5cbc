use super::SnapshotView;
use std::path::Path;

#[test]
fn the_deepest_prefix_counts() {
    let pair = |live: &str, inside: &str| (live.into(), inside.into());
    let view = SnapshotView::new(vec![
        pair("/data", "/data/.zfs/snapshot/s"),
        pair("/data/logs", "/data/logs/.zfs/snapshot/s"),
    ]);
    let of = |live: &str| view.of(Path::new(live));
    assert_eq!(of("/data").as_deref(), Some(Path::new("/data/.zfs/snapshot/s")));
    assert_eq!(of("/data/a/b").as_deref(), Some(Path::new("/data/.zfs/snapshot/s/a/b")));
    assert_eq!(of("/data/logs/x").as_deref(), Some(Path::new("/data/logs/.zfs/snapshot/s/x")));
    assert_eq!(of("/database"), None);
}
