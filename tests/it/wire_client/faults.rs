//! Connections that are cut, fall silent, are cancelled, or are served slowly.

use std::{
    io::Read,
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use dbbackup_sdk::{
    server::{ConnectOptions, Session, SslMode},
    wire::{Connection, WireError},
};
use dbbackup_testkit::{Flavor, Server, ServerOptions, pause};

use super::{admin, mode, socket, tcp};

/// What the proxy does once it has passed on so many bytes of the server.
#[derive(Clone, Copy)]
enum After {
    Close,
    Silence,
}

/// Passes one connection through, until the server has sent `bytes`. Returns its port.
fn proxy(server: &Server, bytes: usize, after: After) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let upstream = server.port();
    thread::spawn(move || -> Result<()> {
        let (client, _) = listener.accept()?;
        let server = TcpStream::connect(("127.0.0.1", upstream))?;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let mut to_client = client.try_clone()?;
        let passed = std::io::copy(&mut server.try_clone()?.take(bytes as u64), &mut to_client);
        assert!(passed.is_ok());
        match after {
            After::Close => client.shutdown(Shutdown::Both)?,
            // Held open by the thread until the test process ends.
            After::Silence => pause(Duration::from_secs(60)),
        }
        Ok(())
    });
    Ok(port)
}

/// A table of some 60 MB.
fn fill(server: &Server) -> Result<()> {
    let mut session = admin(server)?;
    session.execute("CREATE DATABASE shop")?;
    session.execute("CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, v TEXT)")?;
    session.execute("INSERT INTO shop.t (v) VALUES (REPEAT('x', 60000))")?;
    for _ in 0..10 {
        session.execute("INSERT INTO shop.t (v) SELECT v FROM shop.t")?;
    }
    Ok(())
}

/// Reads until something happens.
fn read_all(connection: &mut Connection) -> Result<u64, WireError> {
    let mut rows = 0;
    let mut result = connection.query("SELECT id, v FROM shop.t")?;
    while result.next_row()?.is_some() {
        rows += 1;
    }
    Ok(rows)
}

#[test]
fn cut_and_silent_connections_are_told_within_the_time_out() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    fill(&server)?;
    for tls in [SslMode::Disabled, SslMode::Required] {
        for after in [After::Close, After::Silence] {
            let port = proxy(&server, 3_000_000, after)?;
            let options = ConnectOptions { port: Some(port), ..mode(tcp(&server), tls) };
            let mut connection = Connection::connect(&options)?;
            connection.set_timeouts(Duration::from_secs(1), Duration::from_secs(1))?;
            let started = Instant::now();
            let error = read_all(&mut connection).expect_err("the connection was cut");
            assert!(matches!(error, WireError::Disconnected { .. }), "{error:?}");
            assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
            assert!(matches!(connection.ping(), Err(WireError::Unusable)));
        }
    }
    Ok(())
}

#[test]
fn a_killed_server_is_a_disconnect() -> Result<()> {
    let mut server = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    let mut session = admin(&server)?;
    server.kill9()?;
    let error = session.connection().ping().expect_err("the server is dead");
    assert!(error.is_disconnect(), "{error:?}");
    let error = Connection::connect(&socket(&server)).expect_err("nobody listens");
    assert!(matches!(error, WireError::Unreachable { .. }), "{error:?}");
    let error = Connection::connect(&tcp(&server)).expect_err("nobody listens");
    assert!(matches!(error, WireError::Unreachable { .. }), "{error:?}");
    Ok(())
}

#[test]
fn cancelling_interrupts_a_blocked_read_at_once() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    for options in [socket(&server), tcp(&server), mode(tcp(&server), SslMode::Disabled)] {
        let mut connection = Connection::connect(&options)?;
        let canceller = connection.canceller();
        let (begun, begins) = mpsc::channel();
        let waiting = thread::spawn(move || {
            begun.send(Instant::now()).expect("the test listens");
            let error = connection.execute("SELECT SLEEP(30)").expect_err("cancelled");
            (error, connection.ping().expect_err("cancelled"))
        });
        let started = begins.recv()?;
        pause(Duration::from_millis(200));
        canceller.cancel();
        let (first, second) = waiting.join().expect("no panic");
        assert!(matches!(first, WireError::Cancelled), "{first:?}");
        assert!(matches!(second, WireError::Cancelled), "{second:?}");
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    Ok(())
}

#[test]
fn a_stalled_reader_keeps_its_session_when_the_budget_is_set() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let options = ServerOptions::default().arg("--net-write-timeout=1");
        let server = Server::start(flavor, options)?;
        fill(&server)?;
        let stalled = |budget: Option<Duration>| -> Result<u64, WireError> {
            let mut connection = Connection::connect(&mode(tcp(&server), SslMode::Disabled))?;
            if let Some(budget) = budget {
                connection.set_stall_budget(budget)?;
            }
            let mut result = connection.query("SELECT id, v FROM shop.t")?;
            let mut rows = 0;
            while result.next_row()?.is_some() {
                rows += 1;
                if rows == 10 {
                    pause(Duration::from_secs(4));
                }
            }
            Ok(rows)
        };
        assert_eq!(stalled(Some(Duration::from_secs(60)))?, 1024);
        let error = stalled(None).expect_err("without a budget the server gives up");
        assert!(error.is_disconnect(), "{error:?}");
    }
    Ok(())
}

#[test]
fn an_idle_session_that_the_server_ended_says_so() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let mut session = admin(&server)?;
    session.execute("SET SESSION wait_timeout = 1")?;
    pause(Duration::from_secs(3));
    let error = session.execute("SELECT 1").expect_err("the server ended the session");
    assert!(error.wire().is_some_and(WireError::is_disconnect), "{error:?}");
    Ok(())
}

#[test]
fn a_listener_that_says_nothing_ends_in_the_connect_time_out() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let options = ConnectOptions {
        host: Some(String::from("127.0.0.1")),
        port: Some(listener.local_addr()?.port()),
        connect_timeout_ms: 500,
        ..ConnectOptions::default()
    };
    let started = Instant::now();
    let error = Session::connect(&options).expect_err("nobody speaks");
    assert!(error.wire().is_some_and(WireError::is_disconnect), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(3));
    Ok(())
}
