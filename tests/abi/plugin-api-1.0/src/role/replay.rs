//! Role `dbbackup.role.replay/1`: applies archived binlogs up to a recovery target.
use crate::{
    capability::Capability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
    sink::ReaderBox,
};
use abi_stable::StableAbi;

/// Id of this role.
pub const REPLAY_ROLE: &str = "dbbackup.role.replay/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ReplayRole_Ref)))]
#[sabi(missing_field(option))]
pub struct ReplayRole {
    /// [`ReplayRequest`](crate::document::stream::ReplayRequest) in; reads segments as entries;
    /// answers a [`ReplaySummary`](crate::document::stream::ReplaySummary). `[run]`
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(&EngineBox, Doc, ReaderBox, HostBox) -> AbiResult<Doc>,
}

impl Capability for ReplayRole_Ref {
    const ID: &'static str = REPLAY_ROLE;
}
