//! Versions, positions, privileges and quoting, as real servers see them.

use anyhow::Result;
use dbbackup_sdk::{
    position::GtidSet,
    server::{LockBudget, Requirement, ServerFlavor, Session, quote},
};
use dbbackup_testkit::{Flavor, Server, ServerOptions, wait_until};
use std::time::Duration;

use super::{account, admin, socket};

#[test]
fn the_server_is_known_by_flavour_and_version() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let session = admin(&server)?;
    assert_eq!(session.version().flavor, ServerFlavor::MySQL);
    assert!(session.version().at_least([9, 0, 0]));
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    let session = admin(&server)?;
    assert_eq!(session.version().flavor, ServerFlavor::MariaDB);
    assert!(session.version().at_least([10, 11, 0]) && !session.version().at_least([11, 0, 0]));
    Ok(())
}

#[test]
fn mysql_tells_its_position_in_two_ways_that_agree() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let mut session = admin(&server)?;
    session.execute("CREATE DATABASE shop")?;
    let status = session.binlog_status()?.expect("the binlog is on");
    let log_status = session.log_status()?.expect("MySQL has log_status");
    assert_eq!(log_status.binlog, Some(status.clone()));
    assert!(log_status.lsn >= log_status.lsn_checkpoint && log_status.lsn_checkpoint > 0);
    assert!(matches!(status.gtid, Some(GtidSet::Mysql(_))));
    assert_eq!(session.value("SELECT @@server_uuid")?, Some(log_status.server_uuid));
    session.begin_consistent_snapshot()?;
    assert_eq!(session.snapshot_status()?, None);
    assert!(session.replica_sources()?.is_empty());

    let server = Server::start(Flavor::Mysql97, ServerOptions::default().without_binlog())?;
    let mut session = admin(&server)?;
    assert_eq!(session.binlog_status()?, None);
    assert_eq!(session.log_status()?.expect("MySQL has log_status").binlog, None);
    Ok(())
}

#[test]
fn mysql_56_tells_its_position_and_its_grants() -> Result<()> {
    let server = Server::start(Flavor::Mysql56, ServerOptions::default())?;
    let mut session = admin(&server)?;
    assert_eq!(session.version().flavor, ServerFlavor::MySQL);
    assert!(!session.version().at_least([5, 7, 0]));
    session.execute("CREATE DATABASE shop")?;
    let status = session.binlog_status()?.expect("the binlog is on");
    assert!(matches!(status.gtid, Some(GtidSet::Mysql(_))), "{status:?}");
    assert_eq!(session.log_status()?, None);
    session.begin_consistent_snapshot()?;
    assert_eq!(session.snapshot_status()?, None);
    assert!(session.replica_sources()?.is_empty());
    assert!(session.grants()?.allows(&Requirement::global("RELOAD")));
    let budget = LockBudget { wait: Duration::from_secs(2), hold: Duration::from_secs(10) };
    session.flush_tables_with_read_lock(budget)?.unlock()?;
    Ok(())
}

#[test]
fn mariadb_tells_the_position_of_a_snapshot_without_a_lock() -> Result<()> {
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    let mut writer = admin(&server)?;
    writer.execute("CREATE DATABASE shop")?;
    let mut session = admin(&server)?;
    session.begin_consistent_snapshot()?;
    let snapshot = session.snapshot_status()?.expect("the binlog is on");
    let before = writer.binlog_status()?.expect("the binlog is on");
    assert_eq!(snapshot, before);
    writer.execute("CREATE TABLE shop.t (id INT)")?;
    assert_eq!(session.snapshot_status()?, Some(snapshot.clone()));
    let after = writer.binlog_status()?.expect("the binlog is on");
    assert_ne!(snapshot, after);
    assert!(matches!(after.gtid, Some(GtidSet::Mariadb(_))));
    assert_eq!(session.log_status()?, None);

    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default().without_binlog())?;
    let mut session = admin(&server)?;
    assert_eq!(session.binlog_status()?, None);
    session.begin_consistent_snapshot()?;
    assert_eq!(session.snapshot_status()?, None);
    Ok(())
}

#[test]
fn a_replica_names_the_position_in_its_source() -> Result<()> {
    for (flavor, change, begin) in [
        (
            Flavor::Mysql97,
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_USER='copy', \
             SOURCE_PASSWORD='x', SOURCE_SSL=1, SOURCE_AUTO_POSITION=1, SOURCE_PORT=",
            "START REPLICA",
        ),
        (
            Flavor::Mariadb1011,
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_USER='copy', \
             MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos, MASTER_PORT=",
            "START SLAVE",
        ),
    ] {
        let source = Server::start(flavor, ServerOptions::default().arg("--server-id=1"))?;
        let replica = Server::start(flavor, ServerOptions::default().arg("--server-id=2"))?;
        let mut at_source = admin(&source)?;
        at_source.execute("CREATE USER copy@'%' IDENTIFIED BY 'x'")?;
        at_source.execute("GRANT REPLICATION SLAVE ON *.* TO copy@'%'")?;
        let mut session = admin(&replica)?;
        session.execute(format!("{change}{}", source.port()))?;
        session.execute(begin)?;
        let wanted = at_source.binlog_status()?.expect("the binlog is on").binlog;
        wait_until("the replica has caught up", Duration::from_secs(30), || {
            let sources = session.replica_sources()?;
            let [one] = sources.as_slice() else { return Ok(false) };
            assert_eq!(one.source, format!("127.0.0.1:{}", source.port()));
            Ok(one.binlog.as_ref() == Some(&wanted) && one.gtid.is_some())
        })?;
    }
    Ok(())
}

