use super::*;
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
