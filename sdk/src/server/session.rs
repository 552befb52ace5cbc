//! One session for statements whose results are short. Bulk rows go through its connection.

use std::time::Duration;

use crate::{
    server::{ConnectOptions, ServerVersion, SessionError, quote::Escaping},
    wire::{Canceller, Completion, Connection},
};

/// Most rows that [`Session::query`] keeps: every table of a very large server is within it.
const MAX_ROWS: usize = 1_000_000;
/// Longest `wait_timeout` that every server takes.
const MAX_IDLE_SECONDS: u64 = 31_536_000;
/// Statements are cut to this many bytes in errors.
const SHOWN_BYTES: usize = 120;

/// A session on a server, held by one owner: locks and snapshots belong to it.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    options: ConnectOptions,
    version: ServerVersion,
}

impl Session {
    /// Connects, logs in, and asks the server what it is.
    ///
    /// # Errors
    /// Those of [`Connection::connect`].
    pub fn connect(options: &ConnectOptions) -> Result<Self, SessionError> {
        let connection = Connection::connect(options)?;
        let version = ServerVersion::parse(connection.greeting_version(), "");
        let mut session = Self { connection, options: options.clone(), version };
        let answer = session.query("SELECT VERSION() AS v, @@version_comment AS c")?;
        let record = answer.only()?;
        session.version = ServerVersion::parse(record.text("v")?, record.text("c")?);
        Ok(session)
    }

    /// Another session with the same options.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub fn connect_another(&self) -> Result<Self, SessionError> {
        Self::connect(&self.options)
    }

    /// What the server is.
    #[must_use]
    pub fn version(&self) -> &ServerVersion {
        &self.version
    }

    /// How this session was opened.
    #[must_use]
    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The server's number for this session.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.connection.connection_id()
    }

    /// A handle that ends this session from another thread.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.connection.canceller()
    }

    /// How strings are to be quoted for this session, as of its last statement.
    #[must_use]
    pub fn escaping(&self) -> Escaping {
        match self.connection.no_backslash_escapes() {
            true => Escaping::QuotesOnly,
            false => Escaping::Backslash,
        }
    }

    /// The connection itself, for bulk rows and raw commands.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Gives the connection up to a bulk reader or a raw protocol.
    #[must_use]
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Runs a statement and keeps its rows, of which there are few.
    ///
    /// # Errors
    /// - [`SessionError::Statement`]: refused or failed.
    /// - [`SessionError::TooManyRows`]: the session is unusable afterwards.
    pub fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<Table, SessionError> {
        let sql = sql.as_ref();
        let failed = |source| SessionError::Statement { statement: shown(sql), source };
        let mut result = self.connection.query(sql).map_err(failed)?;
        let columns = result.columns().iter().map(|column| column.name.clone()).collect();
        let mut rows = Vec::new();
        while let Some(row) = result.next_row().map_err(failed)? {
            if rows.len() == MAX_ROWS {
                return Err(SessionError::TooManyRows { statement: shown(sql), limit: MAX_ROWS });
            }
            rows.push(row.iter().map(|value| value.map(<[u8]>::to_vec)).collect());
        }
        result.finish().map_err(failed)?;
        Ok(Table { statement: shown(sql), columns, rows })
    }

    /// Runs a statement without rows.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<Completion, SessionError> {
        let sql = sql.as_ref();
        self.connection
            .execute(sql)
            .map_err(|source| SessionError::Statement { statement: shown(sql), source })
    }

    /// The first value of the first row; nothing for NULL or no row.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub fn value(&mut self, sql: impl AsRef<[u8]>) -> Result<Option<String>, SessionError> {
        let table = self.query(sql)?;
        let value = table.rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The first value of the first row of a statement that always has one.
    ///
    /// # Errors
    /// As [`Session::query`], and [`SessionError::Answer`] for NULL or no row.
    pub fn required_value(&mut self, sql: &str) -> Result<String, SessionError> {
        self.value(sql)?.ok_or_else(|| SessionError::Answer {
            statement: shown(sql.as_bytes()),
            what: "a value".to_owned(),
        })
    }

    /// A global variable, or nothing when the server has none of that name.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub fn variable(&mut self, name: &str) -> Result<Option<String>, SessionError> {
        let name = crate::server::quote::string(name, self.escaping());
        let table = self.query(format!("SHOW GLOBAL VARIABLES WHERE Variable_name = {name}"))?;
        match table.records().next() {
            Some(record) => Ok(Some(record.text("Value")?.to_owned())),
            None => Ok(None),
        }
    }

    /// Runs the first of several statements that the server knows: a syntax error passes on to the
    /// next one. Servers rename statements, and tell best themselves which they understand.
    ///
    /// # Errors
    /// As [`Session::query`], with the last statement's error when none is known.
    pub fn query_first_known(&mut self, statements: &[&str]) -> Result<Table, SessionError> {
        let mut last = None;
        for statement in statements {
            match self.query(statement) {
                Err(SessionError::Statement { source, statement })
                    if source.server().is_some_and(|error| error.is_unknown_statement()) =>
                {
                    last = Some(SessionError::Statement { source, statement });
                }
                other => return other,
            }
        }
        Err(last.unwrap_or_else(|| SessionError::Answer {
            statement: String::new(),
            what: String::from("a statement to run"),
        }))
    }

    /// Ends the statement that another session runs, if it runs one.
    ///
    /// # Errors
    /// As [`Session::query`]; that the session is gone is no error.
    pub fn kill_query(&mut self, id: u32) -> Result<(), SessionError> {
        self.kill(format!("KILL QUERY {id}"))
    }

    /// Ends another session, and with it what it holds.
    ///
    /// # Errors
    /// As [`Session::query`]; that the session is gone is no error.
    pub fn kill_session(&mut self, id: u32) -> Result<(), SessionError> {
        self.kill(format!("KILL {id}"))
    }

    /// Sets how long a single read or write may block.
    ///
    /// # Errors
    /// As [`Connection::set_timeouts`].
    pub fn set_timeouts(&mut self, read: Duration, write: Duration) -> Result<(), SessionError> {
        Ok(self.connection.set_timeouts(read, write)?)
    }

    /// Makes the server wait for us as long as the stall budget of the options: for bulk sessions.
    ///
    /// # Errors
    /// As [`Connection::set_stall_budget`].
    pub fn set_stall_budget(&mut self) -> Result<(), SessionError> {
        Ok(self.connection.set_stall_budget(self.options.stall_budget())?)
    }

    /// Makes the server keep this session although it says nothing for as long as `limit`: for one
    /// that waits for another session's work.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn stay_while_idle(&mut self, limit: Duration) -> Result<(), SessionError> {
        let seconds = limit.as_secs().clamp(1, MAX_IDLE_SECONDS);
        self.execute(format!("SET SESSION wait_timeout = {seconds}")).map(drop)
    }

    /// Says goodbye.
    ///
    /// # Errors
    /// As [`Connection::quit`].
    pub fn quit(self) -> Result<(), SessionError> {
        Ok(self.connection.quit()?)
    }

    fn kill(&mut self, sql: String) -> Result<(), SessionError> {
        /// `ER_NO_SUCH_THREAD`.
        const NO_SUCH_THREAD: u16 = 1094;
        match self.execute(sql) {
            Err(error) if error.server_code() == Some(NO_SUCH_THREAD) => Ok(()),
            other => other.map(|_| ()),
        }
    }
}

