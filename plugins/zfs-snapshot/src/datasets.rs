//! The datasets that hold everything of a server, in one pool.

use std::path::{Path, PathBuf};

use dbbackup_sdk::{
    Host,
    document::environment::Environment,
    snapshot::{Mounts, PageWrites, Place, ServerPaths, Tablespace, has_doublewrite},
};

use crate::{error::ZfsError, options::Options, zfs};

/// Where a mounted dataset shows its snapshots, visible in listings or not.
const SNAPSHOT_DIRECTORY: &str = ".zfs/snapshot";
/// InnoDB's page size, where the server does not say.
const DEFAULT_PAGE_BYTES: u64 = 16 * 1024;

/// A dataset and how its files are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dataset {
    /// `pool/name`.
    pub(crate) name: String,
    /// Where it is mounted as a whole.
    pub(crate) mount: PathBuf,
    /// Live directories, each with what it is below the dataset's own root: a bind mount shows a
    /// part.
    pub(crate) live: Vec<(PathBuf, PathBuf)>,
}

/// Datasets of one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datasets(pub(crate) Vec<Dataset>);

impl Datasets {
    /// Finds the datasets of every path.
    ///
    /// # Errors
    /// [`ZfsError::NotOnZfs`], [`ZfsError::NoRoot`], [`ZfsError::SeveralPools`] and
    /// [`ZfsError::OtherDataset`].
    pub(crate) fn holding(places: &[Place], options: &Options) -> Result<Self, ZfsError> {
        let mounts = Mounts::read().map_err(ZfsError::Mounts)?;
        let datasets = Self::of(places, &mounts)?;
        if let Some(given) = &options.dataset {
            datasets.refuse_outside_of(given)?;
        }
        Ok(datasets)
    }

    fn of(places: &[Place], mounts: &Mounts) -> Result<Self, ZfsError> {
        let mut datasets: Vec<Dataset> = Vec::new();
        let mut listed = Vec::new();
        for place in places {
            let mount = mounts
                .holding(&place.path, place.device)
                .ok_or_else(|| ZfsError::NoMount { path: place.path.clone() })?;
            if mount.filesystem != "zfs" {
                return Err(ZfsError::NotOnZfs {
                    path: place.path.clone(),
                    filesystem: mount.filesystem.clone(),
                });
            }
            listed.push(format!("{} {} on {}", place.role, place.path.display(), mount.source));
            let whole = mounts.whole(place.device).ok_or_else(|| ZfsError::NoRoot {
                path: place.path.clone(),
                dataset: mount.source.clone(),
            })?;
            let root = mount.root.strip_prefix("/").unwrap_or(Path::new("")).to_owned();
            let live = (mount.point.clone(), root);
            match datasets.iter_mut().find(|dataset| dataset.name == mount.source) {
                Some(known) if known.live.contains(&live) => {}
                Some(known) => known.live.push(live),
                None => datasets.push(Dataset {
                    name: mount.source.clone(),
                    mount: whole.point.clone(),
                    live: vec![live],
                }),
            }
        }
        let first = datasets.first().ok_or(ZfsError::NoPlaces)?.pool().to_owned();
        if datasets.iter().any(|dataset| dataset.pool() != first) {
            return Err(ZfsError::SeveralPools { places: listed });
        }
        Ok(Self(datasets))
    }

    fn refuse_outside_of(&self, given: &str) -> Result<(), ZfsError> {
        let is_inside = |name: &str| {
            name.strip_prefix(given).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self.0.iter().find(|dataset| !is_inside(&dataset.name)) {
            None => Ok(()),
            Some(other) => {
                Err(ZfsError::OtherDataset { given: given.to_owned(), found: other.name.clone() })
            }
        }
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|dataset| dataset.name.clone()).collect()
    }

    /// Whether these datasets write each page of the server as a whole: a record is written in one
    /// transaction or not at all, and a page that lies inside of one with it.
    ///
    /// The property is the record size of files that are made from now on; those that are there keep
    /// theirs. A server with a doublewrite does not need the answer, so that its files are not asked.
    ///
    /// # Errors
    /// Those of `zfs get` and of [`ServerPaths::tablespaces`].
    pub(crate) fn page_writes(
        &self,
        paths: &ServerPaths,
        environment: &Environment,
        host: &Host,
    ) -> Result<PageWrites, ZfsError> {
        let answer = zfs::record_sizes(&self.names())
            .run(host)
            .map_err(ZfsError::tool("ask for the record size"))?;
        let server = environment.server.as_ref();
        let page = server.and_then(|server| server.variables.get("innodb_page_size"));
        let page = page.and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_PAGE_BYTES);
        if zfs::smallest(&answer).is_none_or(|record| record < page) {
            return Ok(PageWrites::MayTear);
        }
        if server.is_some_and(has_doublewrite) {
            return Ok(PageWrites::AreAtomic);
        }
        Ok(writes_of(&paths.tablespaces()?, page))
    }
}

/// What the records of the files say, which may be older than the property of their dataset.
fn writes_of(files: &[Tablespace], page_bytes: u64) -> PageWrites {
    // A file that fits into one record has a record of its own length, and is written as a whole.
    let may_tear =
        |file: &&Tablespace| file.block_bytes < page_bytes && file.bytes > file.block_bytes;
    match files.iter().find(may_tear) {
        None => PageWrites::AreAtomic,
        Some(file) => {
            let (path, record_bytes) = (file.path.display(), file.block_bytes);
            tracing::warn!(%path, record_bytes, "made with records smaller than a page");
            PageWrites::MayTear
        }
    }
}

impl Dataset {
    fn pool(&self) -> &str {
        self.name.split('/').next().unwrap_or(&self.name)
    }

    /// Live directories and where they are in the snapshot of this name.
    pub(crate) fn view(&self, snapshot: &str) -> Vec<(PathBuf, PathBuf)> {
        let top = self.mount.join(SNAPSHOT_DIRECTORY).join(snapshot);
        let inside = |root: &PathBuf| {
            // Joining an empty path would add a slash.
            if root.as_os_str().is_empty() { top.clone() } else { top.join(root) }
        };
        self.live.iter().map(|(point, root)| (point.clone(), inside(root))).collect()
    }

    /// The directory of its snapshots of this name.
    pub(crate) fn top(&self, snapshot: &str) -> PathBuf {
        self.mount.join(SNAPSHOT_DIRECTORY).join(snapshot)
    }
}

#[cfg(test)]
mod tests;
