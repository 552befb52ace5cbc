//! The side of the sink: files as members, or chunks, pages and redo as streams of records.

use std::collections::BTreeSet;

use dbbackup_sdk::{
    EntryWriter, Sink,
    document::entry::{EntryKind, EntryMeta, PageCheck},
    plugin_api::document::path::EntryPath,
};

use crate::{
    artefact::{
        ClonedFile, Layout, OUR_ROOT, RecordWriter, Stage, StreamCount, chunks_path, pages_path,
        redo_path,
    },
    error::CloneError,
    protocol::{
        coverage::Coverage,
        files::{FileTable, NO_TABLESPACE, Place},
    },
    rpc::DataPart,
};

/// Number of our streams: one thread writes them.
const STREAM: u32 = 1;
/// Permission bits of a server's files.
const FILE_MODE: u32 = 0o640;
/// Bytes of zeros written at once.
const ZEROS_BYTES: u64 = 1024 * 1024;

/// What is open at the moment.
pub(crate) struct Output<'s> {
    sink: &'s Sink,
    layout: Layout,
    chunk_bytes: usize,
    member: Option<OpenMember>,
    /// Files whose members are finished.
    finished: BTreeSet<u32>,
    /// In a layout of chunks, the bytes of files that have come.
    came: Coverage,
    stream: Option<OpenStream>,
    streams: Vec<StreamCount>,
    /// Where bytes go now; nothing once everything has come.
    stage: Option<Stage>,
}

struct OpenMember {
    index: u32,
    writer: EntryWriter,
    written_bytes: u64,
    size_bytes: u64,
}

struct OpenStream {
    path: String,
    stage: Stage,
    writer: RecordWriter<EntryWriter>,
}

