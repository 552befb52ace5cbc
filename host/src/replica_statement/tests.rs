use super::*;
use crate::exit::Exit;
use serde_json::json;

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

fn manifest(flavor: &str, version: &str, more: serde_json::Value) -> Manifest {
    let mut document = json!({
        "schema": "dbbackup.manifest/1", "id": "b1", "state": "complete",
        "tool": {"name": "dbbackup", "version": "0", "api": "1"},
        "engine": {"id": "e", "family": "e", "plugin": "e", "plugin_version": "0",
                   "plugin_sha256": "", "reason": ""},
        "source": {"flavor": flavor, "version": version, "hostname": "db0",
                   "address": "db1.example:3307", "port": 3307},
        "times": {"started": "", "ended": ""}, "coordinates": {},
        "encoding": {"container": "sql", "compression": "none", "encryption": "none"},
        "objects": [], "files": [],
    });
    merge(&mut document, more);
    serde_json::from_value(document).unwrap()
}

fn merge(into: &mut serde_json::Value, more: serde_json::Value) {
    match (into, more) {
        (serde_json::Value::Object(into), serde_json::Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

fn exact(gtid: &str) -> serde_json::Value {
    json!({"precision": "exact", "binlog": "binlog.000007:158", "gtid": gtid})
}

fn statements(manifest: &Manifest, at: usize) -> Vec<String> {
    attachments(manifest).unwrap()[at].statements.clone()
}

#[test]
fn mysql_by_gtid_in_new_and_old_words() {
    let set = format!("{UUID}:1-77");
    let more = json!({"coordinates": exact(&set), "source": {"tls": true, "gtid_in_use": true}});
    assert_eq!(
        statements(&manifest("MySQL", "9.7.4", more.clone()), 0),
        [
            "RESET BINARY LOGS AND GTIDS;".to_owned(),
            format!("SET GLOBAL gtid_purged = '{set}';"),
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'db1.example', SOURCE_PORT = 3307, \
             SOURCE_USER = 'REPLICATION_USER', SOURCE_PASSWORD = 'REPLICATION_PASSWORD', \
             SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1;"
                .to_owned(),
            "START REPLICA;".to_owned(),
        ]
    );
    let old = statements(&manifest("MySQL", "5.7.44-log", more), 0);
    assert_eq!(old[0], "RESET MASTER;");
    assert!(old[2].starts_with("CHANGE MASTER TO MASTER_HOST = 'db1.example', "), "{}", old[2]);
    assert!(old[2].ends_with("MASTER_SSL = 1, MASTER_AUTO_POSITION = 1;"), "{}", old[2]);
    assert_eq!(old[3], "START SLAVE;");
}

#[test]
fn mysql_without_gtids_starts_at_an_exact_position_or_not_at_all() {
    let more = json!({"coordinates": exact(""), "source": {"gtid_in_use": false}});
    let lines = statements(&manifest("Percona Server", "8.0.36-28", more.clone()), 0);
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].ends_with(
            "GET_SOURCE_PUBLIC_KEY = 1, SOURCE_LOG_FILE = 'binlog.000007', SOURCE_LOG_POS = 158;"
        ),
        "{}",
        lines[0]
    );
    let old = statements(&manifest("MySQL", "5.6.24", more), 0);
    assert!(
        old[0].ends_with("MASTER_LOG_FILE = 'binlog.000007', MASTER_LOG_POS = 158;"),
        "{}",
        old[0]
    );

    let bracket = json!({"coordinates": {"precision": "bracket", "binlog": "binlog.000007:158",
        "binlog_upper": "binlog.000007:900"}, "source": {"gtid_in_use": false}});
    let error = attachments(&manifest("MySQL", "8.4.0", bracket)).unwrap_err();
    assert!(matches!(error, ReplicaStatementError::Inexact { .. }), "{error}");
    let error = attachments(&manifest("MySQL", "8.4.0", json!({}))).unwrap_err();
    assert!(matches!(error, ReplicaStatementError::NoPosition { .. }), "{error}");
}

#[test]
fn files_know_their_transactions_themselves() {
    let bracket = |gtid: &str| {
        json!({"coordinates": {"precision": "bracket", "binlog": "binlog.000007:158", "gtid": gtid},
            "roots": {"data": "/var/lib/mysql"}, "source": {"gtid_in_use": true}})
    };
    let lines = statements(&manifest("MySQL", "8.4.0", bracket(&format!("{UUID}:1-5"))), 0);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("SOURCE_AUTO_POSITION = 1"), "{lines:?}");
    // Known exactly or not, MySQL would refuse a set that overlaps with its own.
    let mut known = manifest("MySQL", "8.4.0", bracket(&format!("{UUID}:1-5")));
    known.coordinates.precision = Precision::Exact;
    assert_eq!(statements(&known, 0), lines);
    let lines = statements(&manifest("MariaDB", "10.11.6-MariaDB", bracket("0-1-5")), 0);
    assert_eq!(lines[0], "SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos;");
    assert!(lines[1].ends_with("MASTER_USE_GTID = slave_pos;"), "{lines:?}");
}

