//! Records into files: chunks of files, pages that changed during their copy, and the redo log.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use dbbackup_sdk::{EntryReader, Host, Unit, document::entry::EntryMeta};

use crate::{
    artefact::{CloneDocument, OUR_ROOT, Record, RecordReader, Stage, StreamCount},
    restore::{RestoreError, fate::Fates, places::Places},
};

/// Files that are open at once.
const MAX_OPEN_FILES: usize = 256;
/// Directory of the redo log below the data directory.
const REDO_DIRECTORY: &str = "#innodb_redo";

/// Writes records into the files that they name.
#[derive(Debug)]
pub(super) struct Applier<'a> {
    document: &'a CloneDocument,
    fates: &'a Fates,
    places: &'a Places,
    host: &'a Host,
    open: HashMap<PathBuf, File>,
    /// Streams that are still to come.
    expected: BTreeMap<&'a str, &'a StreamCount>,
    done_bytes: u64,
}

impl<'a> Applier<'a> {
    pub(super) fn new(
        document: &'a CloneDocument,
        fates: &'a Fates,
        places: &'a Places,
        host: &'a Host,
    ) -> Result<Self, RestoreError> {
        // Records may come for a file before its directory is there.
        let redo = places.data().join(REDO_DIRECTORY);
        fs::create_dir_all(&redo).map_err(|source| RestoreError::io("create", &redo, source))?;
        let streams = document.streams.iter();
        let expected = streams.map(|stream| (stream.path.as_str(), stream)).collect();
        let open = HashMap::new();
        Ok(Self { document, fates, places, host, open, expected, done_bytes: 0 })
    }

    /// Writes one stream's records.
    pub(super) fn stream(
        &mut self,
        meta: &EntryMeta,
        entries: &mut EntryReader,
    ) -> Result<(), RestoreError> {
        let name = meta.path.to_string();
        let known = if meta.root == OUR_ROOT { self.expected.remove(name.as_str()) } else { None };
        let Some(known) = known else {
            let what = "is not in the clone's document".to_owned();
            return Err(RestoreError::Stream { stream: format!("{}/{name}", meta.root), what });
        };
        let failed = |error| RestoreError::records(&name, error);
        let mut reader = RecordReader::new(entries).map_err(failed)?;
        while let Some(record) = reader.next_record().map_err(failed)? {
            self.record(known.stage, record)?;
        }
        if reader.records() != known.records {
            let what =
                format!("holds {} records, {} were written", reader.records(), known.records);
            return Err(RestoreError::Stream { stream: name, what });
        }
        Ok(())
    }

    /// Ends after all streams; answers the bytes written.
    pub(super) fn finish(self) -> Result<u64, RestoreError> {
        match self.expected.into_keys().next() {
            Some(missing) => Err(RestoreError::Stream {
                stream: missing.to_owned(),
                what: "is missing".to_owned(),
            }),
            None => Ok(self.done_bytes),
        }
    }

    fn record(&mut self, stage: Stage, record: Record<'_>) -> Result<(), RestoreError> {
        let index = record.file_index;
        let path = match stage {
            Stage::RedoCopy => Some(self.redo(&record)?),
            Stage::FileCopy | Stage::PageCopy => {
                let what = "in a record, and nowhere else";
                let fate = self.fates.get(index);
                let fate = fate.ok_or(RestoreError::Inconsistent { index, what })?;
                // Pages of a file that was dropped are of no use.
                fate.end.as_ref().and(fate.working.clone())
            }
        };
        let Some(path) = path else { return Ok(()) };
        let file = self.open(&path)?;
        file.write_all_at(record.bytes, record.offset)
            .map_err(|source| RestoreError::io("write", &path, source))?;
        self.done_bytes += record.bytes.len() as u64;
        let total = self.document.streams.iter().map(|stream| stream.bytes).sum();
        self.host.progress("apply", self.done_bytes, total, Unit::Bytes);
        Ok(())
    }

    /// The redo file of a record, which must lie within it.
    fn redo(&self, record: &Record<'_>) -> Result<PathBuf, RestoreError> {
        let index = record.file_index;
        let end = record.offset.checked_add(record.bytes.len() as u64);
        let file = self.document.redo.iter().find(|file| file.index == index);
        match (file, end) {
            (Some(file), Some(end)) if end <= file.size_bytes => Ok(redo_path(self.places, index)),
            _ => {
                let what = "in a record of the redo log, beyond its files";
                Err(RestoreError::Inconsistent { index, what })
            }
        }
    }

    fn open(&mut self, path: &Path) -> Result<&File, RestoreError> {
        if !self.open.contains_key(path) {
            if self.open.len() >= MAX_OPEN_FILES {
                self.open.clear();
            }
            let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
            let file = opened.map_err(|source| RestoreError::io("open", path, source))?;
            self.open.insert(path.to_owned(), file);
        }
        self.open.get(path).ok_or_else(|| {
            RestoreError::io("open", path, std::io::Error::from(std::io::ErrorKind::NotFound))
        })
    }
}

/// A file of the redo log.
pub(super) fn redo_path(places: &Places, index: u32) -> PathBuf {
    places.data().join(REDO_DIRECTORY).join(format!("#ib_redo{index}"))
}
