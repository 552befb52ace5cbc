//! The traits of role `target`: a place, its objects, and their readers and writers.
use crate::failure::Failure;
use dbbackup_plugin_api::{
    chunk::Chunk,
    document::target::{
        ObjectCreate, ObjectFacts, ObjectKey, ObjectList, ObjectReceipt, TargetLimits,
        UnfinishedUpload, UnfinishedUploads,
    },
};

/// An open place where backups live. Keys are relative to its location.
pub trait Target: Send + Sync + 'static {
    /// Writer of an object.
    type Writer: ObjectWriter;
    /// Reader of an object.
    type Reader: ObjectReader;

    /// What the place can do.
    fn limits(&self) -> TargetLimits;

    /// Starts an object.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be started, or exists where `if_absent` was asked.
    fn create(&self, object: &ObjectCreate) -> Result<Self::Writer, Failure>;

    /// Opens an object for ranged reads.
    ///
    /// # Errors
    /// A [`Failure`] if it is not there or cannot be read.
    fn open_object(&self, key: &ObjectKey) -> Result<Self::Reader, Failure>;

    /// Writes a small object in one step.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be written, or exists where `if_absent` was asked.
    fn put(&self, object: &ObjectCreate, bytes: &[u8]) -> Result<ObjectFacts, Failure>;

    /// Facts of one object.
    ///
    /// # Errors
    /// A [`Failure`] with code `PRECONDITION` if there is none.
    fn head(&self, key: &ObjectKey) -> Result<ObjectFacts, Failure>;

    /// All objects whose keys start with a prefix.
    ///
    /// # Errors
    /// A [`Failure`] if the list would be incomplete.
    fn list(&self, prefix: &ObjectKey) -> Result<ObjectList, Failure>;

    /// Deletes an object; gone already is success.
    ///
    /// # Errors
    /// A [`Failure`] if it is still there.
    fn delete(&self, key: &ObjectKey) -> Result<(), Failure>;

    /// Uploads and markers of runs below a prefix that have not come to their end.
    ///
    /// # Errors
    /// A [`Failure`] if the answer would be incomplete.
    fn unfinished(&self, prefix: &ObjectKey) -> Result<UnfinishedUploads, Failure>;

    /// Removes what [`unfinished`](Target::unfinished) named, with the objects of the same run unless
    /// a manifest makes them a backup; gone already is success.
    ///
    /// # Errors
    /// A [`Failure`] if something of it is still there.
    fn abandon(&self, upload: &UnfinishedUpload) -> Result<(), Failure>;
}

/// Writer of one object. Dropped without `finish`, the object is abandoned.
pub trait ObjectWriter: Send + 'static {
    /// Bytes that the object can hold.
    fn capacity(&self) -> u64;

    /// Appends bytes; blocks while the place is busy.
    ///
    /// # Errors
    /// A [`Failure`] if they cannot be stored.
    fn write(&mut self, chunk: Chunk) -> Result<(), Failure>;

    /// Makes the object durable and visible.
    ///
    /// # Errors
    /// A [`Failure`]: nothing is visible then.
    fn finish(&mut self) -> Result<ObjectReceipt, Failure>;

    /// Abandons the object and what was stored of it.
    ///
    /// # Errors
    /// A [`Failure`] if something of it is left behind.
    fn abort(&mut self) -> Result<(), Failure>;
}

/// Ranged reads of one object.
pub trait ObjectReader: Send + Sync + 'static {
    /// Length in bytes.
    fn length(&self) -> u64;

    /// Fills the buffer from `offset`; fewer bytes only at the end of the object.
    ///
    /// # Errors
    /// A [`Failure`] if the bytes cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Failure>;
}
