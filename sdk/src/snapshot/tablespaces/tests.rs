use super::{is_tablespace, look_at, outermost};
use std::path::Path;

#[test]
fn files_of_pages_are_known_by_their_names() {
    for name in ["shop/orders.ibd", "mysql.ibd", "undo_001", "undo001", "more.ibu"] {
        assert!(is_tablespace(&Path::new("/data").join(name)), "{name}");
    }
    for name in ["ib_logfile0", "undo_1_trunc.log", "binlog.000001", "shop/notes.MYD"] {
        assert!(!is_tablespace(&Path::new("/data").join(name)), "{name}");
    }
}

#[test]
fn a_directory_inside_of_another_one_is_walked_through_once() {
    let roots = ["/data", "/data/undo", "/data2", "/redo"].map(Path::new).into();
    assert_eq!(outermost(&roots), ["/data", "/data2", "/redo"].map(Path::new));
}

#[test]
fn a_tablespace_is_looked_at_and_one_that_is_gone_is_none() {
    let path = std::env::temp_dir().join(format!("dbbackup-sdk-space-{}.ibd", std::process::id()));
    std::fs::write(&path, [0; 5000]).unwrap();
    let found = look_at(path.clone()).unwrap().unwrap();
    assert_eq!((found.path.as_path(), found.bytes), (path.as_path(), 5000));
    assert!(found.block_bytes > 0);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(look_at(path).unwrap(), None);
}
