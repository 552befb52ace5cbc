//! Texts become what the schema asks for, or are named.
use super::*;
use serde_json::json;

fn engine() -> EngineManifest {
    serde_json::from_value(json!({
        "id": "acme", "family": "acme", "summary": "", "roles": [],
        "options_schema": {"type": "object", "additionalProperties": false, "properties": {
            "level": {"type": "integer"}, "fast": {"type": "boolean"},
            "name": {"type": "string"}, "databases": {"type": "array", "items": {"type": "string"}},
        }},
    }))
    .unwrap()
}

fn given(pairs: &[(&str, &str)]) -> EngineOptions {
    let given = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    EngineOptions { given, ..EngineOptions::default() }
}

#[test]
fn texts_become_the_types_of_the_schema() {
    let pairs =
        [("level", "3"), ("fast", "true"), ("name", "3"), ("databases", "a,b"), ("databases", "c")];
    let options = given(&pairs).of(&engine()).unwrap();
    let expected = json!({"level": 3, "fast": true, "name": "3", "databases": ["a", "b", "c"]});
    assert_eq!(options, expected);
}

#[test]
fn a_flag_overrides_the_file() {
    let mut options = given(&[("level", "9")]);
    let file = json!({"level": 1, "fast": "true"}).as_object().unwrap().clone();
    options.by_engine.insert("acme".to_owned(), file);
    assert_eq!(options.of(&engine()).unwrap(), json!({"level": 9, "fast": true}));
}

#[test]
fn the_keys_of_the_handbook_are_options_of_their_engines() {
    let mut config = Config::default();
    config.backup.clone.data_dir = Some("/clones".into());
    config.backup.snapshot.btrfs_subvolume = Some("/data/mysql".into());
    config.backup.snapshot.zfs_dataset = Some("tank/mysql".to_owned());
    let own = json!({"dataset": "tank/other"}).as_object().unwrap().clone();
    config.engines.insert("zfs-snapshot".to_owned(), own);
    let options = EngineOptions::of_config(&config).by_engine;
    assert_eq!(Value::from(options["btrfs-snapshot"].clone()), json!({"subvolume": "/data/mysql"}));
    assert_eq!(Value::from(options["zfs-snapshot"].clone()), json!({"dataset": "tank/other"}));
    assert_eq!(Value::from(options["clone"].clone()), json!({"data_dir": "/clones"}));
    assert!(!options.contains_key("lvm-snapshot"));
}

#[test]
fn mistakes_are_named() {
    let error = given(&[("level", "many")]).of(&engine()).unwrap_err().to_string();
    assert!(error.contains("level"), "{error}");
    let error = given(&[("lvel", "3")]).of(&engine()).unwrap_err();
    assert_eq!(error.to_string(), "options of engine 'acme': unknown option 'lvel'");
}

#[test]
fn what_a_run_requires_must_be_an_option() {
    let mut open = engine();
    open.options_schema = json!({"type": "object"});
    let options =
        EngineOptions { required: vec![("databases", json!(["a"]))], ..EngineOptions::default() };
    assert!(options.of(&engine()).is_ok());
    assert!(options.of(&open).is_err());
}
