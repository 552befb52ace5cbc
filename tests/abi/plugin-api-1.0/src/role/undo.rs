//! Role `dbbackup.role.undo/1`: undoes a journalled side effect after a crash.
use crate::{
    capability::Capability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
};
use abi_stable::StableAbi;

/// Id of this role.
pub const UNDO_ROLE: &str = "dbbackup.role.undo/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = UndoRole_Ref)))]
#[sabi(missing_field(option))]
pub struct UndoRole {
    /// [`UndoRequest`](crate::document::undo::UndoRequest) in,
    /// [`UndoOutcome`](crate::document::undo::UndoOutcome) out. Idempotent: what is already gone is
    /// success; what this tool did not create is not touched. `[run]`
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(&EngineBox, Doc, HostBox) -> AbiResult<Doc>,
}

impl Capability for UndoRole_Ref {
    const ID: &'static str = UNDO_ROLE;
}
