//! Order by content, incomplete things shown as such, freshness by the newest complete backup.
use super::{Catalog, EntryState, Freshness, parse_head};
use crate::manifest::{self, ManifestError, tests::manifest};
use std::{fs, path::Path, time::Duration};

fn put(directory: &Path, name: &str, consistent: &str, bytes: usize) {
    let mut document = manifest(name, name, 10);
    document.times.consistent = Some(consistent.to_owned());
    let path = directory.join(format!("{name}.manifest.json"));
    fs::write(path, manifest::to_bytes(&document).unwrap()).unwrap();
    if bytes > 0 {
        fs::write(directory.join(name), vec![0; bytes]).unwrap();
    }
}

#[test]
fn newest_content_comes_first_whatever_the_files_times_are() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "b.tar", "2026-03-01T00:00:00Z", 10);
    put(directory.path(), "a.tar", "2026-01-01T00:00:00Z", 10);
    put(directory.path(), "c.tar", "2026-02-01T00:00:00Z", 10);
    let catalog = Catalog::scan(directory.path()).unwrap();
    let ids: Vec<_> =
        catalog.entries.iter().map(|e| e.backup.as_ref().unwrap().id.as_str()).collect();
    assert_eq!(ids, ["b.tar", "c.tar", "a.tar"]);
}

#[test]
fn what_lacks_bytes_or_manifest_is_incomplete_and_never_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "short.tar", "2026-05-01T00:00:00Z", 3);
    put(directory.path(), "gone.tar", "2026-06-01T00:00:00Z", 0);
    put(directory.path(), "good.tar", "2026-01-01T00:00:00Z", 10);
    fs::write(directory.path().join("bare.tar.gz"), "bytes").unwrap();
    fs::write(directory.path().join("new.tar.gz.partial"), "bytes").unwrap();
    fs::write(directory.path().join("letter.txt"), "dear").unwrap();
    let catalog = Catalog::scan(directory.path()).unwrap();
    let incomplete = catalog
        .entries
        .iter()
        .filter(|entry| matches!(entry.state, EntryState::Incomplete { .. }))
        .count();
    assert_eq!((catalog.entries.len(), incomplete), (5, 4));
    assert_eq!(catalog.newest().unwrap().artefact, directory.path().join("good.tar").into());
}

#[test]
fn freshness_is_that_of_the_newest_complete_backup() {
    let directory = tempfile::tempdir().unwrap();
    let now = "2026-01-02T00:00:00Z".parse().unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let fresh = |max_age| Catalog::scan(directory.path()).unwrap().freshness(now, max_age);
    assert_eq!(fresh(hours(26)), Freshness::NoBackup);
    put(directory.path(), "a.tar", "2026-01-01T00:00:00Z", 10);
    assert_eq!(fresh(hours(26)), Freshness::Fresh { age: hours(24) });
    assert_eq!(fresh(hours(23)), Freshness::TooOld { age: hours(24) });
}

#[test]
fn a_newer_schema_is_told_by_itself_whatever_its_shape() {
    let error = |text: &str| parse_head(text.as_bytes(), Path::new("m")).unwrap_err();
    let newer = error(r#"{"id":7,"schema":"dbbackup.manifest/2"}"#);
    assert!(matches!(newer, ManifestError::Newer { .. }), "{newer}");
    for text in [r#"{"schema":"dbbackup.manifest/1","id":7}"#, r#"{"schema":"#, r#"{"id":"b"}"#] {
        let malformed = error(text);
        assert!(matches!(malformed, ManifestError::Malformed { .. }), "{text}: {malformed}");
    }
}

#[test]
fn a_manifest_that_has_outlived_its_artefact_is_one_incomplete_entry() {
    let directory = tempfile::tempdir().unwrap();
    put(directory.path(), "gone.tar", "2026-06-01T00:00:00Z", 0);
    let catalog = Catalog::scan(&directory.path().join("gone.tar")).unwrap();
    assert!(matches!(catalog.entries[..], [ref entry] if entry.backup.is_some()));
    assert_eq!(catalog.newest(), None);
    assert!(Catalog::scan(&directory.path().join("never.tar")).is_err());
}

#[test]
fn a_backup_of_several_objects_is_whole_where_they_lie_beside_its_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    // As copied from a store where it had replaced another.
    let mut document = manifest("db.tar", "db.b1.tar", 10);
    let mut continued = document.objects[0].clone();
    continued.name = "db.b1.tar.0002".to_owned();
    continued.size_bytes = 4;
    document.objects.push(continued);
    fs::write(at("db.tar.manifest.json"), manifest::to_bytes(&document).unwrap()).unwrap();
    fs::write(at("db.b1.tar"), [0; 10]).unwrap();
    let only = || {
        let catalog = Catalog::scan(directory.path()).unwrap();
        assert_eq!(catalog.entries.len(), 1, "{catalog:?}");
        let entry = catalog.entries[0].clone();
        assert_eq!(entry.artefact, at("db.tar").into());
        entry.state
    };
    let incomplete = |why: &str| EntryState::Incomplete { why: why.to_owned() };
    assert_eq!(only(), incomplete("object db.b1.tar.0002 is missing"));
    fs::write(at("db.b1.tar.0002"), [0; 3]).unwrap();
    assert_eq!(only(), incomplete("object db.b1.tar.0002 has 3 bytes instead of 4"));
    fs::write(at("db.b1.tar.0002"), [0; 4]).unwrap();
    assert!(!matches!(only(), EntryState::Incomplete { .. }));
    // Under the name of the backup it is the same.
    fs::copy(at("db.b1.tar"), at("db.tar")).unwrap();
    fs::remove_file(at("db.b1.tar")).unwrap();
    assert!(!matches!(only(), EntryState::Incomplete { .. }));
}
