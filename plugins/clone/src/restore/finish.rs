//! The last steps: names, sizes, first pages, and what the server's first start looks for.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    artefact::CloneDocument,
    page::physical_bytes,
    restore::{
        RestoreError,
        apply::redo_path,
        fate::{Fate, Fates, is_plain, is_system},
        first_page::{VERSIONS, first_page},
        places::Places,
    },
};

/// Where the server keeps what it must know about a clone.
const CLONE_DIRECTORY: &str = "#clone";
/// As long as this file is there, a server refuses to start.
const IN_PROGRESS: &str = "#status_in_progress";
/// Tells the first start to make schemas' directories and empty tables of other engines.
const FIX: &str = "#status_fix";
/// Tells the first start to write down where in the donor's history the content is.
const REPLACED_FILES: &str = "#replace_files";
/// Without the directory of the system schema a server does not start at all.
const SYSTEM_SCHEMA: &str = "mysql";
/// Pages of an extent where pages have at most 16 KiB; larger pages keep 64 of them.
const EXTENT_BYTES: u64 = 1 << 20;
const EXTENT_PAGES: u64 = 64;

/// Keeps servers from starting on a directory that is not finished.
pub(super) fn mark_unfinished(places: &Places) -> Result<(), RestoreError> {
    let directory = places.data().join(CLONE_DIRECTORY);
    fs::create_dir_all(&directory)
        .map_err(|source| RestoreError::io("create", &directory, source))?;
    empty_file(&directory.join(IN_PROGRESS))
}

/// Makes a directory of applied records one that a server starts on.
#[derive(Debug)]
pub(super) struct Finisher<'a> {
    document: &'a CloneDocument,
    fates: &'a Fates,
    places: &'a Places,
}

impl<'a> Finisher<'a> {
    pub(super) fn new(document: &'a CloneDocument, fates: &'a Fates, places: &'a Places) -> Self {
        Self { document, fates, places }
    }

    /// All steps; the host makes the directory durable before it gets its name.
    pub(super) fn finish(&self) -> Result<(), RestoreError> {
        mark_unfinished(self.places)?;
        self.first_pages()?;
        self.names()?;
        self.sizes()?;
        self.redo()?;
        self.markers()?;
        let marker = self.places.data().join(CLONE_DIRECTORY).join(IN_PROGRESS);
        fs::remove_file(&marker).map_err(|source| RestoreError::io("remove", &marker, source))
    }

    /// New files whose first page came in no record.
    fn first_pages(&self) -> Result<(), RestoreError> {
        let is_made = |fate: &&Fate| fate.is_new && fate.end.is_some();
        let new: Vec<&Fate> = self.fates.all().filter(is_made).collect();
        if new.is_empty() {
            return Ok(());
        }
        let versions = self.versions()?;
        for fate in new {
            let Some(path) = &fate.working else { continue };
            let mut how = OpenOptions::new();
            how.read(true).write(true).create(true).truncate(false);
            let file = how.open(path).map_err(|e| RestoreError::io("open", path, e))?;
            if starts_with_zeros(&file, path)? {
                let page_bytes = self.document.page_size_bytes;
                let page = first_page(fate.space_id, fate.fsp_flags, page_bytes, versions);
                file.write_all_at(&page, 0).map_err(|e| RestoreError::io("write", path, e))?;
            }
        }
        Ok(())
    }

    /// The versions that page 0 of some other tablespace states.
    fn versions(&self) -> Result<[u8; 8], RestoreError> {
        let old = self.fates.all().filter(|fate| !fate.is_new && fate.end.is_some());
        for path in old.filter_map(|fate| fate.working.as_ref()) {
            if path.extension().is_none_or(|extension| extension != "ibd") {
                continue;
            }
            let file = File::open(path).map_err(|e| RestoreError::io("open", path, e))?;
            let mut versions = [0; 8];
            match file.read_exact_at(&mut versions, VERSIONS.start as u64) {
                Ok(()) => return Ok(versions),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(source) => return Err(RestoreError::io("read", path, source)),
            }
        }
        Ok([0; 8])
    }

