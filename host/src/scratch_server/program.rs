//! The server program: found, and asked for its flavour and version.
use super::ScratchError;
use crate::env;
use dbbackup_plugin_api::document::restore::TargetServer;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Where distributions put servers, besides `PATH`.
const SYSTEM_DIRECTORIES: [&str; 4] =
    ["/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/mysql/bin"];

/// A server program of the series that a backup needs.
#[derive(Clone, Debug)]
pub(crate) struct ServerProgram {
    path: PathBuf,
    is_mariadb: bool,
    version: String,
    /// The dbbackup binary that starts it.
    guard: PathBuf,
}

impl ServerProgram {
    /// The program at `given`, or the first one in `PATH` and the usual places, if it is of the
    /// flavour and series of `wanted_version` (`VERSION()` of the backup's source).
    ///
    /// # Errors
    /// [`ScratchError::NoProgram`], [`ScratchError::OtherSeries`].
    pub(crate) fn find(
        given: Option<&Path>,
        flavor: &str,
        wanted_version: &str,
        guard: &Path,
    ) -> Result<Self, ScratchError> {
        let is_mariadb = flavor == "MariaDB";
        let names: &[&str] = if is_mariadb { &["mariadbd", "mysqld"] } else { &["mysqld"] };
        let path = match given {
            Some(path) => path.to_owned(),
            None => search(names).ok_or_else(|| ScratchError::NoProgram {
                looked_for: format!(
                    "{} in PATH and {}",
                    names.join(", "),
                    SYSTEM_DIRECTORIES.join(", ")
                ),
            })?,
        };
        let version = ask_version(&path)?;
        let fits = version.contains("MariaDB") == is_mariadb
            && series(&version).is_some_and(|found| Some(found) == series(wanted_version));
        if !fits {
            return Err(ScratchError::OtherSeries {
                program: path,
                found: match version.as_str() {
                    "" => "no server, it says nothing to --version".to_owned(),
                    _ => version,
                },
                wanted: format!("{flavor} {wanted_version}"),
            });
        }
        Ok(Self { path, is_mariadb, version, guard: guard.to_owned() })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The dbbackup binary that starts it, so that it dies with this process.
    pub(super) fn guard(&self) -> &Path {
        &self.guard
    }

    /// True for MariaDB.
    pub(crate) fn is_mariadb(&self) -> bool {
        self.is_mariadb
    }

    /// What it says of itself.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Arguments that keep it from listening anywhere and from writing what nobody reads.
    pub(crate) fn quiet_arguments(&self) -> &'static [&'static str] {
        if self.is_mariadb {
            &["--skip-log-bin", "--loose-skip-slave-start"]
        } else {
            &[
                "--skip-log-bin",
                "--loose-skip-replica-start",
                "--loose-mysqlx=OFF",
                "--loose-secure-file-priv=NULL",
            ]
        }
    }
}

fn search(names: &[&str]) -> Option<PathBuf> {
    let mut directories = env::search_path();
    directories.extend(SYSTEM_DIRECTORIES.map(PathBuf::from));
    names.iter().find_map(|name| {
        directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file())
    })
}

/// A server that somebody names: its version, and its variables as its own configuration sets them.
///
/// # Errors
/// [`ScratchError::Io`] if it cannot be run.
pub(crate) fn target_server(path: &Path) -> Result<TargetServer, ScratchError> {
    let version = ask_version(path)?;
    let variables = variables(&run(path, &["--verbose", "--help"])?);
    Ok(TargetServer { program: path.to_owned(), version, variables })
}

/// The table at the end of `--verbose --help`: a line of dashes, then a name and a value a line.
fn variables(help: &str) -> BTreeMap<String, String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("-----"));
    let named = lines.skip(1).take_while(|line| !line.is_empty());
    let split = named.filter_map(|line| line.split_once(char::is_whitespace));
    split.map(|(name, value)| (name.replace('-', "_"), value.trim().to_owned())).collect()
}

fn run(path: &Path, arguments: &[&str]) -> Result<String, ScratchError> {
    let output = Command::new(path)
        .args(arguments)
        .output()
        .map_err(|source| ScratchError::io("run", path, source))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let source = io::Error::other(format!("{}: {text}", output.status));
        return Err(ScratchError::io("run", path, source));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ask_version(path: &Path) -> Result<String, ScratchError> {
    let text = run(path, &["--no-defaults", "--version"])?;
    // `/usr/sbin/mysqld  Ver 9.7.4 for Linux on x86_64`: the path may hold digits, too.
    let version = text.split_once("Ver ").map_or(text.as_str(), |(_, version)| version);
    Ok(version.trim().to_owned())
}

/// Major and minor version: `9.7` of `9.7.4-2`.
fn series(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
