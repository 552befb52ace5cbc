//! Manifests are read whole or refused.
use super::{ManifestError, Written, assemble, parse, read, rfc3339, roots_of, to_bytes};
use crate::supervisor::job::ManifestDraft;
use dbbackup_plugin_api::document::{
    backup::BackupSummary,
    manifest::{
        BackupState, EncodingRecord, EngineRecord, FileRecord, Manifest, ObjectRecord, PagesRecord,
        SourceRecord,
    },
};
use jiff::Timestamp;
use serde_json::json;
use std::{collections::BTreeMap, path::Path};

/// A draft for tests of this crate.
pub(crate) fn draft(id: &str) -> ManifestDraft {
    ManifestDraft {
        id: id.to_owned(),
        engine: EngineRecord {
            id: "acme".to_owned(),
            family: "acme".to_owned(),
            plugin: "acme".to_owned(),
            plugin_version: "1.0.0".to_owned(),
            plugin_sha256: String::new(),
            reason: "asked for".to_owned(),
        },
        source: SourceRecord {
            flavor: "MySQL".to_owned(),
            version: "9.7.4".to_owned(),
            uuid: None,
            hostname: "db".to_owned(),
            address: "db:3306".to_owned(),
            platform: String::new(),
            facts: serde_json::Map::new(),
        },
        roots: BTreeMap::new(),
        encoding: EncodingRecord {
            container: "tar".to_owned(),
            compression: "none".to_owned(),
            encryption: "none".to_owned(),
            recipients: Vec::new(),
        },
        started: "2026-01-02T03:04:05.000Z".to_owned(),
    }
}

/// A manifest of one object.
pub(crate) fn manifest(id: &str, name: &str, size_bytes: u64) -> Manifest {
    let object =
        ObjectRecord { name: name.to_owned(), size_bytes, sha256: "00".to_owned(), checksum: None };
    let written = Written {
        summary: BackupSummary::default(),
        files: Vec::new(),
        objects: vec![object],
        pages: PagesRecord::default(),
    };
    assemble(draft(id), written, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_written_manifest_is_read_back_equal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db.tar.manifest.json");
    let written = manifest("b1", "db.tar", 10);
    std::fs::write(&path, to_bytes(&written).unwrap()).unwrap();
    assert_eq!(read(&path).unwrap(), written);
    assert_eq!(written.state, BackupState::Complete);
}

#[test]
fn a_newer_schema_is_refused_before_anything_else_is_read() {
    let error = parse(br#"{"schema":"dbbackup.manifest/2","id":7}"#, Path::new("m")).unwrap_err();
    assert!(matches!(error, ManifestError::Newer { .. }), "{error}");
}

#[test]
fn objects_lie_beside_their_manifest_and_nowhere_else() {
    for name in ["../shadow", "/etc/shadow", "a/b", ".."] {
        let bytes = to_bytes(&manifest("b1", name, 10)).unwrap();
        let error = parse(&bytes, Path::new("m")).unwrap_err();
        assert!(matches!(error, ManifestError::Malformed { .. }), "{name}: {error}");
    }
}

#[test]
fn missing_and_damaged_manifests_are_told_apart() {
    let missing = read(Path::new("/nonexistent/m.json")).unwrap_err();
    assert!(matches!(missing, ManifestError::Missing { .. }), "{missing}");
    let itself = read(Path::new("/nonexistent/m.tar.manifest.json.manifest.json")).unwrap_err();
    let text =
        "/nonexistent/m.tar.manifest.json is a manifest: name its backup, /nonexistent/m.tar";
    assert_eq!(itself.to_string(), text);
    let mut bytes = to_bytes(&manifest("b1", "db.tar", 10)).unwrap();
    bytes.truncate(bytes.len() / 2);
    let damaged = parse(&bytes, Path::new("m")).unwrap_err();
    assert!(matches!(damaged, ManifestError::Malformed { .. }), "{damaged}");
}

#[test]
fn bad_pages_and_the_engines_doubts_make_a_backup_degraded() {
    let written = |bad, degraded: &[&str]| Written {
        summary: BackupSummary {
            degraded: degraded.iter().map(|text| (*text).to_owned()).collect(),
            ..BackupSummary::default()
        },
        files: Vec::new(),
        objects: Vec::new(),
        pages: PagesRecord { checked: 5, unchecked: 0, bad },
    };
    let state = |written| assemble(draft("b1"), written, Timestamp::UNIX_EPOCH).state;
    assert_eq!(state(written(0, &[])), BackupState::Complete);
    assert_eq!(state(written(1, &[])), BackupState::Degraded);
    assert_eq!(state(written(0, &["MyISAM tables are not consistent"])), BackupState::Degraded);
}

/// A clone's streams may lead to a directory that no member lies below.
#[test]
fn an_engines_roots_stay_and_those_of_the_environment_need_a_member() {
    let member: FileRecord =
        serde_json::from_value(json!({"kind": "file", "path": "data/ibdata1", "size_bytes": 1}))
            .unwrap();
    let files = [member];
    let named = |names: &[&str]| -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), format!("/{name}"))).collect()
    };
    let environment = named(&["data", "data2", "undo"]);
    let engine = named(&["data", "external/1"]);
    assert_eq!(roots_of(environment.clone(), &engine, &files), engine);
    assert_eq!(roots_of(environment.clone(), &BTreeMap::new(), &files), named(&["data"]));
    assert_eq!(roots_of(environment, &BTreeMap::new(), &[]), BTreeMap::new());
}

#[test]
fn times_have_milliseconds_and_a_zone() {
    assert_eq!(rfc3339(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
}
