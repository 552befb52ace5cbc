//! The test kit: real servers, data, load and faults for the tests of dbbackup, fetched and
//! started without anything being installed.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use dbbackup_testkit::{Flavor, Server, ServerOptions};
//! let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
//! server.sql("CREATE DATABASE shop")?;
//! let names: Vec<String> = server.rows("SHOW DATABASES")?;
//! # Ok(())
//! # }
//! ```
mod cache;
pub mod env;
mod fetch;
mod process;
mod scratch;
mod server;
mod wait;

pub use fetch::{Flavor, Peers, ServerTree};
pub use scratch::Scratch;
pub use server::{
    ADMIN_PASSWORD, ADMIN_USER, Account, AuthPlugin, Server, ServerOptions, Session, Tls,
};
pub use wait::{pause, wait_until};
