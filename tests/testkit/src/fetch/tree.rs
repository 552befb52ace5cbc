//! The servers that tests run against, each a private tree of Debian's packages.
use super::flavor::{Flavor, Source};
use super::wrapper::{self, Program};
use super::{apt, npm};
use crate::cache;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A fetched server: programs, plugins and message files.
#[derive(Debug, Clone)]
pub struct ServerTree {
    flavor: Flavor,
    directory: PathBuf,
}

/// Raised when the layout of the cached trees changes.
const LAYOUT: u32 = 4;

impl ServerTree {
    /// Fetches the server of this flavour, or finds it in the cache.
    ///
    /// # Errors
    /// While the cache is cold: the machine has no apt (no npm for MySQL 5.6), no mirror with
    /// that suite, or no network.
    pub fn fetch(flavor: Flavor) -> Result<Self> {
        let name = format!("tree-{}-{LAYOUT}", flavor.name());
        let directory = cache::entry(&name, |building, home| {
            let (unpacked, root) = (building.join("root"), home.join("root"));
            let (scratch, bin) = (building.join("scratch"), building.join("bin"));
            let version = match flavor.source() {
                Source::Debian(selection) => {
                    let version = apt::unpack(&selection, &unpacked, &scratch)?;
                    let programs = programs(flavor, &unpacked, &root);
                    wrapper::write(&unpacked, &root, &bin, &programs)?;
                    version
                }
                Source::Npm(package) => {
                    let version = npm::unpack(package, &unpacked, &scratch)?;
                    wrapper::write_native(&root, &bin, &old_mysqld(&root))?;
                    version
                }
            };
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

/// MySQL 5.6 lies flat, with the one library that it needs beside it.
fn old_mysqld(root: &Path) -> Program<'static> {
    let option = |name: &str, path: PathBuf| format!("--{name}={}", path.display());
    Program {
        path: "mysqld",
        arguments: vec![
            option("basedir", root.to_owned()),
            option("lc-messages-dir", root.join("share")),
            option("character-sets-dir", root.join("share/charsets")),
        ],
        variables: vec![("LD_LIBRARY_PATH", root.display().to_string())],
    }
}

/// MariaDB's files moved from `share/mysql` to `share/mariadb` with series 11.
fn share_dir(root: &Path) -> PathBuf {
    ["usr/share/mariadb", "usr/share/mysql"]
        .iter()
        .map(|part| root.join(part))
        .find(|path| path.is_dir())
        .unwrap_or_else(|| root.join("share"))
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
