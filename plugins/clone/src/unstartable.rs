//! Tables with which no server starts on a clone. The first start makes an empty table of each that
//! is MyISAM's or CSV's, by a statement in which it does not double the backticks of names, and ends
//! with "Data Dictionary initialization failed" where there is one (seen with MySQL 9.7).

use dbbackup_sdk::server::{Session, SessionError};

const FIRST: &str = "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')') \
     FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
     AND ENGINE IN ('MyISAM', 'CSV') \
     AND (INSTR(TABLE_SCHEMA, '`') > 0 OR INSTR(TABLE_NAME, '`') > 0) LIMIT 1";

/// Refuses a server with such a table, of those that the account sees.
///
/// # Errors
/// [`Unstartable::Table`], and what the server refuses.
pub(crate) fn check(session: &mut Session) -> Result<(), Unstartable> {
    match session.value(FIRST).map_err(Box::new)? {
        Some(table) => Err(Unstartable::Table { table }),
        None => Ok(()),
    }
}

/// Why no server would start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unstartable {
    /// A name that the first start does not quote.
    #[error("{table} has a backtick in its name, and no server starts on a clone of it")]
    Table {
        /// `schema.table (engine)`.
        table: String,
    },
    /// The server refused the question.
    #[error(transparent)]
    Session(#[from] Box<SessionError>),
}

/// What an operator can do about a table.
pub(crate) const HINT: &str = "convert the table to InnoDB, rename it, or use another engine";