#[test]
fn a_socket_gives_way_to_the_servers_name() {
    let more = json!({"coordinates": exact("0-1-5"), "source": {"address": "/run/mysqld.sock"}});
    let lines = statements(&manifest("MariaDB", "10.11.6-MariaDB", more), 0);
    assert!(lines.iter().any(|line| line.contains("MASTER_HOST = 'db0', MASTER_PORT = 3307")));
}

/// A replica of `more`, whose one channel follows its source by file and position.
fn by_position(flavor: &str, version: &str, more: serde_json::Value) -> Manifest {
    let channel = json!({"channel": "east", "source": "e:3306", "binlog": "b.000001:4"});
    let mut found = manifest(flavor, version, more);
    found.replica_sources = vec![serde_json::from_value(channel).unwrap()];
    found
}

/// The applier went on between the reading of its position and the instant of the files.
#[test]
fn channels_without_gtids_start_at_the_position_of_the_instant_or_not_at_all() {
    let bracket = json!({"precision": "bracket", "binlog": "binlog.000007:158",
        "binlog_upper": "binlog.000007:900"});
    let files = json!({"coordinates": bracket, "roots": {"data": "/d"}});
    let copied = by_position("MySQL", "8.4.0", files);
    let error = attachments(&copied).unwrap_err();
    assert!(matches!(error, ReplicaStatementError::Inexact { .. }), "{error}");

    // The first boot tells where the content is in the replica's own binlog, and not where in others.
    let known = serde_json::from_value(exact("")).unwrap();
    let found = attachments_at(&copied, Some(known)).unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(only.to, "source");
    let note = only.notes.last().unwrap();
    assert!(note.contains("b.000001:4 of e:3306, and channel \"east\""), "{note}");
    assert!(note.contains("mysql.slave_relay_log_info"), "{note}");

    // Without a binlog nothing shows that the applier went on while files were copied.
    let unknown = by_position("MySQL", "8.4.0", json!({"roots": {"data": "/d"}}));
    let error = attachments(&unknown).unwrap_err();
    assert!(matches!(error, ReplicaStatementError::InexactChannel { .. }), "{error}");
    assert_eq!((error.exit(), error.code().as_str()), (Exit::Precondition, "E-REPLICA-INEXACT"));

    let read_under_a_lock = [
        by_position("MySQL", "5.7.44", json!({"coordinates": exact(""), "roots": {"data": "/d"}})),
        by_position("MySQL", "8.4.0", json!({})),
        by_position("MariaDB", "11.8.2-MariaDB", json!({"roots": {"data": "/d"}})),
    ];
    for manifest in read_under_a_lock {
        let found = attachments(&manifest).unwrap();
        let channels = found.last().unwrap();
        assert_eq!(channels.to, "channels");
        assert!(channels.statements.concat().contains("LOG_FILE = 'b.000001'"), "{channels:?}");
    }
}

/// Snapshots leave out the files in which MariaDB keeps its connections: `RESET SLAVE 'east' ALL` on
/// a server restored from one is error 1617.
#[test]
fn the_files_of_a_mariadb_bring_no_connection_that_is_to_be_forgotten() {
    let more = json!({"coordinates": exact("0-1-5"), "roots": {"data": "/d"},
        "replica_sources": [{"channel": "east", "source": "e:3306", "gtid": "0-1-5",
            "by_gtid": true}]});
    let copied = manifest("MariaDB", "11.8.2-MariaDB", more);
    for at in [0, 1] {
        let lines = statements(&copied, at);
        assert!(!lines.concat().contains("RESET SLAVE"), "{lines:?}");
        assert!(!lines.concat().contains("STOP ALL SLAVES"), "{lines:?}");
    }
    assert_eq!(
        statements(&copied, 1),
        [
            "CHANGE MASTER 'east' TO MASTER_HOST = 'e', MASTER_PORT = 3306, \
             MASTER_USER = 'REPLICATION_USER', MASTER_PASSWORD = 'REPLICATION_PASSWORD', \
             MASTER_SSL = 0, MASTER_USE_GTID = slave_pos;",
            "START SLAVE;",
        ]
    );
}

