use super::*;

/// A manifest with what the schema demands and nothing more.
pub(in crate::restore) fn manifest() -> serde_json::Value {
    serde_json::json!({
        "schema": "dbbackup.manifest/1", "id": "x", "state": "complete",
        "tool": {"name": "dbbackup", "version": "0", "api": "1"},
        "engine": {"id": "mysqldump", "family": "mysqldump", "plugin": "mysqldump",
            "plugin_version": "0", "plugin_sha256": "", "reason": ""},
        "source": {"flavor": "MySQL", "version": "9.7.4", "hostname": "h", "address": "a"},
        "times": {"started": "", "ended": ""}, "coordinates": {},
        "encoding": {"container": "sql", "compression": "none", "encryption": "none"},
        "objects": [],
        "files": [
            {"kind": "stream", "path": "dump/00-header.sql", "size_bytes": 1},
            {"kind": "stream", "path": "dump/10-schemas/shop.sql", "size_bytes": 1},
            {"kind": "stream", "path": "dump/10-schemas/a%60b%C3%BC.sql", "size_bytes": 1},
            {"kind": "stream", "path": "dump/20-tables/shop/a%2Fb.sql", "size_bytes": 1},
        ],
    })
}

#[test]
fn schemas_are_read_from_the_names_of_entries() {
    let manifest: Manifest = serde_json::from_value(manifest()).unwrap();
    assert_eq!(schemas(&manifest), ["shop", "a`bü"]);
    assert_eq!(tables(&manifest), [("shop".to_owned(), "a/b".to_owned())]);
}