/// The beginning of a statement, for errors.
fn shown(sql: &[u8]) -> String {
    let (head, dots) = match sql.split_at_checked(SHOWN_BYTES) {
        Some((head, _)) => (head, "…"),
        None => (sql, ""),
    };
    format!("{}{dots}", String::from_utf8_lossy(head))
}

/// The rows of a short result.
#[derive(Debug, Clone)]
pub struct Table {
    statement: String,
    columns: Vec<String>,
    rows: Vec<Vec<Option<Vec<u8>>>>,
}

impl Table {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows in the server's order.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.rows.iter().map(|row| Record { table: self, row })
    }

    /// The first row.
    ///
    /// # Errors
    /// [`SessionError::Answer`] when there is none.
    pub fn only(&self) -> Result<Record<'_>, SessionError> {
        self.records().next().ok_or_else(|| self.lacks("its row"))
    }

    fn lacks(&self, what: &str) -> SessionError {
        SessionError::Answer { statement: self.statement.clone(), what: what.to_owned() }
    }
}

/// One row of a short result, with its values by column name.
#[derive(Debug, Clone, Copy)]
pub struct Record<'t> {
    table: &'t Table,
    row: &'t [Option<Vec<u8>>],
}

impl<'t> Record<'t> {
    /// The bytes of a value; nothing for NULL and for a column that the result does not have.
    /// Column names are compared without regard to case.
    #[must_use]
    pub fn bytes(&self, column: &str) -> Option<&'t [u8]> {
        let at = self.table.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.at(at)
    }

    /// The bytes of a value by its index from 0.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&'t [u8]> {
        self.row.get(index)?.as_deref()
    }

    /// A value as text; nothing for NULL, a missing column, or bytes that are no UTF-8.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'t str> {
        std::str::from_utf8(self.bytes(column)?).ok()
    }

    /// A value as text.
    ///
    /// # Errors
    /// [`SessionError::Answer`] where [`Record::get`] has nothing.
    pub fn text(&self, column: &str) -> Result<&'t str, SessionError> {
        self.get(column).ok_or_else(|| self.table.lacks(column))
    }

    /// A value as a number.
    ///
    /// # Errors
    /// [`SessionError::Answer`] when it is missing or none.
    pub fn number(&self, column: &str) -> Result<u64, SessionError> {
        self.text(column)?.trim().parse().map_err(|_| self.table.lacks(column))
    }
}
