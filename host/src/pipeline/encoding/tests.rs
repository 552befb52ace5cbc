//! Endings: both ways, and what is refused.
use super::{Compression, Container, Encoding};

#[test]
fn every_ending_is_read_and_written_back() {
    for ending in [".sql", ".sql.gz", ".sql.zst", ".tar", ".tar.gz", ".tar.zst"] {
        for name in [format!("shop{ending}"), format!("shop{ending}.age")] {
            let encoding = Encoding::from_output_name(&name).unwrap();
            assert_eq!(format!("shop{encoding}"), name);
            let json = serde_json::to_string(&encoding).unwrap();
            assert_eq!(serde_json::from_str::<Encoding>(&json).unwrap(), encoding);
        }
    }
    let tgz = Encoding::from_output_name("a.tgz").unwrap();
    assert_eq!(tgz, Encoding::new(Container::Tar, Compression::Gzip));
    let directory = Encoding::from_output_name("backups/monday/").unwrap();
    assert_eq!(directory.container(), Container::Directory);
    assert_eq!(directory.to_string(), "/");
}

#[test]
fn other_endings_are_refused_with_the_list() {
    for name in ["", "shop", "shop.gz", "shop.zip", "shop.sql.xz", "dir/.age", "shop.age", "sql"] {
        let error = Encoding::from_output_name(name).unwrap_err().to_string();
        assert!(error.contains(".tar.zst") && error.contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn directories_are_neither_compressed_nor_encrypted() {
    let directory = Encoding::new(Container::Directory, Compression::Zstd).encrypted();
    assert_eq!(directory.to_string(), "/");
    assert!(!directory.is_encrypted());
}