#[test]
fn the_grant_that_is_missing_is_the_one_that_helps() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = Server::start(flavor, ServerOptions::default())?;
        let mut root = admin(&server)?;
        root.execute("CREATE DATABASE `my``shop`")?;
        root.execute("CREATE USER `o'brien`@'%' IDENTIFIED BY 'x'")?;
        root.execute("CREATE ROLE reader")?;
        root.execute("GRANT SHOW VIEW ON *.* TO reader")?;
        root.execute("GRANT reader TO `o'brien`@'%'")?;
        root.execute("GRANT SELECT ON `my``shop`.* TO `o'brien`@'%'")?;
        let mut session = Session::connect(&account(socket(&server), "o'brien", "x"))?;
        let needs = [
            Requirement::global("REPLICATION CLIENT"),
            Requirement::global("RELOAD"),
            Requirement::global("SHOW VIEW"),
            Requirement::on_schema("SELECT", "my`shop"),
            Requirement::on_schema("EVENT", "my`shop"),
        ];
        let names = |session: &mut Session| -> Result<Vec<String>> {
            let missing = session.grants()?.missing(&needs);
            Ok(missing.into_iter().map(|missing| missing.requirement.privilege).collect())
        };
        let all = ["REPLICATION CLIENT", "RELOAD", "SHOW VIEW", "EVENT"];
        assert_eq!(names(&mut session)?, all, "a role that is not active gives nothing");
        session.execute("SET ROLE reader")?;
        assert_eq!(names(&mut session)?, ["REPLICATION CLIENT", "RELOAD", "EVENT"]);
        for missing in session.grants()?.missing(&needs) {
            root.execute(missing.statement.trim_end_matches(';'))?;
        }
        let mut session = Session::connect(&account(socket(&server), "o'brien", "x"))?;
        assert_eq!(names(&mut session)?, ["SHOW VIEW"]);
        assert!(root.grants()?.missing(&needs).is_empty(), "the administrator has everything");
    }
    Ok(())
}

#[test]
fn partial_revokes_are_seen() -> Result<()> {
    let options = ServerOptions::default().arg("--partial-revokes=ON");
    let server = Server::start(Flavor::Mysql97, options)?;
    let mut root = admin(&server)?;
    root.execute("CREATE DATABASE secret")?;
    root.execute("CREATE USER some@'%' IDENTIFIED BY 'x'")?;
    root.execute("GRANT SELECT ON *.* TO some@'%'")?;
    root.execute("REVOKE SELECT ON secret.* FROM some@'%'")?;
    let mut session = Session::connect(&account(socket(&server), "some", "x"))?;
    let grants = session.grants()?;
    assert!(grants.allows(&Requirement::on_schema("SELECT", "mysql")));
    assert!(!grants.allows(&Requirement::on_schema("SELECT", "secret")));
    Ok(())
}

#[test]
fn quoted_names_and_values_come_back_unchanged() -> Result<()> {
    let names = ["plain", "it's", "back`tick", "sp ace", "semi;colon", "ñ ü 日本", "a\\b", "\"q\""];
    let values =
        ["", "it's", "back\\slash", "nul\0byte", "line\nfeed\r\x1a", "\"", "🦀 日本", "%_"];
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = Server::start(flavor, ServerOptions::default())?;
        let mut session = admin(&server)?;
        for mode in ["STRICT_ALL_TABLES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"] {
            session.execute(format!("SET SESSION sql_mode = '{mode}'"))?;
            for value in values {
                let literal = quote::string(value, session.escaping());
                assert_eq!(session.value(format!("SELECT {literal}"))?.as_deref(), Some(value));
            }
            for name in names {
                let quoted = quote::identifier(name);
                session.execute(format!("CREATE DATABASE {quoted}"))?;
                let literal = quote::string(name, session.escaping());
                let sql = format!(
                    "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = {literal}"
                );
                assert_eq!(session.value(sql)?.as_deref(), Some("1"), "{name}");
                session.execute(format!("DROP DATABASE {quoted}"))?;
            }
            let bytes: Vec<u8> = (0..=255).collect();
            let mut sql = b"SELECT HEX(".to_vec();
            quote::append_hex(&mut sql, &bytes);
            sql.push(b')');
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(session.value(sql)?, Some(hex));
        }
    }
    Ok(())
}
