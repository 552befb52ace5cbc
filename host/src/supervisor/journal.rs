//! The undo journal: one file a run, a line before each side effect that outlives the process and a
//! line after it was undone, each durable before anything else happens.
//!
//! The live run holds a lock on its file. A file that nobody holds belongs to a run that crashed;
//! the next run, or `dbbackup cleanup`, undoes what its lines still promise.
use super::{
    message::RecordOwner,
    state::{StateDir, StateError},
};
use crate::exit::{Classified, Exit};
use dbbackup_plugin_api::document::undo::UndoRecord;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Schema of the first line.
const SCHEMA: &str = "dbbackup.journal/1";
/// Ending of a journal's file name.
const ENDING: &str = "ndjson";
/// Most records of one run, so that a plugin in a loop does not fill the disk.
const MAX_RECORDS: u64 = 10_000;
/// Largest journal that is read back, bytes.
const MAX_JOURNAL_BYTES: u64 = 256 << 20;

/// One line of a journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    Run { schema: String, run: String, pid: u32 },
    Record { number: u64, by: RecordOwner, record: UndoRecord },
    Done { number: u64 },
}

/// A record that was not ticked off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenRecord {
    pub(crate) owner: RecordOwner,
    pub(crate) record: UndoRecord,
}

/// The journal of one run, locked.
#[derive(Debug)]
pub struct Journal {
    run_id: String,
    path: PathBuf,
    file: File,
    recorded: u64,
    open: BTreeMap<u64, OpenRecord>,
}

/// Why a journal cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its directory cannot be made.
    #[error(transparent)]
    State(#[from] StateError),
    /// Its file cannot be made, written or removed.
    #[error("keep the undo journal {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line in its middle is damaged; the file is left for a human.
    #[error("line {number} of the undo journal {} cannot be read", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        number: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It was written by a later version; the file is left to that one.
    #[error("the undo journal {} has the schema {schema}, this version knows {SCHEMA}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema found.
        schema: String,
    },
    /// A path that is no UTF-8 cannot be named in it.
    #[error("name the {what} in the undo journal")]
    Unwritable {
        /// What the record is about.
        what: String,
        /// Why it cannot be written.
        source: serde_json::Error,
    },
    /// Jobs that change nothing have none: an engine that wants one is at fault.
    #[error("this job keeps no undo journal")]
    NotKept,
    /// A run made too many records.
    #[error("more than {MAX_RECORDS} undo records in one run")]
    TooMany,
}

