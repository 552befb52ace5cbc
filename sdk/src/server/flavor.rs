//! What kind of server it is, and which version.

use std::fmt;

use dbbackup_plugin_api::document::environment::ServerFlavor;

/// Flavour and version, as `VERSION()` and `@@version_comment` tell them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    /// Kind of server.
    pub flavor: ServerFlavor,
    /// Major, minor, patch.
    pub numbers: [u16; 3],
    /// The full text of `VERSION()`.
    pub text: String,
}

impl ServerVersion {
    /// Reads the texts of `VERSION()` and `@@version_comment`. Old replicas had to see a MySQL
    /// version, so MariaDB may call itself `5.5.5-10.11.6-MariaDB`; the prefix is dropped.
    #[must_use]
    pub fn parse(version: &str, comment: &str) -> Self {
        let lower = format!("{version} {comment}").to_ascii_lowercase();
        let flavor = if lower.contains("mariadb") {
            ServerFlavor::MariaDB
        } else if lower.contains("percona") {
            ServerFlavor::Percona
        } else {
            ServerFlavor::MySQL
        };
        let own = match flavor {
            ServerFlavor::MariaDB => version.strip_prefix("5.5.5-").unwrap_or(version),
            _ => version,
        };
        let mut numbers = [0; 3];
        let parts = own.split(|c: char| !c.is_ascii_digit());
        for (number, part) in numbers.iter_mut().zip(parts) {
            // A text that is no version at all counts as older than everything.
            *number = part.parse().unwrap_or(0);
        }
        Self { flavor, numbers, text: version.to_owned() }
    }

    /// Whether it is MariaDB, whose dialect differs from MySQL's and Percona's.
    #[must_use]
    pub fn is_mariadb(&self) -> bool {
        self.flavor == ServerFlavor::MariaDB
    }

    /// Whether the version is this one or a later one, of whatever flavour.
    #[must_use]
    pub fn at_least(&self, numbers: [u16; 3]) -> bool {
        self.numbers >= numbers
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{} {major}.{minor}.{patch}", self.flavor)
    }
}

#[cfg(test)]
mod tests;
