//! Compression of the packets, against real servers: the same answers, fewer bytes.

use anyhow::{Result, ensure};
use dbbackup_sdk::{
    server::{ConnectOptions, SslMode},
    wire::{Compression, Connection, WireError},
};
use dbbackup_testkit::{Direction, FaultProxy, Flavor, Server, ServerOptions};

use super::{mode, tcp};

/// More than two pieces of a payload.
const LONG_BYTES: usize = 34 << 20;

/// Sends much and gets much: statements and rows of every length, over several commands.
fn talk(options: &ConnectOptions) -> Result<()> {
    let mut connection = Connection::connect(options)?;
    for length in [0, 1, 60, 5000, 300_000, LONG_BYTES] {
        let text = "dbbackup".repeat(length / 8);
        let mut result = connection.query_parts(&[
            b"SELECT LENGTH('",
            text.as_bytes(),
            b"'), REPEAT('x', ",
            length.to_string().as_bytes(),
            b")",
        ])?;
        let row = result.next_row()?.expect("one row");
        ensure!(row.get(0) == Some(text.len().to_string().as_bytes()), "{length}");
        ensure!(row.get(1).is_some_and(|value| value.len() == length), "{length}");
        result.finish()?;
    }
    let refused = connection.execute("SELECT nonsense").expect_err("no such column");
    ensure!(refused.server().is_some_and(|error| error.code == 1054), "{refused}");
    connection.ping()?;
    connection.reset()?;
    Ok(connection.quit()?)
}

#[test]
fn compressed_connections_say_the_same_in_fewer_bytes() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = Server::start(flavor, ServerOptions::default())?;
        for ssl in [SslMode::Disabled, SslMode::Required] {
            for compression in [Compression::Zlib, Compression::Zstd] {
                if flavor.is_mariadb() && compression == Compression::Zstd {
                    continue;
                }
                let proxy = FaultProxy::start(server.port())?;
                let options = ConnectOptions {
                    port: Some(proxy.port()),
                    compression: Some(compression),
                    ..mode(tcp(&server), ssl)
                };
                talk(&options)?;
                for direction in [Direction::ToServer, Direction::ToClient] {
                    let bytes = proxy.passed_bytes(direction);
                    ensure!(bytes < 2 << 20, "{compression:?} {ssl:?} {direction:?}: {bytes}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_compression_that_the_server_does_not_offer_is_refused() -> Result<()> {
    let options =
        ServerOptions::default().arg("--protocol-compression-algorithms=zlib,uncompressed");
    let server = Server::start(Flavor::Mysql97, options)?;
    let zstd = ConnectOptions { compression: Some(Compression::Zstd), ..tcp(&server) };
    let refused = Connection::connect(&zstd).expect_err("zstd is not offered");
    ensure!(matches!(refused, WireError::CompressionNotOffered { name: "zstd" }), "{refused}");
    let zlib = ConnectOptions { compression: Some(Compression::Zlib), ..tcp(&server) };
    talk(&zlib)
}
