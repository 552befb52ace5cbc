//! Role `dbbackup.role.backup/1`: obtains consistent data and emits it as entries.
use crate::{
    capability::Capability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
    sink::SinkBox,
};
use abi_stable::StableAbi;

/// Id of this role.
pub const BACKUP_ROLE: &str = "dbbackup.role.backup/1";

/// Functions of the role; later versions add fields at the end only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = BackupRole_Ref)))]
#[sabi(missing_field(option))]
pub struct BackupRole {
    /// [`BackupRequest`](crate::document::backup::BackupRequest) in,
    /// [`BackupSummary`](crate::document::backup::BackupSummary) out; all entries are finished when
    /// it returns well. On an error the sink is abandoned, and no lock or snapshot is left. `[run]`
    #[sabi(last_prefix_field)]
    pub run: extern "C" fn(&EngineBox, Doc, SinkBox, HostBox) -> AbiResult<Doc>,
}

impl Capability for BackupRole_Ref {
    const ID: &'static str = BACKUP_ROLE;
}