impl<'s> Output<'s> {
    /// An output without an entry.
    ///
    /// # Errors
    /// The sink does not answer.
    pub(crate) fn new(sink: &'s Sink, layout: Layout) -> Result<Self, CloneError> {
        let chunk_bytes = usize::try_from(sink.limits()?.chunk_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            sink,
            layout,
            chunk_bytes: chunk_bytes.clamp(64 * 1024, 4 * 1024 * 1024),
            member: None,
            finished: BTreeSet::new(),
            came: Coverage::default(),
            stream: None,
            streams: Vec::new(),
            stage: Some(Stage::FileCopy),
        })
    }

    /// Writes bytes of a file.
    ///
    /// # Errors
    /// The sink takes no more, or the bytes belong to no file or to another place.
    pub(crate) fn write(
        &mut self,
        stage: Stage,
        part: &DataPart,
        bytes: &[u8],
        files: &mut FileTable,
    ) -> Result<(), CloneError> {
        if self.stage != Some(stage) {
            return Err(CloneError::order("data of another stage", "data of this stage"));
        }
        if stage == Stage::FileCopy {
            let file = files
                .get(part.file_index)
                .ok_or(CloneError::UnknownFile { index: part.file_index })?;
            if file.deleted {
                return Ok(());
            }
            if part.end() > file.size_bytes {
                return Err(CloneError::BeyondEnd {
                    name: file.name.clone(),
                    end: part.end(),
                    size_bytes: file.size_bytes,
                });
            }
            if self.layout == Layout::Files {
                return self.write_member(part, bytes, files);
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let stream = self.open_stream(stage)?;
        stream.writer.append(part.file_index, part.offset, bytes)?;
        if stage == Stage::FileCopy {
            self.came.add(part.file_index, part.offset, part.end());
        }
        Ok(())
    }

    /// The stage is over: everything of it has come.
    ///
    /// # Errors
    /// The sink takes no more, or bytes of a file are missing.
    pub(crate) fn finish_stage(
        &mut self,
        stage: Stage,
        files: &mut FileTable,
    ) -> Result<(), CloneError> {
        if self.stage != Some(stage) {
            return Ok(());
        }
        if stage == Stage::FileCopy {
            self.finish_member(files)?;
            self.close_stream()?;
            self.add_missing(files)?;
        } else {
            if stage == Stage::PageCopy && self.layout == Layout::Chunks {
                // Members of files are looked at as each of them ends.
                self.came.check(files)?;
            }
            // An empty stream says that there was nothing, where a missing one says nothing.
            self.open_stream(stage)?;
            self.close_stream()?;
        }
        self.stage = match stage {
            Stage::FileCopy => Some(Stage::PageCopy),
            Stage::PageCopy => Some(Stage::RedoCopy),
            Stage::RedoCopy => None,
        };
        Ok(())
    }

    /// Adds a file whose bytes are at hand, below our own root.
    ///
    /// # Errors
    /// The sink takes no more.
    pub(crate) fn add(&self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), CloneError> {
        let mut meta = EntryMeta::new(EntryKind::File, OUR_ROOT, EntryPath::from(path));
        meta.size_bytes = Some(bytes.len() as u64);
        meta.mode = Some(mode);
        let mut writer = self.sink.open_entry(&meta)?;
        writer.write_chunk(bytes)?;
        Ok(writer.finish()?)
    }

    /// Where the bytes of files go.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// The streams that were written, in their order.
    pub(crate) fn streams(&self) -> &[StreamCount] {
        &self.streams
    }

    fn write_member(
        &mut self,
        part: &DataPart,
        bytes: &[u8],
        files: &mut FileTable,
    ) -> Result<(), CloneError> {
        if self.member.as_ref().is_some_and(|member| member.index != part.file_index) {
            self.finish_member(files)?;
        }
        if self.finished.contains(&part.file_index) {
            // After a cut, a donor may begin with what it had sent already.
            return Ok(());
        }
        if self.member.is_none() {
            self.member = Some(self.open_member(part.file_index, files)?);
        }
        let Some(member) = &mut self.member else {
            return Err(CloneError::UnknownFile { index: part.file_index });
        };
        let known = member.written_bytes.checked_sub(part.offset).ok_or_else(|| {
            let name = files.get(part.file_index).map(|file| file.name.clone());
            CloneError::Gap {
                name: name.unwrap_or_default(),
                expected: member.written_bytes,
                offset: part.offset,
            }
        })?;
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) else {
            return Ok(());
        };
        member.written_bytes += new.len() as u64;
        Ok(member.writer.write_bytes(new)?)
    }

    fn open_member(&self, index: u32, files: &mut FileTable) -> Result<OpenMember, CloneError> {
        let file = files.get(index).ok_or(CloneError::UnknownFile { index })?.clone();
        let place = files.place(&file.name)?;
        files.stored(index, &place);
        let size_bytes = file.size_bytes;
        let writer = self.sink.open_entry(&member_meta(&file, place, size_bytes))?;
        Ok(OpenMember { index, writer, written_bytes: 0, size_bytes })
    }

    /// Ends the open member. Where the donor dropped the file meanwhile, zeros stand for the rest:
    /// a header has promised the size.
    fn finish_member(&mut self, files: &FileTable) -> Result<(), CloneError> {
        let Some(mut member) = self.member.take() else {
            return Ok(());
        };
        let file =
            files.get(member.index).ok_or(CloneError::UnknownFile { index: member.index })?;
        let mut missing = member.size_bytes.saturating_sub(member.written_bytes);
        if missing > 0 && !file.deleted {
            return Err(CloneError::CutShort {
                name: file.name.clone(),
                bytes: member.written_bytes,
                size_bytes: member.size_bytes,
            });
        }
        while missing > 0 {
            let now = missing.min(ZEROS_BYTES);
            member.writer.write_chunk(vec![0; usize::try_from(now).unwrap_or(0)])?;
            missing -= now;
        }
        self.finished.insert(member.index);
        Ok(member.writer.finish()?)
    }

    /// Files without a byte: empty ones, and in a layout of chunks all of them, so that host and
    /// restore know them as files.
    fn add_missing(&mut self, files: &mut FileTable) -> Result<(), CloneError> {
        let open: Vec<ClonedFile> = files
            .iter()
            .filter(|file| !file.deleted && !file.created && !self.finished.contains(&file.index))
            .cloned()
            .collect();
        for file in open {
            if self.layout == Layout::Files && file.size_bytes > 0 {
                let size_bytes = file.size_bytes;
                return Err(CloneError::CutShort { name: file.name, bytes: 0, size_bytes });
            }
            let place = files.place(&file.name)?;
            files.stored(file.index, &place);
            self.sink.open_entry(&member_meta(&file, place, 0))?.finish()?;
            self.finished.insert(file.index);
        }
        Ok(())
    }

    fn open_stream(&mut self, stage: Stage) -> Result<&mut OpenStream, CloneError> {
        if self.stream.is_none() {
            let path = match stage {
                Stage::FileCopy => chunks_path(STREAM),
                Stage::PageCopy => pages_path(STREAM),
                Stage::RedoCopy => redo_path(STREAM),
            };
            let meta = EntryMeta::new(EntryKind::Stream, OUR_ROOT, EntryPath::from(path.as_str()));
            let writer = RecordWriter::new(self.sink.open_entry(&meta)?, self.chunk_bytes);
            self.stream = Some(OpenStream { path, stage, writer });
        }
        self.stream.as_mut().ok_or_else(|| CloneError::order("no stream", "a stream"))
    }

    fn close_stream(&mut self) -> Result<(), CloneError> {
        let Some(OpenStream { path, stage, writer }) = self.stream.take() else {
            return Ok(());
        };
        let (entry, records, bytes) = writer.finish()?;
        entry.finish()?;
        self.streams.push(StreamCount { path, stage, records, bytes });
        Ok(())
    }
}

fn member_meta(file: &ClonedFile, place: Place, size_bytes: u64) -> EntryMeta {
    let mut meta = EntryMeta::new(EntryKind::File, place.root, place.path);
    meta.size_bytes = Some(size_bytes);
    meta.mode = Some(FILE_MODE);
    meta.pages = match file.space_id {
        NO_TABLESPACE => PageCheck::None,
        _ => PageCheck::AfterApply,
    };
    meta
}
