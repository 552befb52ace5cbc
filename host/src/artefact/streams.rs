//! Stream entries of an artefact, each joined from its pieces.
use super::{ArtefactError, ArtefactMembers};
use crate::pipeline::{
    CancelFlag,
    read::{RangedRead, ReadSpec},
};
use dbbackup_plugin_api::document::{
    entry::EntryKind,
    manifest::{FileRecord, Manifest},
    path::EntryPath,
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};

/// A stream as the engine wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamEntry {
    /// Root of the entry.
    pub(crate) root: String,
    /// Path below the root.
    pub(crate) path: EntryPath,
}

/// Reads streams one after the other, in the order in which they were opened.
pub(crate) struct EntryReader {
    source: Source,
    streams: VecDeque<Stream>,
    /// Pieces of the current stream that are not read yet.
    pieces: VecDeque<FileRecord>,
    /// The piece that is being read.
    open: Option<ArtefactMembers>,
    cancel: CancelFlag,
}

/// Where pieces come from.
pub(super) enum Source {
    /// Streams follow each other and nothing lies between them: a text, or a directory.
    InOrder(Option<ArtefactMembers>),
    /// Pieces of streams that were written at once lie between each other: each is read alone.
    ByPiece {
        /// How the artefact is read.
        spec: Box<ReadSpec>,
        /// Its bytes.
        bytes: Arc<dyn RangedRead>,
    },
}

/// A stream and its pieces in their order.
struct Stream {
    name: EntryPath,
    pieces: VecDeque<FileRecord>,
}

impl EntryReader {
    pub(super) fn new(
        source: Source,
        manifest: &Manifest,
        cancel: &CancelFlag,
    ) -> Result<Self, ArtefactError> {
        let streams = streams(&manifest.files)?;
        let pieces = VecDeque::new();
        Ok(Self { source, streams, pieces, open: None, cancel: cancel.clone() })
    }

    /// Goes to the next stream, over what is left of the current one.
    pub(crate) fn next_entry(&mut self) -> Result<Option<StreamEntry>, ArtefactError> {
        match &self.source {
            // Everything of a text is read, so that damage is found wherever it is.
            Source::InOrder(_) => {
                let mut rest = vec![0; 64 << 10];
                while self.read(&mut rest)? > 0 {}
            }
            Source::ByPiece { .. } => self.pieces.clear(),
        }
        self.open = None;
        let Some(stream) = self.streams.pop_front() else {
            return self.check_end().map(|()| None);
        };
        self.pieces = stream.pieces;
        Ok(Some(split(&stream.name)))
    }

    /// Reads content of the current stream; 0 at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArtefactError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.cancel.is_cancelled() {
                return Err(ArtefactError::Cancelled);
            }
            if self.open.is_none() && !self.open_piece()? {
                return Ok(0);
            }
            let read = self.open.as_mut().map_or(Ok(0), |members| members.read(buffer))?;
            if read > 0 {
                return Ok(read);
            }
            match (self.open.take(), &mut self.source) {
                (members, Source::InOrder(rest)) => *rest = members,
                (_, Source::ByPiece { .. }) => {}
            }
        }
    }

    /// Opens the next piece of the current stream; false if there is none.
    fn open_piece(&mut self) -> Result<bool, ArtefactError> {
        let Some(record) = self.pieces.pop_front() else { return Ok(false) };
        let mut members = match &mut self.source {
            Source::InOrder(members) => match members.take() {
                Some(members) => members,
                None => return Ok(false),
            },
            Source::ByPiece { spec, bytes } => {
                let alone = spec.member_alone(Arc::clone(bytes), &record)?;
                ArtefactMembers::Archive(Box::new(alone))
            }
        };
        loop {
            match members.next_member()? {
                Some(member) if member.path == record.path => break,
                // Files between the streams of a directory are none of the engine's business.
                Some(_) => {}
                None => {
                    return Err(ArtefactError::Member {
                        path: PathBuf::from(record.path.to_string()),
                        what: "is missing".to_owned(),
                    });
                }
            }
        }
        self.open = Some(members);
        Ok(true)
    }

    /// Reads to the end of an artefact that is read in order: only there is all of it checked.
    fn check_end(&mut self) -> Result<(), ArtefactError> {
        if let Source::InOrder(Some(members)) = &mut self.source {
            while members.next_member()?.is_some() {}
        }
        Ok(())
    }
}

/// The streams of an artefact, in the order of their first pieces.
fn streams(files: &[FileRecord]) -> Result<VecDeque<Stream>, ArtefactError> {
    let mut streams: VecDeque<Stream> = VecDeque::new();
    let mut places: BTreeMap<EntryPath, usize> = BTreeMap::new();
    for record in files.iter().filter(|record| record.kind == EntryKind::Stream) {
        let (name, number) = match &record.piece {
            Some(piece) => (piece.of.clone(), piece.number),
            None => (record.path.clone(), 1),
        };
        let place = *places.entry(name.clone()).or_insert_with(|| {
            streams.push_back(Stream { name: name.clone(), pieces: VecDeque::new() });
            streams.len() - 1
        });
        let Some(stream) = streams.get_mut(place) else { continue };
        let expected = u32::try_from(stream.pieces.len()).unwrap_or(u32::MAX).saturating_add(1);
        if number != expected {
            return Err(ArtefactError::Member {
                path: PathBuf::from(name.to_string()),
                what: format!("piece {number} where piece {expected} must be"),
            });
        }
        stream.pieces.push_back(record.clone());
    }
    Ok(streams)
}

/// Root and path: the root is the first component, as engines name it.
fn split(name: &EntryPath) -> StreamEntry {
    let bytes = name.as_bytes();
    match bytes.iter().position(|byte| *byte == b'/') {
        Some(slash) => {
            let (root, path) = bytes.split_at(slash);
            StreamEntry {
                root: String::from_utf8_lossy(root).into_owned(),
                path: EntryPath::from_bytes(path.get(1..).unwrap_or_default()),
            }
        }
        None => StreamEntry { root: String::new(), path: name.clone() },
    }
}

#[cfg(test)]
mod tests;
