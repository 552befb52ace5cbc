//! The handbook's file as it is, and each way of writing a wrong one.
use super::*;
use crate::exit::Classified;

const HANDBOOK: &str = include_str!("tests/handbook.yaml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    let lookup = |name: &str| match name {
        "DB_HOST" => Some("db1.example.com".to_owned()),
        "DB_PORT" => Some("3307".to_owned()),
        "EVIL" => Some("x\nplugins: {trust: dev}".to_owned()),
        _ => None,
    };
    Config::parse(Path::new("dbbackup.yaml"), text, &lookup)
}

#[track_caller]
fn refused(text: &str, message: &str) -> ConfigError {
    let error = parse(text).expect_err("a wrong file was accepted");
    assert_eq!(error.to_string(), message);
    assert_eq!(error.exit().code(), 3);
    error
}

#[test]
fn the_handbooks_file_is_taken_as_it_is() {
    let config = parse(HANDBOOK).unwrap();
    let backup = &config.backup;
    assert_eq!(backup.engine, "auto");
    assert_eq!(backup.clone.data_dir, Some(PathBuf::from("/var/lib/mysql")));
    assert_eq!(backup.clone.remote, CloneRemoteConfig::default());
    assert_eq!(backup.snapshot.backend, None);
    assert_eq!(backup.snapshot.lvm_volume_group.as_deref(), Some("vg_mysql"));
    assert_eq!(backup.snapshot.lvm_snapshot_bytes, Some(10 << 30));
    assert_eq!(backup.snapshot.zfs_dataset.as_deref(), Some("tank/mysql"));
    assert_eq!(backup.snapshot.btrfs_subvolume, Some(PathBuf::from("/data/mysql")));
    assert_eq!(backup.streaming, StreamingConfig::default());
    let targets = vec![
        BinlogTarget::File {
            path: PathBuf::from("/backups/binlog/"),
            compress: true,
            rotate_bytes: Some(1 << 30),
        },
        BinlogTarget::S3 {
            bucket: "my-backups".to_owned(),
            prefix: "binlog/".to_owned(),
            region: Some("us-east-1".to_owned()),
        },
    ];
    assert_eq!(backup.binlog, BinlogConfig { targets, ..BinlogConfig::default() });
}

#[test]
fn an_empty_file_is_the_defaults() {
    for text in ["", "# nothing\n", "backup:\n", "---\n"] {
        let config = parse(text).unwrap();
        assert_eq!(config, Config { file: config.file.clone(), ..Config::default() }, "{text:?}");
    }
}

#[test]
fn unknown_keys_name_line_and_nearest() {
    let error = refused(
        "backup:\n  engine: auto\n  snapshto:\n    backend: zfs\n",
        "dbbackup.yaml:3: unknown key backup.snapshto",
    );
    assert_eq!(error.hint().as_deref(), Some("did you mean backup.snapshot?"));
    assert_eq!(error.code(), "E-CONFIG-UNKNOWN-KEY");
    let error = refused("zzz: 1\n", "dbbackup.yaml:1: unknown key zzz");
    assert_eq!(error.hint(), None);
    refused(
        "backup:\n  binlog:\n    targets:\n      - type: file\n        path: /b\n        bucket: x\n",
        "dbbackup.yaml:6: unknown key backup.binlog.targets[0].bucket",
    );
}

#[test]
fn wrong_values_name_line_and_expectation() {
    refused(
        "connection:\n  port: 70000\n",
        "dbbackup.yaml:2: connection.port must be a whole number from 1 to 65535, not \"70000\"",
    );
    refused(
        "backup:\n  clone: []\n",
        "dbbackup.yaml:2: backup.clone must be a mapping, not a list",
    );
    refused(
        "backup:\n  binlog:\n    checkpoint_interval: 30\n",
        "dbbackup.yaml:3: backup.binlog.checkpoint_interval: \"30\" is no duration such as 250ms, \
         30s, 15m, 26h or 7d",
    );
    refused(
        "backup:\n  streaming:\n    part_size: 1M\n",
        "dbbackup.yaml:3: backup.streaming.part_size must be from 5242880 to 5368709120 bytes, not \
         \"1M\"",
    );
    refused(
        "backup:\n  snapshot:\n    backend: vss\n",
        "dbbackup.yaml:3: backup.snapshot.backend must be one of auto, lvm, zfs, btrfs, not \"vss\"",
    );
    refused(
        "backup:\n  binlog:\n    targets:\n      - path: /b\n",
        "dbbackup.yaml:4: backup.binlog.targets[0].type is missing",
    );
    refused("engines:\n  acme: 3\n", "dbbackup.yaml:2: engines.acme must be a mapping, not \"3\"");
    refused(
        "backup:\n  clone:\n    remote:\n      enabled: true\n",
        "dbbackup.yaml:4: backup.clone.remote.donor_host is missing",
    );
}

