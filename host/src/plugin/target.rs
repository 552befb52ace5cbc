//! An opened target of a loaded engine: one method for each call across the boundary.
use super::{
    LoadedEngine, PluginError,
    session::{decode, encode, result},
};
use dbbackup_plugin_api::{
    abi_stable::std_types::{RSlice, RSliceMut},
    chunk::Chunk,
    document::{
        Document,
        target::{
            ObjectCreate, ObjectFacts, ObjectKey, ObjectList, ObjectReceipt, TargetLimits,
            TargetLocation, UnfinishedUpload, UnfinishedUploads,
        },
    },
    role::{ObjectReaderBox, ObjectWriterBox, TargetBox},
};
use std::sync::Arc;

/// An open location. Keys are relative to it.
pub(crate) struct LoadedTarget {
    // Before the engine: what is opened ends before what has opened it.
    target: TargetBox,
    engine: LoadedEngine,
}

impl LoadedTarget {
    /// Opens a location.
    ///
    /// # Errors
    /// [`PluginError`]: no such role, or the engine's own.
    pub(crate) fn open(engine: LoadedEngine, location: &str) -> Result<Self, PluginError> {
        let location =
            TargetLocation { location: location.to_owned(), extra: serde_json::Map::new() };
        let target = engine.open_target(&location)?;
        Ok(Self { target, engine })
    }

    fn id(&self) -> &str {
        &self.engine.manifest().id
    }

    /// What the place can do; the least of everything if it does not say.
    pub(crate) fn limits(&self) -> TargetLimits {
        let least = || TargetLimits {
            parallel_reads: 1,
            read_bytes: LEAST_READ_BYTES,
            extra: serde_json::Map::new(),
        };
        let told = self.target.limits().decode::<TargetLimits>();
        told.unwrap_or_else(|error| {
            tracing::debug!(%error, engine = self.id(), "the target does not say what it can do");
            least()
        })
    }

    /// Starts an object.
    pub(crate) fn create(&self, object: &ObjectCreate) -> Result<LoadedWriter, PluginError> {
        const STEP: &str = "starting an object";
        let answer = self.target.create(encode(self.id(), STEP, object)?);
        let writer = result(self.id(), STEP, answer)?;
        Ok(LoadedWriter { writer, engine: self.id().to_owned() })
    }

    /// Opens an object for reading.
    pub(crate) fn open_object(&self, key: &str) -> Result<LoadedReader, PluginError> {
        const STEP: &str = "opening an object";
        let answer = self.target.open_object(encode(self.id(), STEP, &object_key(key))?);
        let reader = Arc::new(result(self.id(), STEP, answer)?);
        Ok(LoadedReader { reader, engine: self.id().to_owned() })
    }

    /// Writes a small object.
    pub(crate) fn put(
        &self,
        object: &ObjectCreate,
        bytes: &[u8],
    ) -> Result<ObjectFacts, PluginError> {
        const STEP: &str = "writing an object";
        let object = encode(self.id(), STEP, object)?;
        decode(self.id(), STEP, self.target.put(object, RSlice::from_slice(bytes)))
    }

    /// Facts of an object.
    pub(crate) fn head(&self, key: &str) -> Result<ObjectFacts, PluginError> {
        self.ask("looking at an object", &object_key(key), |target, doc| target.head(doc))
    }

    /// The objects below a prefix.
    pub(crate) fn list(&self, prefix: &str) -> Result<ObjectList, PluginError> {
        self.ask("listing objects", &object_key(prefix), |target, doc| target.list(doc))
    }

    /// Deletes an object; gone already is success.
    pub(crate) fn delete(&self, key: &str) -> Result<(), PluginError> {
        const STEP: &str = "deleting an object";
        let answer = self.target.delete(encode(self.id(), STEP, &object_key(key))?);
        result(self.id(), STEP, answer)
    }

    /// Uploads below a prefix that have not come to their end.
    pub(crate) fn unfinished(&self, prefix: &str) -> Result<UnfinishedUploads, PluginError> {
        self.ask("listing unfinished uploads", &object_key(prefix), |target, doc| {
            target.unfinished(doc)
        })
    }

    /// Removes an unfinished upload.
    pub(crate) fn abandon(&self, upload: &UnfinishedUpload) -> Result<(), PluginError> {
        const STEP: &str = "removing an unfinished upload";
        let answer = self.target.abandon(encode(self.id(), STEP, upload)?);
        result(self.id(), STEP, answer)
    }

    fn ask<D: Document, A: Document>(
        &self,
        step: &'static str,
        document: &D,
        call: impl FnOnce(
            &TargetBox,
            dbbackup_plugin_api::document::Doc,
        )
            -> dbbackup_plugin_api::error::AbiResult<dbbackup_plugin_api::document::Doc>,
    ) -> Result<A, PluginError> {
        let document = encode(self.id(), step, document)?;
        decode(self.id(), step, call(&self.target, document))
    }
}

/// Bytes of a read of a place that does not say what is sensible.
const LEAST_READ_BYTES: u64 = 1 << 20;

fn object_key(key: &str) -> ObjectKey {
    ObjectKey { key: key.to_owned(), extra: serde_json::Map::new() }
}

/// The writer of one object.
pub(crate) struct LoadedWriter {
    writer: ObjectWriterBox,
    engine: String,
}

impl LoadedWriter {
    /// Bytes that the object can hold.
    pub(crate) fn capacity(&self) -> u64 {
        self.writer.capacity()
    }

    /// Appends bytes; blocks while the place is busy.
    pub(crate) fn write(&mut self, chunk: Chunk) -> Result<(), PluginError> {
        result(&self.engine, "writing to the target", self.writer.write(chunk))
    }

    /// Makes the object durable and visible.
    pub(crate) fn finish(&mut self) -> Result<ObjectReceipt, PluginError> {
        decode(&self.engine, "finishing an object", self.writer.finish())
    }

    /// Abandons the object.
    pub(crate) fn abort(&mut self) -> Result<(), PluginError> {
        result(&self.engine, "abandoning an object", self.writer.abort())
    }
}

/// Ranged reads of one object; clones share it.
#[derive(Clone)]
pub(crate) struct LoadedReader {
    reader: Arc<ObjectReaderBox>,
    engine: String,
}

impl LoadedReader {
    /// Length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.reader.length()
    }

    /// Fills the buffer from `offset`; fewer bytes only at the end.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, PluginError> {
        let answer = self.reader.read_at(offset, RSliceMut::from_mut_slice(buffer));
        result(&self.engine, "reading an object", answer)
    }
}
