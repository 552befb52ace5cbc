//! Members of a directory artefact: plain files, read in the order of the manifest.
use super::{ArtefactError, Member};
use crate::pipeline::CancelFlag;
use dbbackup_plugin_api::document::{entry::EntryKind, manifest::FileRecord, path::EntryPath};
use rustix::fs::{SeekFrom, seek};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;

/// Where a member lies below a directory, if its name is a safe one.
fn path_below(directory: &Path, member: &EntryPath) -> Option<PathBuf> {
    member.is_safe().then(|| directory.join(OsStr::from_bytes(member.as_bytes())))
}

/// Members of a directory, one after the other.
pub(crate) struct DirectoryMembers {
    root: PathBuf,
    left: VecDeque<FileRecord>,
    current: Option<Current>,
    cancel: CancelFlag,
}

struct Current {
    record: FileRecord,
    path: PathBuf,
    file: File,
    sha256: Sha256,
    read_bytes: u64,
}

impl DirectoryMembers {
    pub(super) fn new(root: &Path, records: Vec<FileRecord>, cancel: &CancelFlag) -> Self {
        let cancel = cancel.clone();
        Self { root: root.to_owned(), left: records.into(), current: None, cancel }
    }

    pub(super) fn next_member(&mut self) -> Result<Option<Member>, ArtefactError> {
        let mut rest = vec![0; COPY_BYTES];
        while self.current.is_some() && self.read(&mut rest)? > 0 {}
        self.current = None;
        let Some(record) = self.left.pop_front() else { return Ok(None) };
        let path = path_below(&self.root, &record.path).ok_or_else(|| ArtefactError::Member {
            path: self.root.clone(),
            what: format!("the member name {:?} is not a safe one", record.path),
        })?;
        if record.kind == EntryKind::Directory {
            self.check_directory(&path)?;
        } else {
            let file = open_plain(&path)?;
            let sha256 = Sha256::new();
            let current = Current { record: record.clone(), path, file, sha256, read_bytes: 0 };
            self.current = Some(current);
        }
        Ok(Some(Member {
            path: record.path.clone(),
            kind: record.kind,
            mode: record.mode,
            uid: record.uid,
            gid: record.gid,
            modified_unix: None,
            record: Some(record),
        }))
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArtefactError> {
        if self.cancel.is_cancelled() {
            return Err(ArtefactError::Cancelled);
        }
        let Some(current) = &mut self.current else { return Ok(0) };
        let read = current.file.read(buffer).map_err(|e| ArtefactError::io(&current.path, e))?;
        if read == 0 && !buffer.is_empty() {
            if let Some(done) = self.current.take() {
                done.check()?;
            }
            return Ok(0);
        }
        current.sha256.update(buffer.get(..read).unwrap_or_default());
        current.read_bytes += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }

    pub(super) fn copy_to_file(&mut self, to: &File, path: &Path) -> Result<u64, ArtefactError> {
        let failed = |source| ArtefactError::io(path, source);
        let mut buffer = vec![0; COPY_BYTES];
        let (mut offset, holes) = (0, self.has_holes());
        loop {
            let length = self.read(&mut buffer)?;
            let bytes = buffer.get(..length).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            // A block of zeros of a sparse file is a hole, or as good as one.
            if !(holes && bytes.iter().all(|byte| *byte == 0)) {
                to.write_all_at(bytes, offset).map_err(failed)?;
            }
            offset += u64::try_from(length).unwrap_or(u64::MAX);
        }
        to.set_len(offset).map_err(failed)?;
        Ok(offset)
    }

    /// True if the current file has a hole before its end.
    fn has_holes(&self) -> bool {
        let Some(current) = &self.current else { return false };
        let first = seek(&current.file, SeekFrom::Hole(0));
        // The position was moved; a file that cannot be rewound fails at its first read.
        let rewound = seek(&current.file, SeekFrom::Start(0));
        matches!((first, rewound), (Ok(hole), Ok(_)) if hole < current.record.size_bytes)
    }

    fn check_directory(&self, path: &Path) -> Result<(), ArtefactError> {
        let facts = fs::symlink_metadata(path).map_err(|e| ArtefactError::io(path, e))?;
        if facts.is_dir() {
            return Ok(());
        }
        Err(ArtefactError::Member { path: path.to_owned(), what: "is no directory".to_owned() })
    }
}

impl Current {
    /// Compares what was read with the record.
    fn check(self) -> Result<(), ArtefactError> {
        let found = hex(&self.sha256.finalize());
        if found == self.record.sha256 && self.read_bytes == self.record.size_bytes {
            return Ok(());
        }
        Err(ArtefactError::Member {
            path: self.path,
            what: format!(
                "has {} bytes with sha256 {found}, not {} with {}",
                self.read_bytes, self.record.size_bytes, self.record.sha256
            ),
        })
    }
}

/// Opens a regular file without following a link.
fn open_plain(path: &Path) -> Result<File, ArtefactError> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow.bits().cast_signed())
        .open(path)
        .and_then(|file| Ok((file.metadata()?, file)));
    match opened {
        Ok((facts, file)) if facts.is_file() => Ok(file),
        Ok(_) => Err(ArtefactError::Member {
            path: path.to_owned(),
            what: "is no regular file".to_owned(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ArtefactError::Member { path: path.to_owned(), what: "is missing".to_owned() })
        }
        Err(source) => Err(ArtefactError::io(path, source)),
    }
}

/// Bytes as hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
