//! Role `dbbackup.role.restore/1`: brings back what is not a plain file.
use crate::{
    capability::Capability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
    sink::ReaderBox,
};
use abi_stable::StableAbi;

/// Id of this role.
pub const RESTORE_ROLE: &str = "dbbackup.role.restore/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RestoreRole_Ref)))]
#[sabi(missing_field(option))]
pub struct RestoreRole {
    /// [`RestoreRequest`](crate::document::restore::RestoreRequest) in,
    /// [`RestorePlan`](crate::document::restore::RestorePlan) out: checks everything that can be
    /// checked before a byte is written. Read-only. `[any thread]`
    pub check: extern "C" fn(&EngineBox, Doc, HostBox) -> AbiResult<Doc>,
    /// Applies the stream entries in their order; answers a
    /// [`RestoreSummary`](crate::document::restore::RestoreSummary). `[run]`
    pub run: extern "C" fn(&EngineBox, Doc, ReaderBox, HostBox) -> AbiResult<Doc>,
    /// Called after the host extracted the file entries into
    /// [`RestoreRequest::directory`](crate::document::restore::RestoreRequest). `[run]`
    #[sabi(last_prefix_field)]
    pub finish: extern "C" fn(&EngineBox, Doc, HostBox) -> AbiResult<Doc>,
}

impl Capability for RestoreRole_Ref {
    const ID: &'static str = RESTORE_ROLE;
}
