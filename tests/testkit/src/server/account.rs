//! Accounts for every way to authenticate.
use super::Server;
use crate::fetch::Flavor;
use anyhow::{Result, bail};

/// How an account proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPlugin {
    /// MySQL's default since 8.0.
    CachingSha2Password,
    /// MariaDB's default, and MySQL's until 5.7; gone from MySQL 9.
    MysqlNativePassword,
    /// MariaDB's elliptic-curve plugin.
    Ed25519,
}

/// An account that may connect from anywhere.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user name.
    pub user: String,
    /// The password, in the clear: these servers live for one test.
    pub password: String,
}

impl Server {
    /// Makes an account that authenticates by `plugin` and holds `grants`, each in the form
    /// `SELECT ON shop.*`.
    ///
    /// # Errors
    /// This server does not know the plugin, or refuses a grant.
    pub fn create_account(
        &self,
        user: &str,
        password: &str,
        plugin: AuthPlugin,
        grants: &[&str],
    ) -> Result<Account> {
        let mut session = self.session()?;
        let (user_text, password_text) = (quoted(user), quoted(password));
        let identified = match (plugin, self.flavor()) {
            (AuthPlugin::CachingSha2Password, Flavor::Mysql97) => {
                format!("WITH caching_sha2_password BY {password_text}")
            }
            (AuthPlugin::MysqlNativePassword, Flavor::Mysql56) => format!("BY {password_text}"),
            (AuthPlugin::MysqlNativePassword, Flavor::Mariadb1011 | Flavor::Mariadb118) => {
                format!("VIA mysql_native_password USING PASSWORD({password_text})")
            }
            (AuthPlugin::Ed25519, Flavor::Mariadb1011 | Flavor::Mariadb118) => {
                session.run("INSTALL SONAME 'auth_ed25519'")?;
                format!("VIA ed25519 USING PASSWORD({password_text})")
            }
            (plugin, flavor) => bail!("{} has no {plugin:?}", flavor.name()),
        };
        session.run(&format!("CREATE USER {user_text}@'%' IDENTIFIED {identified}"))?;
        for grant in grants {
            session.run(&format!("GRANT {grant} TO {user_text}@'%'"))?;
        }
        Ok(Account { user: user.to_owned(), password: password.to_owned() })
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}
