//! Role `dbbackup.role.doctor/1`: says what stands in the way and which statement would mend it.
use crate::{
    capability::Capability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
};
use abi_stable::StableAbi;

/// Id of this role.
pub const DOCTOR_ROLE: &str = "dbbackup.role.doctor/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = DoctorRole_Ref)))]
#[sabi(missing_field(option))]
pub struct DoctorRole {
    /// [`Environment`](crate::document::environment::Environment) in,
    /// [`DoctorFindings`](crate::document::doctor::DoctorFindings) out. Changes nothing.
    /// `[any thread]`
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(&EngineBox, Doc, HostBox) -> AbiResult<Doc>,
}

impl Capability for DoctorRole_Ref {
    const ID: &'static str = DOCTOR_ROLE;
}
