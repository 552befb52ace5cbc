//! Exactly the server's files inside a snapshot, as entries of the backup; nothing else of the
//! volume.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta, LocalEntry, PageCheck},
    path::EntryPath,
};

use super::{
    binlogs::NeededBinlogs,
    error::SnapshotError,
    instant::Instant,
    paths::{BinlogPlace, Root, ServerPaths, real_file},
    tree::{self, Kind, LeftOut},
    view::SnapshotView,
};
use crate::{failure::HostError, sink::Sink};

/// Longest path that a link file of the server may name, bytes.
const MAX_LINK_BYTES: u64 = 4096;

/// The entries of a backup out of a snapshot.
#[derive(Debug, Default)]
pub struct SnapshotFiles {
    entries: Vec<LocalEntry>,
    known: BTreeSet<PathBuf>,
    /// The index of the binlogs that come, made anew.
    index: Option<(EntryMeta, Vec<u8>)>,
    /// Name and size of the newest binlog inside the snapshot.
    pub(super) newest_binlog: Option<(String, u64)>,
}

impl SnapshotFiles {
    /// The entries, directories before their files.
    #[must_use]
    pub fn entries(&self) -> &[LocalEntry] {
        &self.entries
    }

    /// Hands everything to the host, which reads the files in parallel; returns when all are read,
    /// so that the snapshot may go.
    ///
    /// # Errors
    /// [`HostError`] if a file cannot be read or the run has failed or been cancelled.
    pub fn copy_to(&self, sink: &Sink) -> Result<(), HostError> {
        sink.local_entries(self.entries.clone())?;
        if let Some((meta, bytes)) = &self.index {
            let mut writer = sink.open_entry(meta)?;
            writer.write_bytes(bytes)?;
            writer.finish()?;
        }
        Ok(())
    }

    fn add(&mut self, kind: EntryKind, name: &EntryName<'_>, source: PathBuf, pages: PageCheck) {
        if !self.known.insert(source.clone()) {
            return;
        }
        let path = EntryPath::from_bytes(name.relative.as_os_str().as_bytes());
        let meta = EntryMeta { pages, ..EntryMeta::new(kind, name.root, path) };
        self.entries.push(LocalEntry { meta, source });
    }
}

/// Root and path of an entry.
struct EntryName<'a> {
    root: &'a str,
    relative: &'a Path,
}

/// A listing under way.
struct Listing<'a> {
    paths: &'a ServerPaths,
    view: &'a SnapshotView,
    /// Names of the system tablespace's files, which may be anything.
    system: Vec<PathBuf>,
    files: SnapshotFiles,
    /// Tablespaces outside of the data directory.
    outside: Vec<PathBuf>,
}

impl ServerPaths {
    /// Lists the server's files inside the snapshot.
    ///
    /// # Errors
    /// [`SnapshotError::Uncovered`], [`SnapshotError::Boundary`] and [`SnapshotError::Link`]: the
    /// snapshot does not hold all of the server's files. [`SnapshotError::NewDirectory`] is worth
    /// another try.
    pub fn files_in(
        &self,
        view: &SnapshotView,
        instant: &Instant,
    ) -> Result<SnapshotFiles, SnapshotError> {
        let system = self.server.system_files();
        let system = system.iter().map(|file| real_file(&self.data().join(file)));
        let mut listing = Listing {
            paths: self,
            view,
            system: system.collect::<Result<_, _>>()?,
            files: SnapshotFiles::default(),
            outside: Vec::new(),
        };
        listing.add_data()?;
        for root in &self.roots {
            match root.role.as_str() {
                "redo" => listing.add_matching(root, is_redo)?,
                "undo" => listing.add_matching(root, is_undo)?,
                "doublewrite" => listing.add_matching(root, is_doublewrite)?,
                _ => {}
            }
        }
        for tablespace in &instant.outside {
            listing.outside.push(real_file(&self.data().join(tablespace))?);
        }
        listing.outside.extend(listing.system.clone());
        listing.add_outside()?;
        if let Some(binlog) = &self.binlog {
            listing.add_binlogs(binlog)?;
        }
        Ok(listing.files)
    }
}

