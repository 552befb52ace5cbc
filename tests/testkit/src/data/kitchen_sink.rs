//! A schema of everything that a backup may forget: types, names, definitions, edge cases.
use crate::server::Server;
use anyhow::{Context, Result};

/// What both servers know.
const COMMON: &str = include_str!("kitchen_sink/common.sql");
const MYSQL: &str = include_str!("kitchen_sink/mysql.sql");
const MARIADB: &str = include_str!("kitchen_sink/mariadb.sql");

/// Stands on a line of its own between two statements, which may hold semicolons.
const SEPARATOR: &str = "\n-- next\n";

/// Fills a server with the schemas `kitchen`, `kitchen_latin1` and one with a difficult name.
/// Every table is transactional: [`non_transactional_tables`] adds others.
///
/// # Errors
/// The server refuses a statement.
pub fn kitchen_sink(server: &Server) -> Result<()> {
    let mut session = server.session()?;
    let own = if server.flavor().is_mariadb() { MARIADB } else { MYSQL };
    for script in [COMMON, own] {
        for statement in script.split(SEPARATOR) {
            session.run(statement)?;
        }
    }
    all_bytes(server)?;
    session.run("SET sql_mode = ''")?;
    session
        .run("INSERT INTO kitchen.dates (d, dt) VALUES ('0000-00-00', '0000-00-00 00:00:00')")?;
    session.run("INSERT INTO kitchen.dates (d, dt) VALUES ('2024-00-00', '2024-02-00 01:02:03')")
}

/// Adds the schema `kitchen_old` with tables that no snapshot covers: MyISAM, CSV, and Aria on
/// MariaDB.
///
/// # Errors
/// The server refuses a statement.
pub fn non_transactional_tables(server: &Server) -> Result<()> {
    let mut session = server.session()?;
    session.run("CREATE DATABASE kitchen_old")?;
    let mut engines = vec!["MyISAM", "CSV"];
    if server.flavor().is_mariadb() {
        engines.push("Aria");
    }
    for engine in engines {
        let name = format!("kitchen_old.in_{}", engine.to_lowercase());
        session.run(&format!(
            "CREATE TABLE {name} (id INT NOT NULL, t VARCHAR(20) NOT NULL) ENGINE={engine}"
        ))?;
        session.run(&format!("INSERT INTO {name} VALUES (1, 'one'), (2, 'two \"quoted\"')"))?;
    }
    Ok(())
}

/// Every byte value, in every column that holds bytes; latin1 text with every one of its letters.
fn all_bytes(server: &Server) -> Result<()> {
    let mut session = server.session()?;
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let hex: String = every.iter().map(|byte| format!("{byte:02x}")).collect();
    session.run(&format!("INSERT INTO kitchen.bytes (b, v) VALUES (0x{hex}, 0x{hex})"))?;
    let letters: String = (0xa0..=0xff_u8).map(|byte| format!("{byte:02x}")).collect();
    session
        .run(&format!("INSERT INTO kitchen_latin1.letters (t) VALUES (_latin1 0x{letters})"))
        .context("insert latin1 letters")
}

/// Adds the table `kitchen_large.t` with one row of about `bytes` bytes, incompressible, and a
/// small row before and after it.
///
/// # Errors
/// The row is larger than the server's `max_allowed_packet`.
pub fn large_row(server: &Server, bytes: u64) -> Result<()> {
    let mut session = server.session()?;
    session.run("CREATE DATABASE kitchen_large")?;
    session.run("CREATE TABLE kitchen_large.t (id INT PRIMARY KEY, body LONGBLOB)")?;
    session.run("INSERT INTO kitchen_large.t VALUES (1, 'small'), (3, NULL)")?;
    // Built on the client, so that it does not depend on what functions the server has.
    let mut random = crate::random::Random::seeded(bytes);
    let mut statement = b"INSERT INTO kitchen_large.t VALUES (2, 0x".to_vec();
    for _ in 0..bytes / 8 {
        statement.extend_from_slice(format!("{:016x}", random.bits()).as_bytes());
    }
    statement.push(b')');
    session.run_bytes(&statement)
}
