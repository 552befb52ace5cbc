//! The stream entries of an artefact as engines read them back, joined from their pieces.
use super::{
    error::WorkerError,
    report::{Refused, answer},
};
use crate::{
    artefact::{ArtefactError, EntryReader, Identified, StreamEntry},
    pipeline::{CancelFlag, read::RangedRead},
    supervisor::job::ArtefactInput,
};
use dbbackup_plugin_api::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{ROption, RSliceMut},
    },
    document::{
        Doc,
        entry::{EntryKind, EntryMeta},
        manifest::Manifest,
    },
    error::{AbiResult, EngineError, ErrorCode},
    sink::{ArchiveReader, ArchiveReader_TO, ReaderBox},
};
use std::sync::Arc;

/// Opens the artefact and gives out its stream entries. `bytes` are those of an artefact that lies at a
/// target.
pub(super) fn open(
    input: &ArtefactInput,
    bytes: Option<Arc<dyn RangedRead>>,
    manifest: &Manifest,
    cancel: &CancelFlag,
) -> Result<ReaderBox, WorkerError> {
    let artefact = Identified::from_input(input, bytes)?;
    let entries = artefact.streams(manifest, cancel)?;
    Ok(ArchiveReader_TO::from_value(Streams(entries), TD_Opaque))
}

/// The streams of an artefact.
struct Streams(EntryReader);

impl ArchiveReader for Streams {
    fn next_entry(&mut self) -> AbiResult<ROption<Doc>> {
        let next = self.0.next_entry().map_err(|error| engine_error(&error));
        answer(next.and_then(|entry| entry.map(meta_of).transpose()).map(ROption::from))
    }

    fn read(&mut self, mut buffer: RSliceMut<'_, u8>) -> AbiResult<usize> {
        answer(self.0.read(buffer.as_mut_slice()).map_err(|error| engine_error(&error)))
    }
}

/// What the engine is told of a stream.
fn meta_of(entry: StreamEntry) -> Result<Doc, Refused> {
    let meta = EntryMeta::new(EntryKind::Stream, entry.root, entry.path);
    Doc::encode(&meta)
        .map_err(|error| Box::new(EngineError::from_error(ErrorCode::INTERNAL, &error)))
}

fn engine_error(error: &ArtefactError) -> Refused {
    let code = match error {
        ArtefactError::Cancelled => ErrorCode::CANCELLED,
        error if error.is_damage() => ErrorCode::INTEGRITY,
        _ => ErrorCode::SOURCE_IO,
    };
    Box::new(EngineError::from_error(code, error))
}