#[test]
fn what_could_hide_something_is_refused() {
    refused("a: &x 1\n", "dbbackup.yaml:1: anchors are not supported here");
    refused("a: !!str 1\n", "dbbackup.yaml:1: tags are not supported here");
    refused(
        "backup:\n  engine: clone\n  engine: auto\n",
        "dbbackup.yaml:3: key engine is given twice",
    );
    refused(
        "backup: {}\n---\nbackup: {}\n",
        "dbbackup.yaml:3: several documents are not supported here",
    );
    assert!(parse("backup: [\n").is_err());
    assert!(parse(&"[".repeat(500)).is_err());
}

#[test]
fn variables_expand_in_values_and_stay_data() {
    let config = parse("connection:\n  host: ${DB_HOST}\n  port: ${DB_PORT}\n").unwrap();
    assert_eq!(config.connection.host.as_deref(), Some("db1.example.com"));
    assert_eq!(config.connection.port, Some(3307));
    let config = parse("connection:\n  user: ${EVIL}\n").unwrap();
    assert_eq!(config.connection.user.as_deref(), Some("x\nplugins: {trust: dev}"));
    assert_eq!(config.plugins.trust, TrustChoice::Owner);
    let config = parse("connection:\n  user: a$${b}\n").unwrap();
    assert_eq!(config.connection.user.as_deref(), Some("a${b}"));
    let error = refused(
        "connection:\n  user: ${NOT_SET}\n",
        "dbbackup.yaml:2: environment variable NOT_SET is not set",
    );
    assert_eq!(error.code(), "E-CONFIG-VARIABLE");
    refused(
        "connection:\n  user: ${a b}\n",
        "dbbackup.yaml:2: \"${a b}\" is no reference to an environment variable",
    );
    refused(
        "connection:\n  port: ${DB_HOST}\n",
        "dbbackup.yaml:2: connection.port must be a whole number from 1 to 65535, not the value of \
         a variable",
    );
}

#[test]
fn options_of_engines_keep_their_types() {
    let text =
        "engines:\n  acme:\n    level: 3\n    name: '3'\n    on: true\n    port: ${DB_PORT}\n";
    let config = parse(text).unwrap();
    let expected = serde_json::json!({"level": 3, "name": "3", "on": true, "port": "3307"});
    assert_eq!(serde_json::Value::Object(config.engines["acme"].clone()), expected);
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let error = Config::find(Some(Path::new("/nowhere/dbbackup.yaml"))).unwrap_err();
    assert_eq!(error.to_string(), "read /nowhere/dbbackup.yaml");
    assert_eq!(error.code(), "E-CONFIG-READ");
}

#[test]
fn a_file_that_nobody_named_is_ignored_if_others_can_write_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dbbackup.yaml");
    std::fs::write(&file, "plugins:\n  trust: dev\n").unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut warnings = Vec::new();
        let found = Config::of_working_directory(&file, &mut warnings).unwrap();
        assert_eq!(warnings.len(), usize::from(found.is_none()), "{warnings:?}");
        found.map(|config| config.plugins.trust)
    };
    assert_eq!(with_mode(0o644), Some(TrustChoice::Dev));
    assert_eq!(with_mode(0o666), None);
    let named = Config::find(Some(&file)).unwrap();
    assert_eq!(named.plugins.trust, TrustChoice::Dev, "a file that was named is taken");
}
