//! The servers that tests run against, each a private tree of Debian's packages.
use super::apt::{self, Selection};
use super::wrapper::{self, Program};
use crate::cache;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A kind and series of server that the test kit can fetch and start.
///
/// The suites move: ask [`ServerTree::version`] or the server for the exact version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL 9.7 of Debian unstable, with the clone plugin.
    Mysql97,
    /// MariaDB 10.11 of Debian 12.
    Mariadb1011,
    /// MariaDB 11.8 of Debian 13.
    Mariadb118,
}

impl Flavor {
    /// The flavours that every run of the tests covers.
    pub const COVERED: [Self; 2] = [Self::Mysql97, Self::Mariadb1011];

    /// Whether this is a MariaDB server.
    pub fn is_mariadb(self) -> bool {
        !matches!(self, Self::Mysql97)
    }

    /// A short name for messages and directories.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql97 => "mysql-9.7",
            Self::Mariadb1011 => "mariadb-10.11",
            Self::Mariadb118 => "mariadb-11.8",
        }
    }

    fn selection(self) -> Selection<'static> {
        const MARIADB: [&str; 4] =
            ["mariadb-server-core", "mariadb-client-core", "mariadb-client", "mariadb-backup"];
        match self {
            Self::Mysql97 => Selection {
                suite: "sid",
                packages: &["mysql-server-core", "mysql-client-core"],
                alone: &[],
            },
            // `mariadb-server` holds the plugins; its dependencies are service management.
            Self::Mariadb1011 => {
                Selection { suite: "bookworm", packages: &MARIADB, alone: &["mariadb-server"] }
            }
            Self::Mariadb118 => {
                Selection { suite: "trixie", packages: &MARIADB, alone: &["mariadb-server"] }
            }
        }
    }

    fn programs(self) -> &'static [&'static str] {
        if self.is_mariadb() {
            &[
                "usr/sbin/mariadbd",
                "usr/bin/mariadb",
                "usr/bin/mariadb-dump",
                "usr/bin/mariadb-binlog",
                "usr/bin/mariadb-backup",
                "usr/bin/mbstream",
                "usr/bin/innochecksum",
            ]
        } else {
            &[
                "usr/sbin/mysqld",
                "usr/bin/mysql",
                "usr/bin/mysqldump",
                "usr/bin/mysqlbinlog",
                "usr/bin/ibd2sdi",
                "usr/bin/innochecksum",
            ]
        }
    }
}

/// A fetched server: programs, plugins and message files.
#[derive(Debug, Clone)]
pub struct ServerTree {
    flavor: Flavor,
    directory: PathBuf,
}

/// Raised when the layout of the cached trees changes.
const LAYOUT: u32 = 3;

impl ServerTree {
    /// Fetches the server of this flavour, or finds it in the cache.
    ///
    /// # Errors
    /// The machine has no apt, no mirror with that suite, or no network while the cache is cold.
    pub fn fetch(flavor: Flavor) -> Result<Self> {
        let name = format!("tree-{}-{}-{LAYOUT}", flavor.name(), flavor.selection().suite);
        let directory = cache::entry(&name, |building, home| {
            let unpacked = building.join("root");
            let selection = flavor.selection();
            let version = apt::unpack(&selection, &unpacked, &building.join("apt"))?;
            let root = home.join("root");
            let programs = programs(flavor, &unpacked, &root);
            wrapper::write(&unpacked, &root, &building.join("bin"), &programs)?;
            fs::write(building.join("VERSION"), version)?;
            Ok(())
        })?;
        Ok(Self { flavor, directory })
    }

    /// The flavour that was asked for.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The package version, such as `9.7.4-1`.
    ///
    /// # Errors
    /// The cache is damaged.
    pub fn version(&self) -> Result<String> {
        let path = self.directory.join("VERSION");
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// The server program: a wrapper that needs no `--basedir` and the like, fit for
    /// `dbbackup verify --mysqld`.
    pub fn mysqld_path(&self) -> PathBuf {
        self.program(if self.flavor.is_mariadb() { "mariadbd" } else { "mysqld" })
    }

    /// A client program of this server by its own name, such as `mysqldump` or `mariadb-binlog`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }

    /// The server's plugin directory.
    pub fn plugin_dir(&self) -> PathBuf {
        self.directory.join("root/usr/lib/mysql/plugin")
    }

    /// The directory of message files, character sets and the SQL that makes a data directory.
    pub(crate) fn share_dir(&self) -> PathBuf {
        share_dir(&self.directory.join("root"))
    }
}

/// MariaDB's files moved from `share/mysql` to `share/mariadb` with series 11.
fn share_dir(root: &Path) -> PathBuf {
    let newer = root.join("usr/share/mariadb");
    if newer.is_dir() { newer } else { root.join("usr/share/mysql") }
}

fn programs(flavor: Flavor, unpacked: &Path, root: &Path) -> Vec<Program<'static>> {
    let share = match share_dir(unpacked).strip_prefix(unpacked) {
        Ok(part) => root.join(part),
        Err(_) => root.join("usr/share/mysql"),
    };
    let option = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
    let mut server = vec![
        option("basedir", root.join("usr")),
        option("plugin-dir", root.join("usr/lib/mysql/plugin")),
        option("lc-messages-dir", share.clone()),
        option("character-sets-dir", share.join("charsets")),
    ];
    if !flavor.is_mariadb() {
        // The built-in default is a directory that only an installed package makes.
        server.push("--secure-file-priv=NULL".to_owned());
    }
    let describe = |path: &'static str| {
        let is_server = path.starts_with("usr/sbin/");
        let arguments = if is_server { server.clone() } else { Vec::new() };
        Program { path, arguments, variables: Vec::new() }
    };
    flavor.programs().iter().copied().map(describe).collect()
}
