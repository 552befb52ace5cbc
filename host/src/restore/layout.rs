//! Where each root of a backup goes: a restored directory is one that a server starts on.
//!
//! The directory that the operator names becomes the data directory, and what lay below the data
//! directory of the source lies below it again. What lay elsewhere (undo logs, general tablespaces,
//! tables with `DATA DIRECTORY`) has no place of its own in there: it goes where `--map` says; and
//! where that says nothing, everything stays together under the names of the roots, the data
//! directory too, and the server is told by options where the others are.
mod system;

use super::{error::RestoreError, is_ours};
use crate::{replica_statement::stay_stopped, target::with_ending};
use dbbackup_plugin_api::document::{manifest::Manifest, path::EntryPath, restore::Mapping};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

/// Root of the data directory.
const DATA: &str = "data";
/// Beginning of the roots of tablespaces outside of it.
const EXTERNAL: &str = "external/";
/// Root of binlogs outside of it.
const BINLOG: &str = "binlog";

/// Where each root goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Directories that are made, the operator's own first.
    trees: Vec<PathBuf>,
    /// Longer names first, so that the first one that fits is the right one.
    places: Vec<Place>,
    /// Options that tell a server where things are.
    options: Vec<String>,
}

/// The directory of one root.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    root: String,
    /// Which of the trees it is in.
    tree: usize,
    /// Where in there.
    below: PathBuf,
}

impl Layout {
    /// The layout of a backup in `directory`, an absolute path.
    pub(crate) fn new(
        directory: &Path,
        manifest: &Manifest,
        map: &[Mapping],
    ) -> Result<Self, RestoreError> {
        let mut layout =
            Self { trees: vec![directory.to_owned()], places: Vec::new(), options: Vec::new() };
        let mapped = mapped_roots(manifest, map)?;
        let Some(data) = data_root(manifest) else {
            layout.map_all(&mapped, manifest);
            return Ok(layout);
        };
        let others = || manifest.roots.iter().filter(|(root, _)| *root != DATA);
        let inside = |original: &str| below_data(data, original);
        let is_whole = others()
            .all(|(root, original)| mapped.contains_key(root) || inside(original).is_some());
        let data_below = if is_whole { PathBuf::new() } else { PathBuf::from(DATA) };
        for (root, original) in others().filter(|(root, _)| !mapped.contains_key(*root)) {
            let below = match inside(original) {
                Some(rest) => data_below.join(rest),
                None => own_directory(Path::new(root), root, original),
            };
            layout.places.push(Place { root: root.clone(), tree: 0, below });
        }
        layout.places.push(Place { root: DATA.to_owned(), tree: 0, below: data_below });
        layout.map_all(&mapped, manifest);
        layout.options = layout.server_options(manifest);
        layout.options.extend(unusual_settings(manifest));
        layout.options.extend(layout.system_files(manifest)?);
        layout.options.extend(stay_stopped(manifest).map(str::to_owned));
        Ok(layout)
    }

    /// A directory in which every member lies under its own name.
    #[cfg(test)]
    pub(crate) fn plain(directory: &Path) -> Self {
        Self { trees: vec![directory.to_owned()], places: Vec::new(), options: Vec::new() }
    }

    /// The same layout while it is being filled: each tree under a temporary name.
    pub(crate) fn staged(&self, run_id: &str) -> Self {
        let ending = format!(".{run_id}.partial");
        let trees = self.trees.iter().map(|tree| with_ending(tree, &ending)).collect();
        Self { trees, ..self.clone() }
    }

    /// The directories that are made, the operator's own first.
    pub(crate) fn trees(&self) -> &[PathBuf] {
        &self.trees
    }

    /// The directory that the operator names.
    pub(crate) fn directory(&self) -> PathBuf {
        self.trees.first().cloned().unwrap_or_default()
    }

    /// The data directory, if the backup holds one.
    pub(crate) fn data_directory(&self) -> Option<PathBuf> {
        self.places.iter().find(|place| place.root == DATA).map(|place| self.path_of(place))
    }

    /// Options that a server needs to find what is not in its data directory.
    pub(crate) fn options(&self) -> &[String] {
        &self.options
    }

