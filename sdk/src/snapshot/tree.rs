//! The data directory, entry by entry, without what must not come into a backup.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    error::SnapshotError,
    names::is_snapshot_name,
    paths::{ServerPaths, real_file},
};

/// Files in the data directory that never come.
///
/// - `auto.cnf` is the server's identity: a restored server is another one, and two servers of one
///   identity cannot replicate from each other. The manifest keeps it.
/// - The files of replication positions make a restored server connect to the old source by itself.
const NEVER: [&str; 6] = [
    "auto.cnf",
    "master.info",
    "relay-log.info",
    "multi-master.info",
    "mysql_upgrade_info.lock",
    "mysqld_safe.pid",
];
/// Directories in the data directory that never come: the server's temporary tablespaces, which are
/// made anew at each start, and the file system's own. The directory of a schema is never called
/// so, because the server writes `#` and `+` in a name as `@0023` and `@002b`.
const NEVER_DIRECTORIES: [&str; 2] = ["#innodb_temp", "lost+found"];
/// Where ZFS shows all snapshots of a dataset, in listings too with `snapdir=visible`.
const ZFS_SNAPSHOTS: &str = ".zfs";
/// Value of `log_error` where there is no such file.
const NO_ERROR_LOG: &str = "stderr";

/// An entry that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path in the live server.
    pub(super) live: PathBuf,
    /// Where it was found.
    pub(super) source: PathBuf,
    /// Its path below the directory walked through.
    pub(super) relative: PathBuf,
    pub(super) kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory, with its device and that of the directory above.
    Directory {
        device: u64,
        above: u64,
    },
    File,
    Link,
    /// A socket, a pipe, a device.
    Other,
}

/// Walks through a live directory as it is found by `place` (inside a snapshot, say): every entry
/// but those left out, directories before what is in them, names in their order.
pub(super) fn walk(
    root: &Path,
    place: &dyn Fn(&Path) -> Option<PathBuf>,
    left_out: &LeftOut,
    visit: &mut dyn FnMut(Found) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let source_of =
        |live: &Path| place(live).ok_or_else(|| SnapshotError::Uncovered { path: live.to_owned() });
    let device_of = |path: &Path| {
        fs::symlink_metadata(path)
            .map(|found| found.dev())
            .map_err(SnapshotError::io("look at", path))
    };
    let mut open = vec![(PathBuf::new(), device_of(&source_of(root)?)?)];
    while let Some((relative, above)) = open.pop() {
        let live_directory = joined(root, &relative);
        let mut inside = Vec::new();
        for (name, kind) in entries_of(&source_of(&live_directory)?)? {
            let live = live_directory.join(&name);
            if left_out.has(&live, kind) {
                continue;
            }
            let (source, relative) = (source_of(&live)?, relative.join(&name));
            let kind = match kind {
                Kind::Directory { .. } => {
                    let device = device_of(&source)?;
                    inside.push((relative.clone(), device));
                    Kind::Directory { device, above }
                }
                other => other,
            };
            visit(Found { live, source, relative, kind })?;
        }
        open.extend(inside.into_iter().rev());
    }
    Ok(())
}

fn joined(root: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(relative) }
}

/// Names of a directory, sorted, with what they are.
fn entries_of(directory: &Path) -> Result<Vec<(std::ffi::OsString, Kind)>, SnapshotError> {
    let failed = |source| SnapshotError::io("list", directory)(source);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let found = entry.file_type().map_err(failed)?;
        let kind = if found.is_dir() {
            Kind::Directory { device: 0, above: 0 }
        } else if found.is_symlink() {
            Kind::Link
        } else if found.is_file() {
            Kind::File
        } else {
            Kind::Other
        };
        entries.push((entry.file_name(), kind));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

/// What stays out of a backup.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    data: PathBuf,
    /// Files that the server names: pid, socket, error log.
    files: Vec<PathBuf>,
    /// Directory and beginning of names of binlogs and relay logs.
    logs: Vec<(PathBuf, String)>,
}

