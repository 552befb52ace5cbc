//! The sink of role `stream`: pieces of binlogs in their order.
use crate::{
    failure::HostError,
    host::unwrap,
    sink::{decode, encode},
};
use dbbackup_plugin_api::{chunk::Chunk, document::stream::StreamPosition, role::StreamSinkBox};

/// Takes binlog bytes and says up to where they are durable.
pub struct StreamSink(StreamSinkBox);

impl StreamSink {
    pub(crate) fn new(sink: StreamSinkBox) -> Self {
        Self(sink)
    }

    /// Where the archive of this server ends.
    ///
    /// # Errors
    /// [`HostError`] if the archive cannot be read.
    pub fn resume_position(&self) -> Result<StreamPosition, HostError> {
        decode(&unwrap(self.0.resume_position())?)
    }

    /// Starts a binlog file, or continues one.
    ///
    /// # Errors
    /// [`HostError`] if the position does not fit the archive.
    pub fn open_file(&mut self, position: &StreamPosition) -> Result<(), HostError> {
        unwrap(self.0.open_file(encode(position)?))
    }

    /// Appends bytes of the open file.
    ///
    /// # Errors
    /// [`HostError`] if they cannot be written.
    pub fn write_chunk(&mut self, bytes: Vec<u8>) -> Result<(), HostError> {
        unwrap(self.0.write(Chunk::from_vec(bytes)))
    }

    /// Makes everything so far durable; answers the position up to which it is.
    ///
    /// # Errors
    /// [`HostError`] if it is not durable.
    pub fn sync(&mut self, position: &StreamPosition) -> Result<StreamPosition, HostError> {
        decode(&unwrap(self.0.sync(encode(position)?))?)
    }

    /// Ends the open file.
    ///
    /// # Errors
    /// [`HostError`] if it cannot be closed.
    pub fn close_file(&mut self) -> Result<(), HostError> {
        unwrap(self.0.close_file())
    }
}