impl Journal {
    /// Makes the journal of a run and locks it.
    ///
    /// # Errors
    /// [`JournalError`]: nothing may be done that would need undoing.
    pub fn create(state: &StateDir, run_id: &str) -> Result<Self, JournalError> {
        let directory = state.create_journals()?;
        let path = directory.join(format!("{run_id}.{ENDING}"));
        // Another run may take a new, still unlocked file for an abandoned one and remove it.
        for _ in 0..16 {
            let options = OpenOptions::new().append(true).create(true).mode(0o600).clone();
            let file = options.open(&path).map_err(io_error(&path))?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)
                .map_err(|errno| io_error(&path)(errno.into()))?;
            if !is_the_file(&file, &path) {
                continue;
            }
            let run_id = run_id.to_owned();
            let open = BTreeMap::new();
            let mut journal = Self { run_id: run_id.clone(), path, file, recorded: 0, open };
            let pid = std::process::id();
            journal.append(&Line::Run { schema: SCHEMA.to_owned(), run: run_id, pid })?;
            sync_directory(&directory)?;
            return Ok(journal);
        }
        Err(io_error(&path)(io::ErrorKind::AlreadyExists.into()))
    }

    /// The journals of runs that are gone, locked, oldest run first, and the ones that cannot be
    /// read. Those of live runs are left out.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the directory cannot be read; one that is not there is empty.
    pub fn abandoned(state: &StateDir) -> Result<Vec<Result<Self, JournalError>>, JournalError> {
        let directory = state.journals();
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io_error(&directory)(source)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_error(&directory))?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths.into_iter().filter_map(|path| Self::adopt(path).transpose()).collect())
    }

    /// Locks and reads a journal; none if it is a live run's, or gone meanwhile.
    fn adopt(path: PathBuf) -> Result<Option<Self>, JournalError> {
        let mut file = match OpenOptions::new().read(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error(&path)(source)),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_the_file(&file, &path) => {}
            Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(io_error(&path)(errno.into())),
        }
        let mut text = Vec::new();
        (&mut file).take(MAX_JOURNAL_BYTES).read_to_end(&mut text).map_err(io_error(&path))?;
        let stem = path.file_stem().unwrap_or_default();
        let run_id = stem.to_string_lossy().into_owned();
        let open = BTreeMap::new();
        let mut journal = Self { run_id, path, file, recorded: 0, open };
        journal.read_lines(&text)?;
        // The next line would be glued to a torn one. What was not read is not known to be torn.
        let whole = whole_lines(&text);
        if whole < text.len() && (text.len() as u64) < MAX_JOURNAL_BYTES {
            journal.file.set_len(whole as u64).map_err(io_error(&journal.path))?;
        }
        Ok(Some(journal))
    }

    fn read_lines(&mut self, text: &[u8]) -> Result<(), JournalError> {
        // A last line without its end was never acknowledged: its side effect has not begun.
        let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|l| l.ends_with(b"\n"));
        for (index, line) in whole.enumerate() {
            let line = serde_json::from_slice(line).map_err(|source| JournalError::Damaged {
                path: self.path.clone(),
                number: index + 1,
                source,
            })?;
            match line {
                Line::Run { schema, .. } if schema != SCHEMA => {
                    return Err(JournalError::Newer { path: self.path.clone(), schema });
                }
                Line::Run { run, .. } => self.run_id = run,
                Line::Record { number, by, record } => {
                    self.recorded = self.recorded.max(number);
                    self.open.insert(number, OpenRecord { owner: by, record });
                }
                Line::Done { number } => {
                    self.open.remove(&number);
                }
            }
        }
        Ok(())
    }

    /// Id of the run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a record; durable when this returns.
    pub(crate) fn record(
        &mut self,
        owner: RecordOwner,
        record: UndoRecord,
    ) -> Result<u64, JournalError> {
        if self.recorded >= MAX_RECORDS {
            return Err(JournalError::TooMany);
        }
        let number = self.recorded + 1;
        self.append(&Line::Record { number, by: owner.clone(), record: record.clone() })?;
        self.recorded = number;
        self.open.insert(number, OpenRecord { owner, record });
        Ok(number)
    }

    /// Ticks a record off; durable when this returns. An unknown number is not an error, because
    /// ticking off is idempotent.
    pub(crate) fn done(&mut self, number: u64) -> Result<(), JournalError> {
        if self.open.contains_key(&number) {
            self.append(&Line::Done { number })?;
            self.open.remove(&number);
        }
        Ok(())
    }

    /// Records that are not ticked off, newest first: the order in which they are undone.
    pub(crate) fn open_records(&self) -> Vec<(u64, OpenRecord)> {
        self.open.iter().rev().map(|(number, record)| (*number, record.clone())).collect()
    }

    /// Ends the journal: removed if every record is ticked off, else left for the next run.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the file cannot be removed; a later run will.
    pub fn close(self) -> Result<(), JournalError> {
        if !self.open.is_empty() {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(io_error(&self.path))
    }

    fn append(&mut self, line: &Line) -> Result<(), JournalError> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| io_error(&self.path)(io::Error::other(error)))?;
        text.push(b'\n');
        let before = self.file.metadata().map_err(io_error(&self.path))?.len();
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        if written.is_err()
            && let Err(error) = self.file.set_len(before)
        {
            let path = self.path.display();
            tracing::warn!(%error, %path, "a torn line stays in the undo journal");
        }
        written.map_err(io_error(&self.path))
    }
}

/// Bytes up to the end of the last whole line.
fn whole_lines(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// True if the path still leads to the open file.
fn is_the_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn sync_directory(directory: &Path) -> Result<(), JournalError> {
    File::open(directory).and_then(|open| open.sync_all()).map_err(io_error(directory))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { path, source }
}

impl Classified for JournalError {
    fn exit(&self) -> Exit {
        match self {
            Self::State(error) => error.exit(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Exit::NoSpace,
            Self::Io { .. } => Exit::Configuration,
            Self::Damaged { .. } | Self::Newer { .. } | Self::Unwritable { .. } => {
                Exit::Precondition
            }
            Self::TooMany | Self::NotKept => Exit::Plugin,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Damaged { path, .. } => {
                Some(format!("read {}, undo by hand what it names, and delete it", path.display()))
            }
            Self::Newer { .. } => {
                Some("run dbbackup cleanup of the version that wrote it".to_owned())
            }
            Self::Unwritable { .. } => Some("choose a path that is UTF-8".to_owned()),
            Self::Io { .. } | Self::TooMany | Self::NotKept => None,
        }
    }

    fn code(&self) -> String {
        match self {
            Self::State(error) => error.code(),
            Self::Io { .. } => "E-JOURNAL-IO".to_owned(),
            Self::Damaged { .. } => "E-JOURNAL-DAMAGED".to_owned(),
            Self::Newer { .. } => "E-JOURNAL-NEWER".to_owned(),
            Self::Unwritable { .. } => "E-JOURNAL-PATH".to_owned(),
            Self::NotKept => "E-JOURNAL-NONE".to_owned(),
            Self::TooMany => "E-JOURNAL-FULL".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