    /// Every root with its directory, for the engine.
    pub(crate) fn places(&self) -> BTreeMap<String, PathBuf> {
        self.places.iter().map(|place| (place.root.clone(), self.path_of(place))).collect()
    }

    /// Where a file of the source lies in the restored directories; nothing if it is in no root.
    pub(crate) fn moved(&self, old: &Path, manifest: &Manifest) -> Option<PathBuf> {
        let places = self.places();
        let roots = manifest.roots.iter().filter_map(|(root, original)| {
            let rest = old.strip_prefix(original).ok()?;
            Some((original.len(), places.get(root)?.join(rest)))
        });
        roots.max_by_key(|(length, _)| *length).map(|(_, path)| path)
    }

    /// Where a member lies, if its name is a safe one.
    pub(crate) fn path(&self, member: &EntryPath) -> Option<PathBuf> {
        if !member.is_safe() {
            return None;
        }
        let whole = || self.directory().join(OsStr::from_bytes(member.as_bytes()));
        if is_ours(member.as_bytes()) {
            return Some(whole());
        }
        let Some((place, rest)) = self.place(member) else { return Some(whole()) };
        let path = self.path_of(place);
        Some(if rest.is_empty() { path } else { path.join(OsStr::from_bytes(rest)) })
    }

    /// The tree that a member lies in, by its number.
    pub(crate) fn tree_of(&self, member: &EntryPath) -> usize {
        self.place(member).map_or(0, |(place, _)| place.tree)
    }

    /// The place of a member and what follows its root.
    fn place<'m>(&self, member: &'m EntryPath) -> Option<(&Place, &'m [u8])> {
        self.places.iter().find_map(|place| {
            let rest = member.as_bytes().strip_prefix(place.root.as_bytes())?;
            match rest.strip_prefix(b"/") {
                Some(rest) => Some((place, rest)),
                None => rest.is_empty().then_some((place, rest)),
            }
        })
    }

    fn path_of(&self, place: &Place) -> PathBuf {
        let tree = self.trees.get(place.tree).cloned().unwrap_or_default();
        if place.below.as_os_str().is_empty() { tree } else { tree.join(&place.below) }
    }

    /// Gives each mapped root a tree of its own.
    fn map_all(&mut self, mapped: &BTreeMap<String, PathBuf>, manifest: &Manifest) {
        for (root, path) in mapped {
            let tree = self.trees.len();
            let original = manifest.roots.get(root).map(String::as_str).unwrap_or_default();
            self.trees.push(own_directory(path, root, original));
            self.places.push(Place { root: root.clone(), tree, below: PathBuf::new() });
        }
        self.places.sort_by_key(|place| std::cmp::Reverse(place.root.len()));
    }

    fn server_options(&self, manifest: &Manifest) -> Vec<String> {
        let data = manifest.roots.get(DATA).map(String::as_str).unwrap_or_default();
        let mut options = Vec::new();
        let mut external = Vec::new();
        for place in &self.places {
            let original = manifest.roots.get(&place.root).map(String::as_str).unwrap_or_default();
            let path = self.path_of(place);
            let name = match place.root.as_str() {
                "redo" => "innodb-log-group-home-dir",
                "undo" => "innodb-undo-directory",
                "doublewrite" => "innodb-doublewrite-dir",
                root if root.starts_with(EXTERNAL) && Path::new(original) != path => {
                    external.push(path.display().to_string());
                    continue;
                }
                _ => continue,
            };
            if clean(Path::new(original)) != clean(Path::new(data)) {
                options.push(format!("--{name}={}", path.display()));
            }
        }
        external.sort();
        // MariaDB has no such option: there, link files lead to the tablespaces.
        if !external.is_empty() && manifest.source.flavor != "MariaDB" {
            options.push(format!("--innodb-directories={}", external.join(";")));
        }
        options.extend(self.system_option(manifest));
        options.extend(self.binlog_option(manifest));
        options
    }

    /// Where the system tablespace is that had a directory of its own.
    fn system_option(&self, manifest: &Manifest) -> Option<String> {
        let home = clean(Path::new(manifest.source.facts.get("innodb_data_home_dir")?.as_str()?));
        let is_home = |root: &str| {
            let original = manifest.roots.get(root).map(|original| clean(Path::new(original)));
            root != DATA && original.as_ref() == Some(&home)
        };
        let place = self.places.iter().find(|place| is_home(&place.root))?;
        Some(format!("--innodb-data-home-dir={}", self.path_of(place).display()))
    }

    /// Where the binlog is that came with the files: crash recovery reads it to decide about
    /// transactions that were being committed.
    fn binlog_option(&self, manifest: &Manifest) -> Option<String> {
        let basename = Path::new(manifest.source.facts.get("log_bin_basename")?.as_str()?);
        let (directory, name) = (basename.parent()?.to_str()?, basename.file_name()?);
        let data = manifest.roots.get(DATA).map(String::as_str).unwrap_or_default();
        let path = match below_data(data, directory) {
            // A relative name is one below the data directory.
            Some(below) => below.join(name),
            None => {
                let place = self.places.iter().find(|place| place.root == BINLOG)?;
                self.path_of(place).join(name)
            }
        };
        Some(format!("--log-bin={}", path.display()))
    }
}