impl LeftOut {
    /// Binlogs too: the newest comes on its own.
    pub(super) fn of(paths: &ServerPaths) -> Self {
        let variables = &paths.server.variables;
        let names_a_file = |value: &&String| !value.is_empty() && *value != NO_ERROR_LOG;
        let variable = |name: &str| variables.get(name).filter(names_a_file);
        let file = |name: &str| {
            let path = paths.data().join(variable(name)?);
            // A file in a directory that is not there cannot be in the way.
            real_file(&path).ok()
        };
        let files = ["pid_file", "socket", "log_error", "mysqlx_socket", "relay_log_info_file"];
        let mut logs: Vec<(PathBuf, String)> = Vec::new();
        if let Some(binlog) = &paths.binlog {
            logs.push((binlog.directory.clone(), binlog.base.clone()));
        }
        if let Some(relay) = file("relay_log_basename")
            && let (Some(directory), Some(name)) = (relay.parent(), relay.file_name())
        {
            logs.push((directory.to_owned(), name.to_string_lossy().into_owned()));
        }
        Self {
            data: paths.data().to_owned(),
            files: files.into_iter().filter_map(file).collect(),
            logs,
        }
    }

    /// Whether a path of the live server stays out.
    ///
    /// The kind comes first: a schema may be called as a file of the server is (`ibtmp_archive`), and
    /// its directory must come with all that is in it.
    pub(super) fn has(&self, live: &Path, kind: Kind) -> bool {
        let name = live.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        match kind {
            Kind::Directory { .. } => self.has_directory(live, &name),
            Kind::File | Kind::Link | Kind::Other => self.has_file(live, &name, kind),
        }
    }

    fn has_directory(&self, live: &Path, name: &str) -> bool {
        let of_the_server =
            live.parent() == Some(self.data.as_path()) && NEVER_DIRECTORIES.contains(&name);
        of_the_server || is_own_snapshot(name) || name == ZFS_SNAPSHOTS
    }

    fn has_file(&self, live: &Path, name: &str, kind: Kind) -> bool {
        let directory = live.parent().unwrap_or(live);
        let is_log = self.logs.iter().any(|(at, base)| {
            at == directory && name.strip_prefix(base.as_str()).is_some_and(ends_a_log)
        });
        let of_the_server = directory == self.data
            && (NEVER.contains(&name)
                // A link may lead to a schema, and is refused where links are.
                || (kind == Kind::File && is_temporary_tablespace(name))
                || is_replication_file(name)
                || name.ends_with(".sock.lock"));
        is_log
            || of_the_server
            || name.ends_with(".ibt")
            || is_own_snapshot(name)
            || self.files.iter().any(|file| file == live)
    }
}

/// `ibtmp1`. A tablespace of the user's may begin so too, and ends in `.ibd`.
fn is_temporary_tablespace(name: &str) -> bool {
    name.starts_with("ibtmp") && !name.ends_with(".ibd")
}

/// A snapshot that this tool has made inside of the data directory.
fn is_own_snapshot(name: &str) -> bool {
    name.strip_prefix('.').is_some_and(is_snapshot_name)
}

/// `master-NAME.info`, `relay-log-NAME.info`: positions of a named connection.
fn is_replication_file(name: &str) -> bool {
    name.ends_with(".info") && (name.starts_with("master-") || name.starts_with("relay-log-"))
}

/// What follows the name of a binlog or relay log: `.000001`, `.index`, `.state`, and for a named
/// connection its name before that.
fn ends_a_log(rest: &str) -> bool {
    let Some((connection, ending)) = rest.rsplit_once('.') else { return false };
    let is_number = !ending.is_empty() && ending.bytes().all(|byte| byte.is_ascii_digit());
    let is_own = matches!(ending, "index" | "state" | "~rec~" | "index_crash_safe" | "info");
    (connection.is_empty() || connection.starts_with('-')) && (is_number || is_own)
}

#[cfg(test)]
mod tests;
