//! Tables like sysbench's, made without sysbench: `sbtest1` … with an index and random digits.
use crate::random::Random;
use crate::server::Server;
use anyhow::Result;
use std::fmt::Write as _;

/// How many and how large.
#[derive(Debug, Clone)]
pub struct SampleTables {
    /// The schema, made if it is not there.
    pub schema: String,
    /// Number of tables.
    pub tables: u32,
    /// Rows of each table; a row takes about 240 bytes on disk.
    pub rows: u64,
}

/// Rows of one INSERT: about 400 KB.
const ROWS_PER_STATEMENT: u64 = 2000;

impl SampleTables {
    /// Four tables, about 1 MB together.
    pub fn small() -> Self {
        Self { schema: "sbtest".to_owned(), tables: 4, rows: 1000 }
    }

    /// Four tables, about 1 GB together.
    pub fn gigabyte() -> Self {
        Self { schema: "sbtest".to_owned(), tables: 4, rows: 1_100_000 }
    }

    /// Makes and fills the tables, several at a time. The same call makes the same rows.
    ///
    /// # Errors
    /// The server refuses a statement, or its disk is full.
    pub fn load(&self, server: &Server) -> Result<()> {
        server.sql(&format!("CREATE DATABASE IF NOT EXISTS `{}`", self.schema))?;
        std::thread::scope(|scope| {
            let loaders: Vec<_> = (1..=self.tables)
                .map(|number| scope.spawn(move || self.load_table(server, number)))
                .collect();
            for loader in loaders {
                loader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(())
        })
    }

    fn load_table(&self, server: &Server, number: u32) -> Result<()> {
        let name = format!("`{}`.`sbtest{number}`", self.schema);
        let mut session = server.session()?;
        session.run(&format!(
            "CREATE TABLE {name} (id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, \
             c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', \
             PRIMARY KEY (id), KEY k_{number} (k))"
        ))?;
        let mut random = Random::seeded(u64::from(number));
        let mut left = self.rows;
        while left > 0 {
            let rows = left.min(ROWS_PER_STATEMENT);
            session.run(&self.insert(&name, rows, &mut random)?)?;
            left -= rows;
        }
        Ok(())
    }

    fn insert(&self, name: &str, rows: u64, random: &mut Random) -> Result<String> {
        let mut statement = format!("INSERT INTO {name} (k, c, pad) VALUES ");
        for row in 0..rows {
            let separator = if row == 0 { "" } else { "," };
            write!(statement, "{separator}({},'", random.below(self.rows))?;
            digits(&mut statement, 10, random)?;
            statement.push_str("','");
            digits(&mut statement, 5, random)?;
            statement.push_str("')");
        }
        Ok(statement)
    }
}

/// Groups of eleven random digits, as sysbench makes them.
fn digits(statement: &mut String, groups: u32, random: &mut Random) -> Result<()> {
    for group in 0..groups {
        let separator = if group == 0 { "" } else { "-" };
        write!(statement, "{separator}{:011}", random.below(100_000_000_000))?;
    }
    Ok(())
}
