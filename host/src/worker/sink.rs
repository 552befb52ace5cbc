//! The pipeline as engines see it: a sink whose calls block while the pipeline is full.
use super::report::{Refused, answer};
use crate::pipeline::{EntryWriter as PipelineWriter, Pipeline, PipelineError};
use dbbackup_plugin_api::{
    abi_stable::{sabi_trait::TD_Opaque, std_types::RSlice},
    chunk::Chunk,
    document::{
        Doc,
        entry::{EntryMeta, LocalEntries},
    },
    error::{AbiResult, EngineError, ErrorCode},
    sink::{ArchiveSink, ArchiveSink_TO, EntryWriter, EntryWriter_TO, EntryWriterBox, SinkBox},
};
use std::{io, sync::Arc};

/// Root of what describes the backup. An engine may put its own documents and streams there.
const OUR_ROOT: &str = ".dbbackup";
/// Names below it that are the host's own: no engine may write them.
const HOST_NAMES: [&[u8]; 2] = [b"manifest.json", b"RESTORE.txt"];

/// The sink of one run.
struct PipelineSink(Arc<Pipeline>);

/// A sink for an engine; the caller keeps the pipeline to finish it.
pub(super) fn sink(pipeline: &Arc<Pipeline>) -> SinkBox {
    ArchiveSink_TO::from_value(PipelineSink(Arc::clone(pipeline)), TD_Opaque)
}

impl ArchiveSink for PipelineSink {
    fn limits(&self) -> Doc {
        // A document of numbers can always be written.
        Doc::encode(&self.0.limits()).unwrap_or_else(|_| Doc::empty())
    }

    fn open_entry(&self, meta: Doc) -> AbiResult<EntryWriterBox> {
        let opened = meta.decode::<EntryMeta>().map_err(malformed).and_then(|meta| {
            check_root(&meta)?;
            self.0.open_entry(&meta).map_err(|error| engine_error(&error))
        });
        answer(opened.map(|writer| EntryWriter_TO::from_value(Writer(writer), TD_Opaque)))
    }

    fn local_entries(&self, entries: Doc) -> AbiResult<()> {
        let added = entries.decode::<LocalEntries>().map_err(malformed).and_then(|local| {
            local.entries.iter().try_for_each(|entry| check_root(&entry.meta))?;
            self.0.add_local(&local.entries).map_err(|error| engine_error(&error))
        });
        answer(added)
    }
}

/// The writer of one entry.
struct Writer(PipelineWriter);

impl EntryWriter for Writer {
    fn write(&mut self, chunk: Chunk) -> AbiResult<()> {
        result(self.0.write_chunk(&chunk))
    }

    fn write_slice(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()> {
        result(self.0.write(bytes.as_slice()))
    }

    fn finish(&mut self) -> AbiResult<()> {
        result(self.0.finish())
    }
}

/// Some names below `.dbbackup` are ours, whichever way an engine spells them.
fn check_root(meta: &EntryMeta) -> Result<(), Refused> {
    let parts = meta.root.as_bytes().split(|byte| *byte == b'/');
    let parts = parts.chain(meta.path.as_bytes().split(|byte| *byte == b'/'));
    let mut parts = parts.filter(|part| !matches!(*part, b"" | b"."));
    let is_below_ours = parts.next() == Some(OUR_ROOT.as_bytes());
    if is_below_ours && parts.next().is_none_or(|name| HOST_NAMES.contains(&name)) {
        let what = format!("entry {}/{}: this name is the host's", meta.root, meta.path);
        return Err(Box::new(EngineError::new(ErrorCode::INTERNAL, what)));
    }
    Ok(())
}

fn malformed(error: dbbackup_plugin_api::document::DocumentError) -> Refused {
    Box::new(EngineError::from_error(ErrorCode::INTERNAL, &error))
}

fn result(result: Result<(), PipelineError>) -> AbiResult<()> {
    answer(result.map_err(|error| engine_error(&error)))
}

/// A pipeline's error as the engine sees it.
fn engine_error(error: &PipelineError) -> Refused {
    let code = match (error, error.io_kind()) {
        (PipelineError::Cancelled, _) => ErrorCode::CANCELLED,
        (_, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) => ErrorCode::NO_SPACE,
        _ if error.is_target() => ErrorCode::SINK_IO,
        _ if error.is_source() => ErrorCode::SOURCE_IO,
        _ => ErrorCode::INTERNAL,
    };
    Box::new(EngineError::from_error(code, error))
}
