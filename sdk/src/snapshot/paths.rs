//! The paths that the server uses, proven to be its own, and where they lie.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use dbbackup_plugin_api::document::environment::{
    Environment, PathFacts, ServerFacts, ServerFlavor,
};

use super::{
    error::SnapshotError,
    tree::{self, Kind, LeftOut},
};

/// Roles that every server has a path for.
const ALWAYS: [&str; 4] = ["data", "redo", "undo", "doublewrite"];
/// Directories of other storage engines, which the host does not look at: they must be inside the
/// data directory.
const INSIDE_DATA: [&str; 3] = ["aria_log_dir_path", "rocksdb_datadir", "rocksdb_wal_dir"];

/// The paths that the server on the connection uses on this machine.
#[derive(Debug, Clone)]
pub struct ServerPaths {
    pub(super) roots: Vec<Root>,
    pub(super) server: ServerFacts,
    pub(super) binlog: Option<BinlogPlace>,
}

/// A directory of the server that becomes a root of the backup.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// `data`, `redo`, `undo`, `doublewrite`, `binlog` or `external/<n>`.
    pub(super) role: String,
    /// The path without links.
    pub(super) real: PathBuf,
    facts: PathFacts,
}

/// Where the binlogs are.
#[derive(Debug, Clone)]
pub(super) struct BinlogPlace {
    /// Their directory, without links.
    pub(super) directory: PathBuf,
    /// What their names begin with, before the dot.
    pub(super) base: String,
    /// The file that lists them.
    pub(super) index: PathBuf,
}

/// A directory that the server uses, and the file system that it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `data`, `redo`, `undo`, `doublewrite`, `binlog` or `external/<n>`.
    pub role: String,
    /// The directory, without links.
    pub path: PathBuf,
    /// `st_dev`: two places with one number are on one file system (Btrfs: in one subvolume).
    pub device: u64,
    /// What the host knows of its mount; nothing for a place inside of another one, where another
    /// file system or subvolume begins.
    pub facts: Option<PathFacts>,
}

impl ServerPaths {
    /// Takes the paths that the host has gathered, if all of them are proven.
    ///
    /// # Errors
    /// [`SnapshotError::NotHere`] and [`SnapshotError::NotProven`]: a perfect copy of another
    /// server's files would be the worst backup. [`SnapshotError::Outside`].
    pub fn proven_local(environment: &Environment) -> Result<Self, SnapshotError> {
        let server = environment.server.clone().ok_or(SnapshotError::NoServer)?;
        let has = |role: &str| environment.paths.iter().any(|facts| facts.role == role);
        let required = ALWAYS.into_iter().chain(server.binlog.then_some("binlog"));
        for role in required {
            if !has(role) {
                return Err(SnapshotError::NotHere { role: role.to_owned() });
            }
        }
        let mut roots = Vec::new();
        for facts in &environment.paths {
            if !facts.proven_local {
                return Err(SnapshotError::NotProven { path: facts.path.clone() });
            }
            let real = real_path(&facts.path)?;
            roots.push(Root { role: facts.role.clone(), real, facts: facts.clone() });
        }
        let binlog = binlog_place(&server)?;
        let paths = Self { roots, server, binlog };
        paths.refuse_outside()?;
        Ok(paths)
    }

    /// The data directory, without links.
    #[must_use]
    pub fn data(&self) -> &Path {
        let data = self.roots.iter().find(|root| root.role == "data");
        data.map_or(Path::new("/"), |root| &root.real)
    }

    pub(super) fn is_mariadb(&self) -> bool {
        self.server.flavor == ServerFlavor::MariaDB
    }

    /// Every directory that the server uses with its device, and every directory inside the data
    /// directory where another file system or subvolume begins.
    ///
    /// # Errors
    /// [`SnapshotError::Link`]: a link inside the data directory leads elsewhere.
    /// [`SnapshotError::Io`]: a directory cannot be read.
    pub fn places(&self) -> Result<Vec<Place>, SnapshotError> {
        let mut places = Vec::new();
        for root in &self.roots {
            places.push(place(&root.role, &root.real, Some(root.facts.clone()))?);
        }
        if let Some(binlog) = &self.binlog
            && let Some(directory) = binlog.index.parent()
            && directory != binlog.directory
        {
            places.push(place("binlog", directory, None)?);
        }
        self.add_boundaries(&mut places)?;
        Ok(places)
    }

    fn add_boundaries(&self, places: &mut Vec<Place>) -> Result<(), SnapshotError> {
        let data = self.data();
        let here = |live: &Path| Some(live.to_owned());
        tree::walk(data, &here, &LeftOut::of(self), &mut |found| {
            match found.kind {
                Kind::Link => return Err(SnapshotError::Link { path: found.live }),
                Kind::Directory { device, above } if device != above => places.push(Place {
                    role: "data".to_owned(),
                    path: found.live,
                    device,
                    facts: None,
                }),
                Kind::Directory { .. } | Kind::File | Kind::Other => {}
            }
            Ok(())
        })
    }

    /// Writes what is dirty on the file systems of all paths to disk. Before any lock: a snapshot
    /// flushes, and what is flushed already costs no time under the lock.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn sync(&self) -> Result<(), SnapshotError> {
        let mut devices = BTreeSet::new();
        for root in &self.roots {
            let failed = |source| SnapshotError::io("flush", &root.real)(source);
            let directory = File::open(&root.real).map_err(failed)?;
            if devices.insert(directory.metadata().map_err(failed)?.dev()) {
                rustix::fs::syncfs(&directory).map_err(|errno| failed(errno.into()))?;
            }
        }
        Ok(())
    }

    fn refuse_outside(&self) -> Result<(), SnapshotError> {
        for variable in INSIDE_DATA {
            let value = self.server.variables.get(variable).filter(|value| !value.is_empty());
            let Some(path) = value.map(|value| self.data().join(value)) else { continue };
            // A directory that is not there is of an engine that is not in use.
            if path.exists() && !real_path(&path)?.starts_with(self.data()) {
                return Err(SnapshotError::Outside { variable, path });
            }
        }
        Ok(())
    }
}

fn place(role: &str, path: &Path, facts: Option<PathFacts>) -> Result<Place, SnapshotError> {
    let found = fs::metadata(path).map_err(SnapshotError::io("look at", path))?;
    Ok(Place { role: role.to_owned(), path: path.to_owned(), device: found.dev(), facts })
}

pub(super) fn real_path(path: &Path) -> Result<PathBuf, SnapshotError> {
    path.canonicalize().map_err(SnapshotError::io("find", path))
}

/// A file, with links in its directory resolved, whether it is there or not.
pub(super) fn real_file(path: &Path) -> Result<PathBuf, SnapshotError> {
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => Ok(real_path(directory)?.join(name)),
        _ => Ok(path.to_owned()),
    }
}

fn binlog_place(server: &ServerFacts) -> Result<Option<BinlogPlace>, SnapshotError> {
    let variable = |name: &str| {
        server.variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    };
    let (Some(data), Some(basename)) = (variable("datadir"), variable("log_bin_basename")) else {
        return Ok(None);
    };
    let basename = real_file(&data.join(basename))?;
    let index = variable("log_bin_index").unwrap_or_else(|| basename.with_extension("index"));
    let (Some(directory), Some(base)) = (basename.parent(), basename.file_name()) else {
        return Ok(None);
    };
    Ok(Some(BinlogPlace {
        directory: directory.to_owned(),
        base: base.to_string_lossy().into_owned(),
        index: real_file(&data.join(index))?,
    }))
}
