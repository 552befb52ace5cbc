//! The account that the server took us for.

use crate::server::{Session, SessionError, quote};

/// User and host part of an account, as in `'backup'@'%'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User name; empty for an anonymous account.
    pub user: String,
    /// Host name or pattern.
    pub host: String,
}

impl Account {
    /// Reads `user@host`, the form of `CURRENT_USER()`. User names may contain `@`, hosts may not.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (user, host) = text.rsplit_once('@').unwrap_or((text, "%"));
        Self { user: user.to_owned(), host: host.to_owned() }
    }

    /// As SQL takes it, quoted.
    #[must_use]
    pub fn to_sql(&self, escaping: quote::Escaping) -> String {
        format!("{}@{}", quote::string(&self.user, escaping), quote::string(&self.host, escaping))
    }
}

impl Session {
    /// The account whose privileges this session has.
    ///
    /// # Errors
    /// As [`Session::query`].
    pub fn account(&mut self) -> Result<Account, SessionError> {
        let table = self.query("SELECT CURRENT_USER() AS account")?;
        Ok(Account::parse(table.only()?.text("account")?))
    }
}
