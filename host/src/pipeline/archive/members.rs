//! Open entries of an archive: a file of known size, a stream as text, a stream in pieces.
use super::{State, header_of, member_start};
use crate::pipeline::{
    block::Block,
    cancel::lock,
    entry::{OpenEntry, PromisedSize, piece_path, required_size},
    error::PipelineError,
    header,
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, EntryMeta},
    manifest::PieceRecord,
    path::EntryPath,
};
use std::sync::Arc;

/// Content of a piece of a stream in a tar archive, whose header comes first and states its size.
pub(super) const PIECE_BYTES: usize = 8 << 20;

/// A directory: all is done when it is opened.
pub(super) struct NoContent;

impl OpenEntry for NoContent {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        let mut nothing = PromisedSize::new(EntryPath::default(), 0);
        nothing.add(bytes.len())
    }

    fn finish(&mut self) -> Result<(), PipelineError> {
        Ok(())
    }
}

/// A place among the open entries, given back when it is dropped.
struct OpenPlace {
    state: Arc<State>,
    kind: EntryKind,
}

impl OpenPlace {
    fn take(state: Arc<State>, kind: EntryKind, path: &EntryPath) -> Result<Self, PipelineError> {
        let (most_streams, most_files) = state.open_limits();
        let mut open = lock(&state.open);
        let (count, limit) = match kind {
            EntryKind::Stream => {
                open.check_no_file(path)?;
                (&mut open.streams, most_streams)
            }
            EntryKind::File | EntryKind::Directory => {
                if open.streams > 0 {
                    let (path, open) = (path.clone(), open.streams);
                    return Err(PipelineError::StreamsAreOpen { path, open });
                }
                (&mut open.files, most_files)
            }
        };
        if *count >= limit {
            return Err(PipelineError::TooManyOpen { path: path.clone(), kind, limit });
        }
        *count += 1;
        drop(open);
        Ok(Self { state, kind })
    }
}

impl Drop for OpenPlace {
    fn drop(&mut self) {
        let mut open = lock(&self.state.open);
        match self.kind {
            EntryKind::Stream => open.streams -= 1,
            EntryKind::File | EntryKind::Directory => open.files -= 1,
        }
    }
}

/// A file whose bytes an engine pushes.
pub(super) struct OpenFile {
    state: Arc<State>,
    size: PromisedSize,
    padding: &'static [u8],
    place: Option<OpenPlace>,
}

impl OpenFile {
    pub(super) fn open(
        state: Arc<State>,
        path: EntryPath,
        meta: &EntryMeta,
    ) -> Result<Self, PipelineError> {
        let size_bytes = required_size(&path, meta)?;
        if state.open_limits().1 == 0 {
            return Err(state.not_taken(path, meta.kind));
        }
        let header = header_of(&path, meta, size_bytes)?;
        let place = OpenPlace::take(state.clone(), EntryKind::File, &path)?;
        let start = member_start(path.clone(), meta);
        state.with_assembler(|assembler| assembler.begin(start, &header))?;
        let size = PromisedSize::new(path, size_bytes);
        Ok(Self { state, size, padding: header::padding(size_bytes), place: Some(place) })
    }
}

impl OpenEntry for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        self.size.add(bytes.len())?;
        self.state.with_assembler(|assembler| assembler.content(bytes))
    }

    fn finish(&mut self) -> Result<(), PipelineError> {
        self.size.check_complete()?;
        self.state.with_assembler(|assembler| assembler.end(self.padding))?;
        self.place = None;
        Ok(())
    }
}

/// A stream that becomes a stretch of the text.
pub(super) struct SqlStream {
    state: Arc<State>,
    place: Option<OpenPlace>,
}

impl SqlStream {
    pub(super) fn open(
        state: Arc<State>,
        path: EntryPath,
        meta: &EntryMeta,
    ) -> Result<Self, PipelineError> {
        let place = OpenPlace::take(state.clone(), EntryKind::Stream, &path)?;
        let start = member_start(path, meta);
        state.with_assembler(|assembler| assembler.begin(start, &[]))?;
        Ok(Self { state, place: Some(place) })
    }
}

impl OpenEntry for SqlStream {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        self.state.with_assembler(|assembler| assembler.content(bytes))
    }

    fn finish(&mut self) -> Result<(), PipelineError> {
        self.state.with_assembler(|assembler| assembler.end(&[]))?;
        self.place = None;
        Ok(())
    }
}

/// A stream whose bytes are gathered into pieces, each a member of its own.
pub(super) struct PieceStream {
    state: Arc<State>,
    path: EntryPath,
    meta: EntryMeta,
    pieces: u32,
    blocks: Vec<Block>,
    gathered: usize,
    place: Option<OpenPlace>,
}

impl PieceStream {
    pub(super) fn open(
        state: Arc<State>,
        path: EntryPath,
        meta: &EntryMeta,
    ) -> Result<Self, PipelineError> {
        let place = Some(OpenPlace::take(state.clone(), EntryKind::Stream, &path)?);
        let (meta, blocks) = (meta.clone(), Vec::new());
        Ok(Self { state, path, meta, pieces: 0, blocks, gathered: 0, place })
    }

    fn submit_piece(&mut self) -> Result<(), PipelineError> {
        self.pieces += 1;
        let path = piece_path(&self.path, self.pieces);
        let size_bytes = self.gathered as u64;
        let header = header_of(&path, &self.meta, size_bytes)?;
        let mut start = member_start(path, &self.meta);
        start.record.piece = Some(PieceRecord { of: self.path.clone(), number: self.pieces });
        let blocks = std::mem::take(&mut self.blocks);
        self.gathered = 0;
        self.state.with_assembler(|assembler| {
            assembler.member(start, &header, blocks, header::padding(size_bytes))
        })
    }
}

impl OpenEntry for PieceStream {
    fn write(&mut self, bytes: &[u8]) -> Result<(), PipelineError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.gathered == PIECE_BYTES {
                self.submit_piece()?;
            }
            if self.blocks.last().is_none_or(|block| block.room() == 0) {
                self.blocks.push(self.state.shared.pool.block());
            }
            if let Some(block) = self.blocks.last_mut() {
                let taken = block.copy_content(rest);
                self.gathered += taken;
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), PipelineError> {
        // A stream without bytes still leaves a member, so that it comes back.
        if self.gathered > 0 || self.pieces == 0 {
            self.submit_piece()?;
        }
        self.place = None;
        Ok(())
    }
}
