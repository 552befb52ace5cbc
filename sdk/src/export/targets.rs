//! Objects of role `target` behind the boundary.
use super::guard::guard;
use crate::target::{ObjectReader, ObjectWriter, Target};
use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RSlice, RSliceMut},
};
use dbbackup_plugin_api::{
    chunk::Chunk,
    document::Doc,
    error::AbiResult,
    role::{
        ObjectReader as AbiReader, ObjectReader_TO, ObjectReaderBox, ObjectWriter as AbiWriter,
        ObjectWriter_TO, ObjectWriterBox, Target as AbiTarget,
    },
};

/// A target inside its box.
pub(super) struct OpenTarget<T>(pub(super) T);

impl<T: Target> AbiTarget for OpenTarget<T> {
    fn limits(&self) -> Doc {
        // A document of numbers can always be written.
        Doc::encode(&self.0.limits()).unwrap_or_else(|_| Doc::empty())
    }

    fn create(&self, object: Doc) -> AbiResult<ObjectWriterBox> {
        guard(|| {
            let writer = OpenWriter(self.0.create(&object.decode()?)?);
            Ok(ObjectWriter_TO::from_value(writer, TD_Opaque))
        })
    }

    fn open_object(&self, object: Doc) -> AbiResult<ObjectReaderBox> {
        guard(|| {
            let reader = OpenReader(self.0.open_object(&object.decode()?)?);
            Ok(ObjectReader_TO::from_value(reader, TD_Opaque))
        })
    }

    fn put(&self, object: Doc, bytes: RSlice<'_, u8>) -> AbiResult<Doc> {
        guard(|| Ok(Doc::encode(&self.0.put(&object.decode()?, bytes.as_slice())?)?))
    }

    fn head(&self, object: Doc) -> AbiResult<Doc> {
        guard(|| Ok(Doc::encode(&self.0.head(&object.decode()?)?)?))
    }

    fn list(&self, prefix: Doc) -> AbiResult<Doc> {
        guard(|| Ok(Doc::encode(&self.0.list(&prefix.decode()?)?)?))
    }

    fn delete(&self, object: Doc) -> AbiResult<()> {
        guard(|| self.0.delete(&object.decode()?))
    }

    fn unfinished(&self, prefix: Doc) -> AbiResult<Doc> {
        guard(|| Ok(Doc::encode(&self.0.unfinished(&prefix.decode()?)?)?))
    }

    fn abandon(&self, upload: Doc) -> AbiResult<()> {
        guard(|| self.0.abandon(&upload.decode()?))
    }
}

struct OpenWriter<W>(W);

impl<W: ObjectWriter> AbiWriter for OpenWriter<W> {
    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    fn write(&mut self, chunk: Chunk) -> AbiResult<()> {
        guard(|| self.0.write(chunk))
    }

    fn finish(&mut self) -> AbiResult<Doc> {
        guard(|| Ok(Doc::encode(&self.0.finish()?)?))
    }

    fn abort(&mut self) -> AbiResult<()> {
        guard(|| self.0.abort())
    }
}

struct OpenReader<R>(R);

impl<R: ObjectReader> AbiReader for OpenReader<R> {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read_at(&self, offset: u64, mut buffer: RSliceMut<'_, u8>) -> AbiResult<usize> {
        guard(|| self.0.read_at(offset, buffer.as_mut_slice()))
    }
}
