//! Aborts in its root constructor.
#![allow(unsafe_code, reason = "a root that the sdk would not let us export")]
use dbbackup_sdk::{
    abi_stable::{
        library::RootModuleResult,
        std_types::{RResult, RStr},
    },
    export::{self, Doc, EngineBox},
    plugin_api::{
        error::{AbiResult, EngineError, ErrorCode},
        host::HostBox,
        root::{PluginRoot, PluginRoot_Ref},
    },
};

const NOTE: &str = dbbackup_rogue::note!("constructor-aborts");

dbbackup_rogue::raw_plugin! { note: NOTE, constructor: constructor }

extern "C" fn constructor() -> RootModuleResult {
    std::process::abort()
}

#[allow(dead_code, reason = "the constructor never gets to it")]
fn root() -> PluginRoot_Ref {
    use dbbackup_sdk::abi_stable::prefix_type::PrefixTypeTrait;
    PluginRoot { manifest, init, create_engine, capability: export::capability }.leak_into_prefix()
}

extern "C" fn manifest() -> RStr<'static> {
    RStr::from_str(NOTE)
}

extern "C" fn init(_host: HostBox) -> AbiResult<()> {
    RResult::ROk(())
}

extern "C" fn create_engine(_id: RStr<'_>, _config: Doc, _host: HostBox) -> AbiResult<EngineBox> {
    RResult::RErr(EngineError::new(ErrorCode::INTERNAL, "never to be asked"))
}
