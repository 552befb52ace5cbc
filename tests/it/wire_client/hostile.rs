//! Servers that lie. The only fakes of this suite: nothing real would send this.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Result;
use dbbackup_sdk::{
    server::{ConnectOptions, Secret},
    wire::{Connection, WireError},
};

/// A generator of test bytes: small, seeded, good enough.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }
}

/// A packet with its header.
fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_le_bytes();
    [&length[..3], &[sequence], payload].concat()
}

/// A greeting without TLS that names a login plugin.
fn greeting(plugin: &str) -> Vec<u8> {
    let mut bytes = vec![10];
    bytes.extend(b"9.9.9-fake\0");
    bytes.extend(7_u32.to_le_bytes());
    bytes.extend(b"12345678\0");
    // Everything that this client needs, and the ends of results as OK packets.
    let capabilities: u32 = 1 << 9 | 1 << 15 | 1 << 19 | 1 << 21 | 1 << 24;
    let [a, b, c, d] = capabilities.to_le_bytes();
    bytes.extend([a, b, 45, 2, 0, c, d, 21]);
    bytes.extend([0; 10]);
    bytes.extend(b"123456789012\0");
    bytes.extend(plugin.as_bytes());
    bytes.push(0);
    bytes
}

const OK: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];

/// Serves one connection: sends each answer after something was received, and hands over all that
/// was received.
fn serve(answers: Vec<Vec<u8>>) -> Result<(ConnectOptions, mpsc::Receiver<Vec<u8>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = ConnectOptions {
        host: Some(String::from("127.0.0.1")),
        port: Some(listener.local_addr()?.port()),
        user: String::from("someone"),
        password: Some(Secret::new("hunter2")),
        connect_timeout_ms: 3_000,
        stall_budget_ms: 3_000,
        ..ConnectOptions::default()
    };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || -> Result<()> {
        let (mut socket, _) = listener.accept()?;
        let mut heard = Vec::new();
        let mut buffer = [0; 65_536];
        let mut answers = answers.into_iter();
        if let Some(first) = answers.next() {
            socket.write_all(&first)?;
        }
        for answer in answers {
            let received = socket.read(&mut buffer)?;
            heard.extend_from_slice(&buffer[..received]);
            if socket.write_all(&answer).is_err() {
                break;
            }
        }
        socket.shutdown(std::net::Shutdown::Write)?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        while let Ok(received @ 1..) = socket.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..received]);
        }
        sender.send(heard)?;
        Ok(())
    });
    Ok((options, receiver))
}

#[test]
fn a_server_that_wants_the_password_in_clear_does_not_get_it() -> Result<()> {
    for asks_first in [true, false] {
        let plugin = if asks_first { "mysql_clear_password" } else { "mysql_native_password" };
        let switch = packet(2, b"\xfemysql_clear_password\0");
        let (options, heard) = serve(vec![packet(0, &greeting(plugin)), switch, Vec::new()])?;
        let error = Connection::connect(&options).expect_err("no TLS, no clear password");
        assert!(matches!(error, WireError::ClearPassword { .. }), "{error:?}");
        let heard = heard.recv_timeout(Duration::from_secs(10))?;
        assert!(!heard.windows(7).any(|window| window == b"hunter2"));
    }
    Ok(())
}

#[test]
fn a_server_that_asks_for_a_file_gets_none() -> Result<()> {
    let (options, heard) = serve(vec![
        packet(0, &greeting("mysql_native_password")),
        packet(2, &OK),
        packet(1, b"\xfb/etc/passwd"),
        packet(3, &OK),
    ])?;
    let mut connection = Connection::connect(&options)?;
    let error = connection.execute("SELECT 1").expect_err("a file was asked for");
    assert!(matches!(error, WireError::LocalInfile), "{error:?}");
    drop(connection);
    let heard = heard.recv_timeout(Duration::from_secs(10))?;
    assert!(!heard.windows(4).any(|window| window == b"root"));
    Ok(())
}

#[test]
fn bytes_before_tls_are_refused() -> Result<()> {
    let mut with_tls = greeting("mysql_native_password");
    // The capability of TLS: bit 11, in the second byte behind version, id and challenge.
    with_tls[1 + 11 + 4 + 9 + 1] |= 8;
    let injected = [packet(0, &with_tls), packet(1, &OK)].concat();
    let (options, _) = serve(vec![injected, Vec::new()])?;
    let error = Connection::connect(&options).expect_err("bytes came before TLS");
    assert!(matches!(error, WireError::Malformed { .. }), "{error:?}");
    Ok(())
}

#[test]
fn a_web_server_is_no_database() -> Result<()> {
    let (options, _) = serve(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Vec::new()])?;
    let error = Connection::connect(&options).expect_err("that is no server");
    assert!(matches!(error, WireError::PacketTooLarge { .. }), "{error:?}");
    Ok(())
}

#[test]
fn an_announced_giant_reserves_no_memory_before_the_login() -> Result<()> {
    let (options, _) = serve(vec![vec![0xff, 0xff, 0xff, 0, 10]])?;
    let error = Connection::connect(&options).expect_err("no greeting is that long");
    assert!(matches!(error, WireError::PacketTooLarge { .. }), "{error:?}");
    Ok(())
}

/// Valid beginnings with random bytes behind them: at the greeting, in the login, in a result.
#[test]
fn random_bytes_end_in_errors_and_never_in_panics() -> Result<()> {
    let seed = dbbackup_testkit::env::seed().unwrap_or(0x5eed);
    println!("seed {seed}");
    let mut random = Random(seed | 1);
    for round in 0..300 {
        let mut answers = Vec::new();
        let depth = round % 4;
        if depth > 0 {
            answers.push(packet(0, &greeting("caching_sha2_password")));
        }
        if depth > 1 {
            answers.push(packet(2, &OK));
        }
        if depth > 2 {
            // One column, then rows.
            let column =
                b"\x03def\x00\x00\x00\x01a\x00\x0c\x2d\x00\x10\x00\x00\x00\xfd\x00\x00\x00\x00\x00";
            let head = [packet(1, &[1]), packet(2, column)].concat();
            answers.push([head, noise(&mut random, 3)].concat());
        } else {
            answers.push(noise(&mut random, u8::try_from(depth * 2).unwrap_or(0)));
        }
        let (options, _) = serve(answers)?;
        let outcome = Connection::connect(&options).and_then(|mut connection| {
            let mut result = connection.query("SELECT a")?;
            while result.next_row()?.is_some() {}
            Ok(())
        });
        if depth < 3 {
            // Random bytes may well say OK in a result, but never make a login.
            assert!(outcome.is_err() || depth == 2, "round {round}");
        }
    }
    Ok(())
}

/// Random payloads: half of them with a valid header, so that the content is looked at.
fn noise(random: &mut Random, sequence: u8) -> Vec<u8> {
    let length = random.below(200);
    let payload: Vec<u8> = (0..length)
        .map(|_| match random.below(4) {
            0 => [0x00, 0x01, 0xfb, 0xfc, 0xfd, 0xfe, 0xff][random.below(7)],
            _ => random.byte(),
        })
        .collect();
    match random.below(2) {
        0 => payload,
        _ => packet(sequence, &payload),
    }
}
