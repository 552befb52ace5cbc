//! The frozen root module: the one symbol that a plugin exports. It never changes within major 1.
use crate::{
    capability::RawCapability, document::Doc, engine::EngineBox, error::AbiResult, host::HostBox,
};
use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{ROption, RStr},
};

/// Root of a plugin: four functions, for ever.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot_Ref)))]
#[sabi(missing_field(panic))]
pub struct PluginRoot {
    /// The JSON of the ELF note, as the running code sees it. `[any thread]`
    pub manifest: extern "C" fn() -> RStr<'static>,
    /// Called once before anything else: installs logging and the panic hook. `[run]`
    pub init: extern "C" fn(HostBox) -> AbiResult<()>,
    /// Makes an engine by its id with its checked
    /// [`EngineConfig`](crate::document::plugin::EngineConfig). `[any thread]`
    pub create_engine: extern "C" fn(RStr<'_>, Doc, HostBox) -> AbiResult<EngineBox>,
    /// A capability of the plugin as a whole, or none. `[any thread]`
    #[sabi(last_prefix_field)]
    pub capability: extern "C" fn(RStr<'_>) -> ROption<RawCapability>,
}

impl RootModule for PluginRoot_Ref {
    declare_root_module_statics! {PluginRoot_Ref}
    const BASE_NAME: &'static str = "dbbackup_engine";
    const NAME: &'static str = "dbbackup engine plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
