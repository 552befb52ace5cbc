use super::*;

#[test]
fn bytes_that_are_not_utf8_survive_json() {
    for bytes in [b"shop/orders.ibd".to_vec(), vec![0xff, b'/', 0x00, 0x80], Vec::new()] {
        let path = EntryPath::from_bytes(bytes.clone());
        let json = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<EntryPath>(&json).unwrap().as_bytes(), bytes);
    }
    assert!(serde_json::from_str::<EntryPath>(r#"{"hex":"abc"}"#).is_err());
}

#[test]
fn only_paths_below_the_root_are_safe() {
    for good in ["a", "shop/orders.ibd", "..a/b..", "#innodb_redo/#ib_redo1"] {
        assert!(EntryPath::from(good).is_safe(), "{good}");
    }
    for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\0b", ".."] {
        assert!(!EntryPath::from(bad).is_safe(), "{bad}");
    }
}
