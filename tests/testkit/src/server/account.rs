//! Accounts for every way to authenticate.
use super::Server;
use anyhow::{Result, bail};

/// How an account proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPlugin {
    /// MySQL's default since 8.0.
    CachingSha2Password,
    /// MariaDB's default; on MySQL 9 a plugin that this kit installs when asked for it.
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
        let identified = match (plugin, self.flavor().is_mariadb()) {
            (AuthPlugin::CachingSha2Password, false) => {
                format!("WITH caching_sha2_password BY {password_text}")
            }
            (AuthPlugin::MysqlNativePassword, false) => {
                let installed = "SELECT COUNT(*) FROM information_schema.plugins \
                                 WHERE plugin_name = 'mysql_native_password'";
                if session.row::<u64>(installed)? == 0 {
                    session.run(
                        "INSTALL PLUGIN mysql_native_password SONAME 'mysql_native_password.so'",
                    )?;
                }
                format!("WITH mysql_native_password BY {password_text}")
            }
            (AuthPlugin::MysqlNativePassword, true) => {
                format!("VIA mysql_native_password USING PASSWORD({password_text})")
            }
            (AuthPlugin::Ed25519, true) => {
                session.run("INSTALL SONAME 'auth_ed25519'")?;
                format!("VIA ed25519 USING PASSWORD({password_text})")
            }
            (AuthPlugin::CachingSha2Password, true) | (AuthPlugin::Ed25519, false) => {
                bail!("{} has no {plugin:?}", self.flavor().name())
            }
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
