//! Role `dbbackup.role.verify/1`: checks what only the engine understands in its own backups.
use crate::{
    capability::Capability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
    sink::ReaderBox,
};
use abi_stable::StableAbi;

/// Id of this role.
pub const VERIFY_ROLE: &str = "dbbackup.role.verify/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = VerifyRole_Ref)))]
#[sabi(missing_field(option))]
pub struct VerifyRole {
    /// [`VerifyRequest`](crate::document::verify::VerifyRequest) in; reads the entries; answers
    /// [`VerifyFindings`](crate::document::verify::VerifyFindings). `[run]`
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(&EngineBox, Doc, ReaderBox, HostBox) -> AbiResult<Doc>,
}

impl Capability for VerifyRole_Ref {
    const ID: &'static str = VERIFY_ROLE;
}
