use super::{parse, without_padding};
use serde_json::{Value, json};

fn note() -> Value {
    json!({
        "schema": "dbbackup.plugin/1", "api": "1.0.0", "version": "0.1.0",
        "plugin": {
            "id": "acme", "vendor": "acme", "summary": "one line", "requires": ">=1.0, <2",
            "engines": [{
                "id": "acme", "family": "acme", "summary": "one line",
                "roles": ["dbbackup.role.backup/1"],
            }],
        },
    })
}

fn refused(pointer: &str, value: Value) -> String {
    let mut note = note();
    *note.pointer_mut(pointer).unwrap() = value;
    parse(&note.to_string()).unwrap_err().to_string()
}

#[test]
fn a_plain_note_is_taken_and_unknown_fields_are_kept() {
    let mut note = note();
    note["plugin"]["later"] = json!({"a": 1});
    let parsed = parse(&format!("{note}  ")).unwrap();
    assert_eq!(parsed.plugin.extra["later"], json!({"a": 1}));
    assert_eq!(without_padding("{}  \0\0"), "{}");
}

#[test]
fn what_a_shell_or_a_terminal_would_stumble_over_is_refused() {
    for id in ["", "Acme", "a/b", "../x", "-x", "a b", "ä", &"a".repeat(65)] {
        assert!(refused("/plugin/id", json!(id)).contains("plugin id"), "{id:?}");
        assert!(refused("/plugin/engines/0/id", json!(id)).contains("engine id"), "{id:?}");
        assert!(refused("/plugin/engines/0/family", json!(id)).contains("family"), "{id:?}");
    }
    assert!(refused("/plugin/summary", json!("a\u{1b}[31m")).contains("control characters"));
    assert!(refused("/plugin/vendor", json!("two\nlines")).contains("control characters"));
    assert!(refused("/plugin/engines/0/roles", json!(["no revision"])).contains("name/revision"));
}

#[test]
fn what_is_missing_or_double_is_refused() {
    assert!(refused("/plugin/engines", json!([])).contains("no engine"));
    assert!(refused("/plugin/engines/0/roles", json!([])).contains("plays no role"));
    let engine = note()["plugin"]["engines"][0].clone();
    assert!(refused("/plugin/engines", json!([engine, engine])).contains("twice"));
    assert!(refused("/schema", json!("dbbackup.plugin/2")).contains("dbbackup.plugin/2"));
    assert!(refused("/api", json!("new")).contains("malformed note"));
    assert!(parse("not json").is_err());
}
