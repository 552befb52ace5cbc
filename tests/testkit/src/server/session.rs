//! A session with a server, blocking: one connection, and the small runtime that drives it.
use anyhow::{Context, Result, bail};
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, OptsBuilder};
use tokio::runtime::{Builder, Runtime};

/// One connection. Dropping it disconnects.
#[derive(Debug)]
pub struct Session {
    connection: Option<Conn>,
    runtime: Runtime,
}

impl Session {
    /// Connects with the given options.
    ///
    /// # Errors
    /// The server is unreachable or refuses the account.
    pub fn connect(options: &OptsBuilder) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(Conn::new(options.clone()))?;
        Ok(Self { connection: Some(connection), runtime })
    }

    /// Runs one or more statements and throws their results away.
    ///
    /// # Errors
    /// The server is gone or refuses a statement.
    pub fn run(&mut self, statements: &str) -> Result<()> {
        let connection = self.connection.as_mut().context("the session is closed")?;
        self.runtime
            .block_on(connection.query_drop(statements))
            .with_context(|| format!("run {}", shortened(statements)))
    }

    /// Runs a statement given as bytes, for names and values that are not UTF-8.
    ///
    /// # Errors
    /// The server is gone or refuses the statement.
    pub fn run_bytes(&mut self, statement: &[u8]) -> Result<()> {
        let connection = self.connection.as_mut().context("the session is closed")?;
        self.runtime
            .block_on(connection.query_drop(statement))
            .with_context(|| format!("run {}", shortened(&String::from_utf8_lossy(statement))))
    }

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// The server is gone or refuses the query.
    pub fn rows<T: FromRow + Send + 'static>(&mut self, query: &str) -> Result<Vec<T>> {
        let connection = self.connection.as_mut().context("the session is closed")?;
        self.runtime
            .block_on(connection.query(query))
            .with_context(|| format!("query {}", shortened(query)))
    }

    /// Runs a query that gives exactly one row.
    ///
    /// # Errors
    /// The server is gone, refuses the query, or gives another number of rows.
    pub fn row<T: FromRow + Send + 'static>(&mut self, query: &str) -> Result<T> {
        let mut rows = self.rows(query)?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(row),
            (None, _) => bail!("no row for {}", shortened(query)),
            (Some(_), more) => bail!("{} rows for {}", more + 1, shortened(query)),
        }
    }

    /// Runs a query and hands each row over as it arrives, without holding them all.
    ///
    /// # Errors
    /// The server is gone or refuses the query, or `each` fails.
    pub fn for_each(
        &mut self,
        query: &str,
        mut each: impl FnMut(mysql_async::Row) -> Result<()>,
    ) -> Result<()> {
        let connection = self.connection.as_mut().context("the session is closed")?;
        self.runtime.block_on(async {
            let mut result = connection.query_iter(query).await?;
            while let Some(row) = result.next().await? {
                each(row)?;
            }
            anyhow::Ok(())
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The server may be gone already, which is as disconnected as can be.
            drop(self.runtime.block_on(connection.disconnect()));
        }
    }
}

/// Enough of a statement to recognise it.
fn shortened(statement: &str) -> String {
    const LONGEST: usize = 300;
    let mut text: String = statement.chars().take(LONGEST).collect();
    if text.len() < statement.len() {
        text.push_str(" ...");
    }
    text
}
