//! An artefact's way into a target: one object after the other, each given up unless it is finished.
use crate::{
    pipeline::{ChunkWriter, Progress},
    plugin::{LoadedTarget, LoadedWriter, PluginError},
    supervisor::job::TargetOutput,
};
use dbbackup_plugin_api::{
    chunk::Chunk,
    document::target::{BackupPart, ObjectCreate, ObjectReceipt},
    error::ErrorCode,
};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// A finished object under its name.
#[derive(Debug)]
pub(super) struct WrittenObject {
    pub(super) name: String,
    pub(super) receipt: ObjectReceipt,
}

/// The finished objects of a run, for whoever writes the receipt.
pub(super) type WrittenObjects = Arc<Mutex<Vec<WrittenObject>>>;

/// Writes the objects of one artefact.
pub(super) struct TargetObjects {
    // Before the target: a writer ends before the target that it writes to.
    writer: Option<LoadedWriter>,
    target: LoadedTarget,
    output: TargetOutput,
    backup_id: String,
    number: u32,
    object_bytes: u64,
    written: WrittenObjects,
    progress: Arc<Progress>,
}

impl TargetObjects {
    /// Starts the first object.
    ///
    /// # Errors
    /// The engine's.
    pub(super) fn start(
        target: LoadedTarget,
        output: TargetOutput,
        backup_id: String,
        progress: Arc<Progress>,
    ) -> Result<Self, PluginError> {
        let (writer, written) = (None, WrittenObjects::default());
        let (number, object_bytes) = (0, 0);
        let mut objects =
            Self { writer, target, output, backup_id, number, object_bytes, written, progress };
        objects.start_next()?;
        Ok(objects)
    }

    /// Where the finished objects are noted down.
    pub(super) fn written(&self) -> WrittenObjects {
        Arc::clone(&self.written)
    }

    fn start_next(&mut self) -> Result<(), PluginError> {
        self.number += 1;
        self.object_bytes = 0;
        let object = ObjectCreate {
            key: self.name(),
            if_absent: self.output.if_absent,
            expected_bytes: self.output.expected_bytes,
            part_of: Some(BackupPart {
                backup_id: self.backup_id.clone(),
                manifest_key: self.output.manifest_name.clone(),
            }),
            extra: serde_json::Map::new(),
        };
        self.writer = Some(self.target.create(&object)?);
        Ok(())
    }

    /// The first object has the name of the artefact, further ones `NAME.0002` and so on.
    fn name(&self) -> String {
        let name = &self.output.place.name;
        if self.number > 1 { format!("{name}.{:04}", self.number) } else { name.clone() }
    }

    fn finish_object(&mut self) -> Result<(), PluginError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let receipt = self.progress.on_target(|| writer.finish())?;
        self.writer = None;
        let object = WrittenObject { name: self.name(), receipt };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(object);
        Ok(())
    }
}

impl ChunkWriter for TargetObjects {
    fn write_chunk(&mut self, chunk: Chunk) -> io::Result<()> {
        let bytes = chunk.len() as u64;
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let writer = self.writer.as_mut().ok_or_else(closed)?;
        self.progress.on_target(|| writer.write(chunk)).map_err(io_error)?;
        self.object_bytes += bytes;
        Ok(())
    }

    fn room(&self) -> u64 {
        let capacity = self.writer.as_ref().map_or(0, LoadedWriter::capacity);
        capacity.saturating_sub(self.object_bytes)
    }

    fn next_object(&mut self) -> io::Result<()> {
        self.finish_object().and_then(|()| self.start_next()).map_err(io_error)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.finish_object().map_err(io_error)
    }
}

impl Drop for TargetObjects {
    fn drop(&mut self) {
        if let Some(mut writer) = self.writer.take()
            && let Err(error) = writer.abort()
        {
            // Its record stays in the journal, so that the supervisor undoes it.
            tracing::warn!(%error, "give up an unfinished object");
        }
    }
}

/// The engine's error with the kind that decides about the exit code.
fn io_error(error: PluginError) -> io::Error {
    let is_full =
        matches!(&error, PluginError::Engine { error, .. } if error.code == ErrorCode::NO_SPACE);
    let kind = if is_full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    io::Error::new(kind, error)
}