    /// Every file under its last name. Names may be exchanged, so each file that gets another one
    /// gets a working name first.
    fn names(&self) -> Result<(), RestoreError> {
        let mut moves = Vec::new();
        for (number, fate) in self.fates.all().enumerate() {
            let Some(working) = &fate.working else { continue };
            match &fate.end {
                None => remove_if_there(working)?,
                Some(end) if end == working => {}
                Some(end) if fate.is_new => moves.push((working.clone(), end)),
                Some(end) => {
                    let between = beside(working, number);
                    rename(working, &between)?;
                    moves.push((between, end));
                }
            }
        }
        for (between, end) in moves {
            if let Some(parent) = end.parent() {
                fs::create_dir_all(parent).map_err(|e| RestoreError::io("create", parent, e))?;
            }
            rename(&between, end)?;
        }
        Ok(())
    }

    /// Files that grew without a page of the growth being sent. The server counts a file in whole
    /// extents and would not see pages in a part of one.
    fn sizes(&self) -> Result<(), RestoreError> {
        for fate in self.fates.all() {
            let Some(path) = &fate.end else { continue };
            let opened = OpenOptions::new().write(true).open(path);
            let file = opened.map_err(|source| RestoreError::io("open", path, source))?;
            let found = file.metadata().map_err(|e| RestoreError::io("look at", path, e))?.len();
            let wanted = self.size_in_extents(fate, found.max(fate.size_bytes));
            if wanted > found {
                file.set_len(wanted).map_err(|e| RestoreError::io("extend", path, e))?;
            }
        }
        Ok(())
    }

    fn size_in_extents(&self, fate: &Fate, bytes: u64) -> u64 {
        let page_bytes = u64::from(physical_bytes(fate.fsp_flags, self.document.page_size_bytes));
        let extent = EXTENT_BYTES.max(EXTENT_PAGES * page_bytes);
        if is_system(fate) || is_plain(fate) || bytes <= extent {
            return bytes;
        }
        bytes.next_multiple_of(extent)
    }

    fn redo(&self) -> Result<(), RestoreError> {
        for redo in &self.document.redo {
            let path = redo_path(self.places, redo.index);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|e| RestoreError::io("create", parent, e))?;
            }
            let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
            let file = opened.map_err(|source| RestoreError::io("open", &path, source))?;
            file.set_len(redo.size_bytes).map_err(|e| RestoreError::io("extend", &path, e))?;
        }
        Ok(())
    }

    fn markers(&self) -> Result<(), RestoreError> {
        let data = self.places.data();
        let schema = data.join(SYSTEM_SCHEMA);
        fs::create_dir_all(&schema).map_err(|e| RestoreError::io("create", &schema, e))?;
        for name in [FIX, REPLACED_FILES] {
            empty_file(&data.join(CLONE_DIRECTORY).join(name))?;
        }
        Ok(())
    }
}

/// True if nothing has been written where page 0 states its tablespace.
fn starts_with_zeros(file: &File, path: &Path) -> Result<bool, RestoreError> {
    let mut head = [0; 64];
    match file.read_exact_at(&mut head, 0) {
        Ok(()) => Ok(head == [0; 64]),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        Err(source) => Err(RestoreError::io("read", path, source)),
    }
}

fn beside(path: &Path, number: usize) -> PathBuf {
    path.with_file_name(format!(".dbbackup-move-{number}"))
}

fn rename(from: &Path, to: &Path) -> Result<(), RestoreError> {
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
        .map_err(|errno| RestoreError::io("rename to", to, errno.into()))
}

fn remove_if_there(path: &Path) -> Result<(), RestoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RestoreError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

fn empty_file(path: &Path) -> Result<(), RestoreError> {
    File::create(path).map(drop).map_err(|source| RestoreError::io("create", path, source))
}
