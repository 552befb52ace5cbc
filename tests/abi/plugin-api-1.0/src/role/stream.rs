//! Role `dbbackup.role.stream/1`: follows the binary log and hands over byte-identical pieces.
use crate::{
    capability::Capability, chunk::Chunk, document::Doc, engine::EngineBox, error::AbiResult,
    host::HostBox,
};
use abi_stable::{StableAbi, sabi_trait, std_types::RBox};

/// Id of this role.
pub const STREAM_ROLE: &str = "dbbackup.role.stream/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = StreamRole_Ref)))]
#[sabi(missing_field(option))]
pub struct StreamRole {
    /// [`StreamRequest`](crate::document::stream::StreamRequest) in; runs until cancelled; answers a
    /// [`StreamSummary`](crate::document::stream::StreamSummary). `[run]`
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(&EngineBox, Doc, StreamSinkBox, HostBox) -> AbiResult<Doc>,
}

impl Capability for StreamRole_Ref {
    const ID: &'static str = STREAM_ROLE;
}

/// Takes pieces of binlogs in their order. `[one thread]`
#[sabi_trait]
pub trait StreamSink: Send + 'static {
    /// Where the archive of this server ends: a
    /// [`StreamPosition`](crate::document::stream::StreamPosition), the place to go on from.
    fn resume_position(&self) -> AbiResult<Doc>;
    /// Starts a binlog file, or continues one at the position in the document.
    fn open_file(&mut self, position: Doc) -> AbiResult<()>;
    /// Appends bytes of the open file.
    fn write(&mut self, chunk: Chunk) -> AbiResult<()>;
    /// Makes everything so far durable and answers the position up to which it is; a semi-sync
    /// acknowledgement may follow it.
    fn sync(&mut self, position: Doc) -> AbiResult<Doc>;
    /// Ends the open file: the server has rotated.
    #[sabi(last_prefix_field)]
    fn close_file(&mut self) -> AbiResult<()>;
}

/// A stream sink as it crosses the boundary.
pub type StreamSinkBox = StreamSink_TO<RBox<()>>;