#[test]
fn a_copied_replica_is_told_not_to_start_by_itself() {
    let option =
        |flavor: &str, version: &str, more| stay_stopped(&by_position(flavor, version, more));
    let files = || json!({"roots": {"data": "/d"}});
    assert_eq!(option("MySQL", "9.7.4", files()), Some("--skip-replica-start"));
    assert_eq!(option("Percona Server", "8.0.26-16", files()), Some("--skip-replica-start"));
    assert_eq!(option("MySQL", "8.0.25", files()), Some("--skip-slave-start"));
    assert_eq!(option("MariaDB", "11.8.2-MariaDB", files()), Some("--skip-slave-start"));
    assert_eq!(option("MySQL", "9.7.4", json!({})), None);
    assert_eq!(stay_stopped(&manifest("MySQL", "9.7.4", files())), None);
}

#[test]
fn every_channel_of_a_replica_has_its_statement() {
    let set = format!("{UUID}:1-77");
    let channels = |gtid: &str| {
        json!([
            {"channel": "east", "source": "e:3306", "gtid": gtid, "by_gtid": true, "tls": true},
            {"channel": "it's", "source": "w:3307", "binlog": "b.000001:4"},
        ])
    };
    let more = json!({"coordinates": exact(&set), "replica_sources": channels(&set),
        "roots": {"data": "/d"}, "source": {"gtid_in_use": true}});
    let lines = statements(&manifest("MySQL", "8.4.0", more), 1);
    assert_eq!(lines[..2], ["STOP REPLICA;", "RESET REPLICA ALL;"]);
    assert!(lines[2].contains("SOURCE_SSL = 1, SOURCE_AUTO_POSITION = 1 FOR CHANNEL 'east';"));
    assert!(
        lines[3].contains("SOURCE_LOG_FILE = 'b.000001', SOURCE_LOG_POS = 4 FOR CHANNEL 'it''s';")
    );
    assert_eq!(lines[4], "START REPLICA;");

    let more = json!({"coordinates": {}, "replica_sources": channels("0-1-5,7-2-9")});
    let found = attachments(&manifest("MariaDB", "11.8.2-MariaDB", more)).unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(only.to, "channels");
    assert_eq!(
        only.statements[..2],
        ["RESET MASTER;", "SET GLOBAL gtid_slave_pos = '0-1-5,7-2-9';"]
    );
    assert!(only.statements[2].starts_with("CHANGE MASTER 'east' TO MASTER_HOST = 'e'"));
    assert_eq!(only.statements[4], "START ALL SLAVES;");
    assert!(script(&found).contains("-- Put account and password in place of REPLICATION_USER"));
}

#[test]
fn a_replica_whose_binlog_lacks_what_it_applies_is_replaced_and_not_followed() {
    let set = format!("{UUID}:1-77");
    let facts = json!({"gtid_in_use": true, "applies_unlogged": true});
    let alone = json!({"coordinates": exact(&set), "source": facts.clone()});
    let error = attachments(&manifest("MySQL", "9.7.4", alone)).unwrap_err();
    assert!(matches!(error, ReplicaStatementError::Unlogged { .. }), "{error:?}");
    let channel = json!([{"channel": "", "source": "e:3306", "gtid": set, "by_gtid": true}]);
    let replica = json!({"coordinates": exact(&set), "source": facts, "replica_sources": channel});
    let found = attachments(&manifest("MySQL", "9.7.4", replica)).unwrap();
    let [only] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(only.to, "channels");
}

#[test]
fn only_a_replica_that_does_not_log_what_it_applies_is_said_to_be_one() {
    let fact = |replica: bool, name: &str, value: &str| {
        let server = json!({"flavor": "MySQL", "version": [9, 7, 4], "version_text": "9.7.4",
            "edition": "", "hostname": "db1", "port": 3306, "platform": "", "data_bytes": 0,
            "storage_engines": {}, "plugins": [], "binlog": true, "gtid": true, "privileges": [],
            "account": "", "replica": replica, "encrypted": false, "variables": {name: value}});
        let server = serde_json::from_value(server).unwrap();
        facts_of(&server)["applies_unlogged"].as_bool().unwrap()
    };
    assert!(fact(true, "log_replica_updates", "OFF"));
    assert!(!fact(true, "log_replica_updates", "ON"));
    assert!(!fact(true, "log_slave_updates", "1"));
    assert!(!fact(false, "log_replica_updates", "OFF"));
}
