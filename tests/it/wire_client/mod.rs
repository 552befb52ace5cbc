//! The sdk's raw client and its sessions against real servers: every way to log in, every ssl mode,
//! packets of any size, cut and silent connections, locks with a budget. Only hostile servers are
//! fakes.

mod compression;
mod faults;
mod hostile;
mod locks;
mod login;
mod packets;
mod positions;

use anyhow::Result;
use dbbackup_sdk::server::{ConnectOptions, Secret, Session, Ssl, SslMode};
use dbbackup_testkit::{ADMIN_PASSWORD, ADMIN_USER, Server};

/// Options for the kit's administrator over TCP.
fn tcp(server: &Server) -> ConnectOptions {
    ConnectOptions {
        host: Some(String::from("127.0.0.1")),
        port: Some(server.port()),
        user: ADMIN_USER.to_owned(),
        password: Some(Secret::new(ADMIN_PASSWORD)),
        ..ConnectOptions::default()
    }
}

/// Options for the kit's administrator over the socket.
fn socket(server: &Server) -> ConnectOptions {
    ConnectOptions { host: None, port: None, socket: Some(server.socket()), ..tcp(server) }
}

fn account(options: ConnectOptions, user: &str, password: &str) -> ConnectOptions {
    ConnectOptions { user: user.to_owned(), password: Some(Secret::new(password)), ..options }
}

fn mode(options: ConnectOptions, mode: SslMode) -> ConnectOptions {
    ConnectOptions { ssl: Ssl { mode, ..options.ssl.clone() }, ..options }
}

fn admin(server: &Server) -> Result<Session> {
    Ok(Session::connect(&socket(server))?)
}
