//! Role `dbbackup.role.target/1`: a place where backups live.
use crate::{
    capability::Capability, chunk::Chunk, document::Doc, engine::EngineBox, error::AbiResult,
    host::HostBox,
};
use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, RSlice, RSliceMut},
};

/// Id of this role.
pub const TARGET_ROLE: &str = "dbbackup.role.target/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = TargetRole_Ref)))]
#[sabi(missing_field(option))]
pub struct TargetRole {
    /// Opens a [`TargetLocation`](crate::document::target::TargetLocation). `[any thread]`
    #[sabi(last_prefix_field)]
    pub open: extern "C" fn(&EngineBox, Doc, HostBox) -> AbiResult<TargetBox>,
}

impl Capability for TargetRole_Ref {
    const ID: &'static str = TARGET_ROLE;
}

/// An open target. Keys are relative to its location. `[any thread]`
#[sabi_trait]
pub trait Target: Send + Sync + 'static {
    /// What the place can do: [`TargetLimits`](crate::document::target::TargetLimits).
    fn limits(&self) -> Doc;
    /// Starts an object: [`ObjectCreate`](crate::document::target::ObjectCreate).
    fn create(&self, object: Doc) -> AbiResult<ObjectWriterBox>;
    /// Opens an object for ranged reads.
    fn open_object(&self, object: Doc) -> AbiResult<ObjectReaderBox>;
    /// Writes a small object in one step, if asked only where none is: see
    /// [`ObjectCreate`](crate::document::target::ObjectCreate). Answers an
    /// [`ObjectFacts`](crate::document::target::ObjectFacts).
    fn put(&self, object: Doc, bytes: RSlice<'_, u8>) -> AbiResult<Doc>;
    /// Facts of one object; an error with code
    /// [`PRECONDITION`](crate::error::ErrorCode::PRECONDITION) if there is none.
    fn head(&self, object: Doc) -> AbiResult<Doc>;
    /// [`ObjectList`](crate::document::target::ObjectList) of all keys with a prefix, complete.
    fn list(&self, prefix: Doc) -> AbiResult<Doc>;
    /// Deletes an object; gone already is success.
    fn delete(&self, object: Doc) -> AbiResult<()>;
    /// Answers the [`UnfinishedUploads`](crate::document::target::UnfinishedUploads) below a prefix.
    fn unfinished(&self, prefix: Doc) -> AbiResult<Doc>;
    /// Removes an [`UnfinishedUpload`](crate::document::target::UnfinishedUpload) with everything that
    /// its run has left and no manifest makes a backup; gone already is success.
    #[sabi(last_prefix_field)]
    fn abandon(&self, upload: Doc) -> AbiResult<()>;
}

/// A target as it crosses the boundary.
pub type TargetBox = Target_TO<RBox<()>>;

/// Writer of one object. Dropped without `finish`, the object is abandoned. `[one thread]`
#[sabi_trait]
pub trait ObjectWriter: Send + 'static {
    /// Bytes that the object can hold; who writes continues in a further object beyond them.
    fn capacity(&self) -> u64;
    /// Appends bytes without a copy; blocks while the target is busy.
    fn write(&mut self, chunk: Chunk) -> AbiResult<()>;
    /// Makes the object durable and visible; answers a
    /// [`ObjectReceipt`](crate::document::target::ObjectReceipt). Nothing is visible before.
    fn finish(&mut self) -> AbiResult<Doc>;
    /// Abandons the object and what was stored of it.
    #[sabi(last_prefix_field)]
    fn abort(&mut self) -> AbiResult<()>;
}

/// An object writer as it crosses the boundary.
pub type ObjectWriterBox = ObjectWriter_TO<RBox<()>>;

/// Ranged reads of one object. `[any thread]`
#[sabi_trait]
pub trait ObjectReader: Send + Sync + 'static {
    /// Length in bytes.
    fn length(&self) -> u64;
    /// Fills the buffer from `offset`; fewer bytes only at the end of the object.
    #[sabi(last_prefix_field)]
    fn read_at(&self, offset: u64, buffer: RSliceMut<'_, u8>) -> AbiResult<usize>;
}

/// An object reader as it crosses the boundary.
pub type ObjectReaderBox = ObjectReader_TO<RBox<()>>;
