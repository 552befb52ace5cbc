//! Donors that send what no server sends: the run ends with what was wrong, never with a panic, a hang
//! or a backup.
use crate::cloned::Source;
use anyhow::{Result, ensure};
use dbbackup_testkit::{ADMIN_PASSWORD, ADMIN_USER, ServerOptions};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
};

/// Changes a packet of the server, by its payload.
type Tamper = Arc<dyn Fn(&mut Vec<u8>) + Send + Sync>;

/// Passes connections on to a server and changes what comes back. Ends with the test's process.
fn tampering(server_port: u16, tamper: Tamper) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)) else {
                return;
            };
            let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) else {
                return;
            };
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let tamper = Arc::clone(&tamper);
            std::thread::spawn(move || answer(server, client, &tamper));
        }
    });
    Ok(port)
}

/// Passes packets of the server on until either side ends.
fn answer(mut server: TcpStream, mut client: TcpStream, tamper: &Tamper) -> std::io::Result<()> {
    loop {
        let mut header = [0; 4];
        server.read_exact(&mut header)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let mut payload = vec![0; length as usize];
        server.read_exact(&mut payload)?;
        tamper(&mut payload);
        header[..3].copy_from_slice(&(payload.len() as u32).to_le_bytes()[..3]);
        client.write_all(&header)?;
        client.write_all(&payload)?;
    }
}

/// Runs a backup of a donor that tampers, and expects it to fail with this text.
fn expect_refused(source: &Source, code: i32, text: &str, tamper: Tamper) -> Result<()> {
    let port = tampering(source.server.port(), tamper)?.to_string();
    let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    let connection = ["--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER];
    let run = source.rig.dbbackup(backup).args(connection).args(["--ssl-mode", "DISABLED"]);
    let outcome = run.env("MYSQL_PWD", ADMIN_PASSWORD).run()?;
    outcome.expect_exit(code)?.expect_stderr(text)?;
    ensure!(!outcome.stderr.contains("panicked"), "{outcome}");
    ensure!(!source.rig.path("db.tar").exists(), "a refused backup left a file");
    // The donor has let go of the clone: another one may begin at once.
    Ok(())
}

/// Whether a payload is a descriptor of this type.
fn is_descriptor(payload: &[u8], kind: u8) -> bool {
    payload.len() > 15 && payload[0] == 2 && payload[1] == 12 && payload[14] == kind
}

#[test]
fn what_no_server_sends_is_refused_by_name() -> Result<()> {
    let source = Source::start(ServerOptions::default())?;
    let cases: [(i32, &str, Tamper); 8] = [
        (
            4,
            "clone protocol version 0x0204 is unknown",
            Arc::new(|payload| {
                if payload.len() > 40 && payload[0] == 1 && payload[2..5] == [1, 0, 0] {
                    (payload[1], payload[2]) = (4, 2);
                }
            }),
        ),
        (
            4,
            "InnoDB clone descriptors of version 101 are unknown",
            Arc::new(|payload| {
                if is_descriptor(payload, 4) {
                    payload[6] = 101;
                }
            }),
        ),
        (
            4,
            "storage engine 42",
            Arc::new(|payload| {
                if is_descriptor(payload, 3) {
                    payload[1] = 42;
                }
            }),
        ),
        (
            1,
            "which is no safe path",
            Arc::new(|payload| {
                if is_descriptor(payload, 4) && payload.ends_with(b".ibd\0") {
                    let name = payload.iter().position(|byte| *byte == b'.').unwrap_or(0);
                    if payload[name..].starts_with(b"./") {
                        payload[name..name + 3].copy_from_slice(b"../");
                    }
                }
            }),
        ),
        (
            1,
            "goes on with",
            Arc::new(|payload| {
                // The offset of a block, in any file but the first, which is short.
                if is_descriptor(payload, 5) && payload[34] != 0 {
                    payload[45] ^= 0x20;
                }
            }),
        ),
        (
            1,
            "bytes came with",
            Arc::new(|payload| {
                if payload.first() == Some(&3) && payload.len() > 16_000 {
                    payload.truncate(16_000);
                }
            }),
        ),
        (
            1,
            "descriptor is cut off",
            Arc::new(|payload| {
                if is_descriptor(payload, 5) {
                    payload.truncate(40);
                }
            }),
        ),
        (
            1,
            "was expected",
            Arc::new(|payload| {
                if is_descriptor(payload, 3) {
                    payload[18] = 4;
                }
            }),
        ),
    ];
    for (code, text, tamper) in cases {
        expect_refused(&source, code, text, tamper)?;
    }
    Ok(())
}