impl Listing<'_> {
    fn inside(&self, live: &Path) -> Result<PathBuf, SnapshotError> {
        self.view.of(live).ok_or_else(|| SnapshotError::Uncovered { path: live.to_owned() })
    }

    /// Everything in the data directory but what is left out.
    fn add_data(&mut self) -> Result<(), SnapshotError> {
        let paths = self.paths;
        let (data, view) = (paths.data(), self.view);
        tree::walk(data, &|live| view.of(live), &LeftOut::of(paths), &mut |found| {
            let name = EntryName { root: "data", relative: &found.relative };
            match found.kind {
                Kind::Link => return Err(SnapshotError::Link { path: found.live }),
                Kind::Directory { device, above } => {
                    if device != above && !view.begins_at(&found.live) {
                        return Err(SnapshotError::Boundary { path: found.live });
                    }
                    self.files.add(EntryKind::Directory, &name, found.source, PageCheck::None);
                }
                Kind::File => {
                    if let Some(linked) = linked_tablespace(&found.source)? {
                        self.outside.push(real_file(&linked)?);
                    }
                    let pages = self.page_check(&found.live);
                    self.files.add(EntryKind::File, &name, found.source, pages);
                }
                Kind::Other => {}
            }
            Ok(())
        })
    }

    /// Files of a directory that lies outside of the data directory, by their names; those in a
    /// directory of InnoDB's too.
    fn add_matching(&mut self, root: &Root, takes: fn(&str) -> bool) -> Result<(), SnapshotError> {
        if root.real.starts_with(self.paths.data()) {
            return Ok(());
        }
        let directory = self.inside(&root.real)?;
        for (name, is_directory) in sorted_names(&directory)? {
            if !takes(&name.to_string_lossy()) {
                continue;
            }
            let relative = PathBuf::from(&name);
            let source = directory.join(&name);
            if !is_directory {
                self.add_file(&root.role, &relative, source);
                continue;
            }
            let named = EntryName { root: &root.role, relative: &relative };
            self.files.add(EntryKind::Directory, &named, source.clone(), PageCheck::None);
            for (inner, is_directory) in sorted_names(&source)? {
                if !is_directory {
                    self.add_file(&root.role, &relative.join(&inner), source.join(&inner));
                }
            }
        }
        Ok(())
    }

    /// Tablespaces outside of the data directory, each under the deepest root that holds it.
    fn add_outside(&mut self) -> Result<(), SnapshotError> {
        let mut outside = std::mem::take(&mut self.outside);
        outside.sort();
        outside.dedup();
        for live in outside {
            if live.starts_with(self.paths.data()) {
                continue;
            }
            let roots = self.paths.roots.iter().filter(|root| live.starts_with(&root.real));
            let Some(root) = roots.max_by_key(|root| root.real.components().count()) else {
                return Err(SnapshotError::NewDirectory { path: live });
            };
            let source = self.inside(&live)?;
            if !source.exists() {
                return Err(SnapshotError::Uncovered { path: live });
            }
            let relative = live.strip_prefix(&root.real).unwrap_or(&live).to_owned();
            self.add_file(&root.role, &relative, source);
        }
        Ok(())
    }

    /// The newest binlog, and an index that names no other.
    fn add_binlogs(&mut self, place: &BinlogPlace) -> Result<(), SnapshotError> {
        let data = self.paths.data();
        let is_mariadb = self.paths.is_mariadb();
        let needed = NeededBinlogs::find(place, data, self.view, is_mariadb)?;
        let (root, below) = match place.directory.strip_prefix(data) {
            Ok(below) => ("data", below.to_owned()),
            Err(_) => ("binlog", PathBuf::new()),
        };
        for live in &needed.live {
            let name = below.join(live.file_name().unwrap_or(OsStr::new("")));
            let source = self.inside(live)?;
            self.add_file(root, &name, source);
        }
        let index = self.inside(&place.index)?;
        let name = below.join(place.index.file_name().unwrap_or(OsStr::new("binlog.index")));
        self.files.index = Some(index_entry(root, &name, &index, needed.index())?);
        self.files.newest_binlog = Some((needed.newest(), needed.newest_bytes));
        Ok(())
    }

    fn add_file(&mut self, root: &str, relative: &Path, source: PathBuf) {
        let pages = self.page_check(relative);
        self.files.add(EntryKind::File, &EntryName { root, relative }, source, pages);
    }

    /// Tablespaces may hold torn pages, which the doublewrite files beside them repair.
    fn page_check(&self, live: &Path) -> PageCheck {
        let name = live.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_tablespace = name.ends_with(".ibd")
            || is_undo(&name)
            || is_doublewrite(&name)
            || self.system.iter().any(|file| file.file_name() == live.file_name());
        if is_tablespace { PageCheck::Doublewrite } else { PageCheck::None }
    }
}

/// The index takes owner and mode of the server's own.
fn index_entry(
    root: &str,
    name: &Path,
    like: &Path,
    bytes: Vec<u8>,
) -> Result<(EntryMeta, Vec<u8>), SnapshotError> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(like).map_err(SnapshotError::io("look at", like))?;
    let path = EntryPath::from_bytes(name.as_os_str().as_bytes());
    let meta = EntryMeta {
        size_bytes: u64::try_from(bytes.len()).ok(),
        mode: Some(found.mode() & 0o7777),
        uid: Some(found.uid()),
        gid: Some(found.gid()),
        modified_unix: u64::try_from(found.mtime()).ok(),
        ..EntryMeta::new(EntryKind::File, root, path)
    };
    Ok((meta, bytes))
}

fn sorted_names(directory: &Path) -> Result<Vec<(std::ffi::OsString, bool)>, SnapshotError> {
    let failed = |source| SnapshotError::io("list", directory)(source);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let found = entry.file_type().map_err(failed)?;
        if found.is_symlink() {
            return Err(SnapshotError::Link { path: entry.path() });
        }
        names.push((entry.file_name(), found.is_dir()));
    }
    names.sort();
    Ok(names)
}

/// The tablespace that a `.isl` file names: MariaDB and MySQL before 8.0 find tables of another
/// directory by it.
fn linked_tablespace(source: &Path) -> Result<Option<PathBuf>, SnapshotError> {
    if source.extension() != Some(OsStr::new("isl")) {
        return Ok(None);
    }
    let failed = |error| SnapshotError::io("read", source)(error);
    if fs::metadata(source).map_err(failed)?.len() > MAX_LINK_BYTES {
        return Ok(None);
    }
    let text = fs::read(source).map_err(failed)?;
    Ok(Some(PathBuf::from(OsStr::from_bytes(text.trim_ascii()))))
}

fn is_redo(name: &str) -> bool {
    name == "#innodb_redo" || name.starts_with("ib_logfile")
}

pub(super) fn is_undo(name: &str) -> bool {
    let numbered = name.strip_prefix("undo").map(|rest| rest.trim_start_matches('_'));
    let is_number = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    // `undo_1_trunc.log` says that a truncation was under way.
    name.ends_with(".ibu")
        || numbered.is_some_and(is_number)
        || (name.starts_with("undo") && name.ends_with("trunc.log"))
}

fn is_doublewrite(name: &str) -> bool {
    name.ends_with(".dblwr") || name.ends_with(".bdblwr")
}
