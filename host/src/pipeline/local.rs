//! Files of this machine that the host reads itself.
use super::{
    block::SourceFile,
    error::PipelineError,
    sparse::{self, DataRange},
};
use dbbackup_plugin_api::document::entry::{EntryKind, EntryMeta, LocalEntry};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    sync::Arc,
};

/// Permission bits of a mode, without the type of the file.
const PERMISSIONS: u32 = 0o7777;

/// The entry with size, mode, owner and time filled in from the file where they are absent.
pub(super) fn complete_meta(entry: &LocalEntry) -> Result<EntryMeta, PipelineError> {
    let found = fs::metadata(&entry.source).map_err(|error| read_error(entry, error))?;
    let fits = match entry.meta.kind {
        EntryKind::Directory => found.is_dir(),
        EntryKind::File | EntryKind::Stream => found.is_file(),
    };
    if !fits {
        let (path, kind) = (entry.source.clone(), entry.meta.kind);
        return Err(PipelineError::OtherKind { path, kind });
    }
    let mut meta = entry.meta.clone();
    let is_file = meta.kind == EntryKind::File;
    meta.size_bytes = is_file.then(|| meta.size_bytes.unwrap_or(found.size()));
    meta.mode.get_or_insert(found.mode() & PERMISSIONS);
    meta.uid.get_or_insert(found.uid());
    meta.gid.get_or_insert(found.gid());
    // Times before 1970 carry no meaning for a database's files.
    meta.modified_unix = meta.modified_unix.or(u64::try_from(found.mtime()).ok());
    Ok(meta)
}

/// Opens a file of which `size_bytes` are to be read; it may have grown since.
pub(super) fn open(entry: &LocalEntry, size_bytes: u64) -> Result<SourceFile, PipelineError> {
    let path = entry.source.clone();
    let file = File::open(&path).map_err(|error| read_error(entry, error))?;
    let found = file.metadata().map_err(|error| read_error(entry, error))?;
    if found.size() < size_bytes {
        return Err(PipelineError::SourceShrank { path, expected_bytes: size_bytes });
    }
    Ok(SourceFile { path, file, size_bytes })
}

/// Ranges of a file that hold data; none if it is to be read whole.
pub(super) fn sparse_ranges(source: &SourceFile) -> Result<Option<Vec<DataRange>>, PipelineError> {
    sparse::data_ranges(&source.file, source.size_bytes).map_err(|error| {
        PipelineError::ReadSource { path: source.path.clone(), offset: 0, source: Arc::new(error) }
    })
}

fn read_error(entry: &LocalEntry, error: io::Error) -> PipelineError {
    let source = Arc::new(error);
    PipelineError::ReadSource { path: entry.source.clone(), offset: 0, source }
}

/// Fills `place` from `offset` of a file.
pub(super) fn read(
    source: &SourceFile,
    offset: u64,
    place: &mut [u8],
) -> Result<(), PipelineError> {
    source.file.read_exact_at(place, offset).map_err(|error| {
        let path = source.path.clone();
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return PipelineError::SourceShrank { path, expected_bytes: source.size_bytes };
        }
        PipelineError::ReadSource { path, offset, source: Arc::new(error) }
    })
}
