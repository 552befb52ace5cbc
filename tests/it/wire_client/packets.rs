//! Payloads from empty to far over 16 MiB, in both directions, and statements that fail.

use anyhow::Result;
use dbbackup_sdk::{
    server::Session,
    wire::{ColumnType, SequenceRule, ServerError, WireError},
};
use dbbackup_testkit::{Flavor, Server, ServerOptions};

use super::{admin, mode, socket, tcp};

const MIB: usize = 1 << 20;
/// One byte less than a full piece of a packet, whose header adds the rest.
const FULL_PIECE: usize = (16 << 20) - 1;

fn start(flavor: Flavor) -> Result<Server> {
    let options = ServerOptions::default().arg("--max-allowed-packet=128M").without_binlog();
    Server::start(flavor, options)
}

/// Bytes that differ from place to place, so that a piece lost or doubled shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + u8::try_from((at / 7 + at / 65_537) % 26).unwrap_or(0)).collect()
}

#[test]
fn rows_of_64_mib_pass_both_ways() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        for options in [socket(&server), tcp(&server)] {
            let mut session = Session::connect(&options)?;
            session.execute("CREATE DATABASE IF NOT EXISTS big")?;
            session
                .execute("CREATE OR REPLACE TABLE big.t (id INT PRIMARY KEY, v LONGBLOB)")
                .or_else(|_| {
                    session.execute("DROP TABLE IF EXISTS big.t")?;
                    session.execute("CREATE TABLE big.t (id INT PRIMARY KEY, v LONGBLOB)")
                })?;
            let value = pattern(64 * MIB);
            let connection = session.connection();
            let mut writer = connection.query_writer()?;
            writer.write(b"INSERT INTO big.t VALUES (1, '")?;
            for part in value.chunks(3 * MIB + 17) {
                writer.write(part)?;
            }
            writer.write(b"')")?;
            assert_eq!(writer.query()?.finish()?.affected_rows, 1);
            let parts: [&[u8]; 3] = [b"INSERT INTO big.t VALUES (2, '", &value, b"')"];
            assert_eq!(connection.query_parts(&parts)?.finish()?.affected_rows, 1);

            let mut result = connection.query("SELECT id, v, NULL FROM big.t ORDER BY id")?;
            for id in [b"1", b"2"] {
                let row = result.next_row()?.expect("a row");
                assert_eq!(row.get(0), Some(&id[..]));
                assert!(row.get(1) == Some(&value[..]), "the value changed on its way");
                assert_eq!(row.get(2), None);
            }
            assert!(result.next_row()?.is_none());
        }
    }
    Ok(())
}

#[test]
fn payloads_around_a_full_piece_arrive_whole() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    let mut session = admin(&server)?;
    // The row adds 4 bytes for the length; the statement adds its own text.
    for length in [FULL_PIECE - 5, FULL_PIECE - 4, FULL_PIECE - 3, 2 * FULL_PIECE - 9, 0, 1] {
        let mut result = session.connection().query(format!("SELECT REPEAT('x', {length})"))?;
        let row = result.next_row()?.expect("a row");
        assert_eq!(row.get(0).map(<[u8]>::len), Some(length));
        assert!(result.next_row()?.is_none());
        drop(result);
        let text = "SELECT LENGTH('')".len() + 1;
        let literal = vec![b'y'; (length + 5).saturating_sub(text)];
        let parts: [&[u8]; 3] = [b"SELECT LENGTH('", &literal, b"')"];
        let mut result = session.connection().query_parts(&parts)?;
        let row = result.next_row()?.expect("a row");
        assert_eq!(row.get(0), Some(literal.len().to_string().as_bytes()));
        assert!(result.next_row()?.is_none());
        let mut writer = session.connection().query_writer()?;
        for part in parts {
            writer.write(part)?;
        }
        let mut result = writer.query()?;
        let row = result.next_row()?.expect("a row");
        assert_eq!(row.get(0), Some(literal.len().to_string().as_bytes()));
        assert!(result.next_row()?.is_none());
    }
    Ok(())
}

#[test]
fn values_come_as_the_server_prints_them() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = start(flavor)?;
        let mut session = admin(&server)?;
        let mut result = session.connection().query(
            "SELECT NULL AS n, '' AS e, -1.50 AS d, X'00FF27' AS b, 'ñ🦀' AS u, b'101' AS bits, \
             REPEAT('z', 250) AS l250, REPEAT('z', 251) AS l251, REPEAT('z', 70000) AS l70000",
        )?;
        let names: Vec<&str> = result.columns().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["n", "e", "d", "b", "u", "bits", "l250", "l251", "l70000"]);
        assert!(result.columns()[2].kind.is_numeric() && !result.columns()[4].kind.is_numeric());
        assert!(result.columns()[3].collation == 63 && result.columns()[3].flags.binary());
        assert_ne!(result.columns()[4].kind, ColumnType::BIT);
        let row = result.next_row()?.expect("a row");
        let values: Vec<Option<&[u8]>> = row.iter().collect();
        assert_eq!(values.len(), 9);
        assert_eq!(
            values[..6],
            [
                None,
                Some(&b""[..]),
                Some(b"-1.50"),
                Some(b"\x00\xff'"),
                Some("ñ🦀".as_bytes()),
                Some(b"\x05"),
            ]
        );
        let lengths: Vec<usize> = values[6..].iter().map(|v| v.map_or(0, <[u8]>::len)).collect();
        assert_eq!(lengths, [250, 251, 70_000]);
    }
    Ok(())
}

