use super::{LockEntry, LockFile, LockFileError, Sha256};
use semver::Version;

fn entry(id: &str) -> LockEntry {
    LockEntry {
        id: id.to_owned(),
        file: format!("lib{id}.so"),
        version: Version::new(1, 0, 0),
        api: Version::new(1, 0, 0),
        sha256: Sha256::of(id.as_bytes()),
        size_bytes: 1,
        modified_ns: 2,
        inode: 3,
        source: "a test".to_owned(),
        enabled: true,
    }
}

#[test]
fn what_is_written_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(LockFile::read(directory.path()).unwrap(), LockFile::default());
    let mut lock = LockFile::default();
    lock.replace(entry("b"));
    lock.replace(entry("a"));
    lock.set_enabled("c", false);
    lock.write(directory.path()).unwrap();
    let read = LockFile::read(directory.path()).unwrap();
    assert_eq!(read, lock);
    assert_eq!(read.plugins[0].id, "a", "by id, whatever the order of pinning");
    let names: Vec<_> = directory.path().read_dir().unwrap().collect();
    assert_eq!(names.len(), 1, "no temporary file is left");
}

#[test]
fn disabling_works_with_and_without_an_entry() {
    let mut lock = LockFile::default();
    lock.replace(entry("pinned"));
    for id in ["pinned", "loose"] {
        assert!(lock.set_enabled(id, false));
        assert!(!lock.set_enabled(id, false));
        assert!(lock.is_disabled(id));
        assert!(lock.set_enabled(id, true));
        assert!(!lock.is_disabled(id));
    }
    assert!(lock.remove("pinned") && !lock.remove("pinned"));
}

#[test]
fn a_lock_file_that_cannot_be_understood_is_an_error_never_empty() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("plugins.lock");
    std::fs::write(&file, "{").unwrap();
    assert!(matches!(LockFile::read(directory.path()), Err(LockFileError::Malformed { .. })));
    std::fs::write(&file, r#"{"schema": "dbbackup.plugins-lock/2"}"#).unwrap();
    assert!(matches!(LockFile::read(directory.path()), Err(LockFileError::OtherSchema { .. })));
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    assert!(matches!(LockFile::read(directory.path()), Err(LockFileError::Untrusted { .. })));
}

#[test]
fn a_digest_is_64_digits() {
    let digest = Sha256::of(b"");
    let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest.to_string(), text);
    assert_eq!(text.parse::<Sha256>().unwrap(), digest);
    for wrong in ["", "e3b0", &text.replace('e', "g"), &format!("{text}00")] {
        assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
    }
}