/// Settings of the source without which a server does not start on its files, where they are not
/// the server's own.
fn unusual_settings(manifest: &Manifest) -> Vec<String> {
    let usual = [("innodb_page_size", "16384"), ("lower_case_table_names", "0")];
    let value = |name: &str| {
        let fact = manifest.source.facts.get(name)?;
        Some(fact.as_str().map_or_else(|| fact.to_string(), str::to_owned))
    };
    let named = usual.into_iter().filter_map(|(name, usual)| Some((name, usual, value(name)?)));
    named
        .filter(|(_, usual, value)| value != usual)
        .map(|(name, _, value)| format!("--{}={value}", name.replace('_', "-")))
        .collect()
}

/// The original data directory; empty if it is not known. None for a backup without one.
fn data_root(manifest: &Manifest) -> Option<&str> {
    let recorded = manifest.roots.get(DATA).map(String::as_str);
    let is_table =
        |path: &EntryPath, checked: bool| checked && path.as_bytes().starts_with(b"data/");
    let holds_tables =
        || manifest.files.iter().any(|file| is_table(&file.path, !file.page_check.is_none()));
    recorded.or_else(|| holds_tables().then_some(""))
}

/// What follows the original data directory in the original path of another root.
fn below_data(data: &str, original: &str) -> Option<PathBuf> {
    if data.is_empty() {
        return None;
    }
    let (data, original) = (clean(Path::new(data)), clean(Path::new(original)));
    original.strip_prefix(&data).ok().map(Path::to_owned)
}

/// The directory of a root outside of the data directory. A server finds a table that has moved only
/// in a directory with the name of its schema, so that the last name of the original stays.
fn own_directory(given: &Path, root: &str, original: &str) -> PathBuf {
    match Path::new(original).file_name().filter(|_| root.starts_with(EXTERNAL)) {
        Some(name) if given.file_name() != Some(name) => given.join(name),
        _ => given.to_owned(),
    }
}

/// The path without `.` components and trailing slashes.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

/// Roots that `--map` gives a directory: named by the root or by its original path.
fn mapped_roots(
    manifest: &Manifest,
    map: &[Mapping],
) -> Result<BTreeMap<String, PathBuf>, RestoreError> {
    let mut mapped = BTreeMap::new();
    for Mapping { old, new } in map {
        let named = |(root, original): &(&String, &String)| {
            *root == old || clean(Path::new(original)) == clean(Path::new(old))
        };
        let root = manifest.roots.iter().filter(|(root, _)| *root != DATA).find(named);
        let Some((root, _)) = root else {
            let roots = manifest.roots.iter().filter(|(root, _)| *root != DATA);
            let roots: Vec<String> =
                roots.map(|(root, original)| format!("{root} ({original})")).collect();
            return Err(RestoreError::NoSuchRoot { old: old.clone(), roots: roots.join(", ") });
        };
        let path = std::path::absolute(new)
            .map_err(|source| RestoreError::io("find", Path::new(new), source))?;
        mapped.insert(root.clone(), path.components().as_path().to_owned());
    }
    Ok(mapped)
}

#[cfg(test)]
mod tests;