#[test]
fn a_failed_statement_leaves_the_session_usable() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    let mut session = admin(&server)?;
    let connection = session.connection();
    let error = connection.execute("SELEKT 1").expect_err("no such statement");
    let server_error = error.server().expect("an error packet");
    assert_eq!((server_error.code, server_error.sqlstate.to_string().as_str()), (1064, "42000"));
    // Fails after the first rows are out.
    let mut result = connection.query(
        "SELECT id, CASE WHEN id < 3 THEN id ELSE JSON_EXTRACT('{', '$') END FROM \
         (SELECT 1 AS id UNION ALL SELECT 2 UNION ALL SELECT 3) t",
    )?;
    let failed = loop {
        match result.next_row() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the statement should fail"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, WireError::Server(ServerError { code: 3141, .. })), "{failed:?}");
    drop(result);
    connection.ping()?;

    let mut result = connection.query("SELECT 1 UNION SELECT 2")?;
    assert!(result.next_row()?.is_some());
    drop(result);
    assert!(matches!(connection.ping(), Err(WireError::Unfinished)));
    Ok(())
}

#[test]
fn a_packet_over_the_servers_limit_says_so() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server =
            Server::start(flavor, ServerOptions::default().arg("--max-allowed-packet=1M"))?;
        for options in [socket(&server), tcp(&server)] {
            let mut session = Session::connect(&options)?;
            let big = vec![b'x'; 40 * MIB];
            let parts: [&[u8]; 3] = [b"SELECT LENGTH('", &big, b"')"];
            let error = session.connection().query_parts(&parts).expect_err("too large");
            assert_eq!(error.server().map(|error| error.code), Some(1153), "{error:?}");
        }
    }
    Ok(())
}

#[test]
fn several_results_of_a_call_are_read_one_by_one() -> Result<()> {
    let server = start(Flavor::Mysql97)?;
    let mut session = admin(&server)?;
    session.execute("CREATE DATABASE shop")?;
    session.execute("CREATE PROCEDURE shop.two() BEGIN SELECT 1; SELECT 2, 3; END")?;
    let mut result = session.connection().query("CALL shop.two()")?;
    assert_eq!(result.next_row()?.expect("a row").len(), 1);
    assert!(result.next_row()?.is_none());
    assert!(result.next_result()?);
    assert_eq!(result.next_row()?.expect("a row").len(), 2);
    assert!(result.next_row()?.is_none());
    assert!(result.next_result()?, "the CALL's own completion");
    assert!(!result.next_result()?);
    session.execute("CALL shop.two()")?;
    session.connection().ping()?;
    session.connection().reset()?;
    assert_eq!(session.value("SELECT 1")?.as_deref(), Some("1"));
    Ok(())
}

#[test]
fn raw_commands_and_packets_pass() -> Result<()> {
    const COM_STATISTICS: u8 = 0x09;
    const COM_CLONE: u8 = 0x20;
    let server = start(Flavor::Mysql97)?;
    let options = mode(tcp(&server), dbbackup_sdk::server::SslMode::Disabled);
    let mut session = Session::connect(&options)?;
    let connection = session.connection();
    connection.send_command(COM_STATISTICS, &[])?;
    assert!(String::from_utf8_lossy(connection.read_packet()?).starts_with("Uptime"));

    // The clone protocol: every payload begins with sequence number 0, in both directions.
    connection.send_command(COM_CLONE, &[])?;
    assert_eq!(connection.read_packet()?.first(), Some(&0));
    connection.set_sequence_rule(SequenceRule::EachPayload);
    let init = [&[1][..], &0x0103_u32.to_le_bytes(), &(1_u32 << 31 | 10).to_le_bytes()].concat();
    connection.write_packet(&init)?;
    let mut packets = 0;
    loop {
        let packet = connection.read_packet()?;
        packets += 1;
        match packet.first() {
            Some(99) => break,
            Some(100) => panic!("{}", String::from_utf8_lossy(packet)),
            _ => {}
        }
    }
    assert!(packets > 100, "{packets} packets");
    Ok(())
}
