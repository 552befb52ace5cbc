//! `export_plugin!`: turns engines into a plugin library. The one place of the sdk with `unsafe`,
//! and the one place that catches panics.
#![allow(unsafe_code, reason = "the root symbol and its note are exported from here")]

mod guard;
mod instance;
mod note;
mod roles;
mod targets;

pub use guard::guard;
pub use instance::{EngineEntry, RoleList, create, entry};
pub use note::{Note, concat, note_json_len};
pub use roles::*;

use crate::host::Host;
use abi_stable::{
    library::{__call_root_module_loader, LibHeader, RootModuleResult},
    prefix_type::PrefixTypeTrait,
    std_types::{ROption, RStr},
};
use dbbackup_plugin_api::{
    capability::RawCapability,
    error::AbiResult,
    host::HostBox,
    root::{PluginRoot, PluginRoot_Ref},
};

pub use abi_stable::library::{CheckTypeLayout, LibHeader as RawLibHeader};
pub use dbbackup_plugin_api::{API_VERSION, document::Doc, engine::EngineBox};
pub use serde_json;

/// `init` of every plugin: logging and the panic hook first.
pub extern "C" fn init(host: HostBox) -> AbiResult<()> {
    guard(|| {
        crate::log::install(&Host::new(host));
        Ok(())
    })
}

/// `capability` of every plugin: none of its own yet, roles hang on engines.
pub extern "C" fn capability(_id: RStr<'_>) -> ROption<RawCapability> {
    ROption::RNone
}

/// Builds the root module out of the two functions that differ from plugin to plugin.
pub fn root(
    manifest: extern "C" fn() -> RStr<'static>,
    create_engine: extern "C" fn(RStr<'_>, Doc, HostBox) -> AbiResult<EngineBox>,
) -> PluginRoot_Ref {
    PluginRoot { manifest, init, create_engine, capability }.leak_into_prefix()
}

/// Runs the root constructor as abi_stable's loader expects it; a panic in it becomes an error.
pub fn load_root(root: fn() -> PluginRoot_Ref) -> RootModuleResult {
    __call_root_module_loader(root)
}

/// The header that abi_stable's loader looks for.
///
/// # Safety
/// `constructor` answers a root module of type [`PluginRoot_Ref`], as [`load_root`] does.
pub const unsafe fn header(constructor: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: the caller promises the type of the module.
    unsafe { LibHeader::from_constructor::<PluginRoot_Ref>(constructor, CheckTypeLayout::Yes) }
}

/// Exports engines as a plugin. Once per library, in its root.
///
/// ```ignore
/// export_plugin! {
///     manifest: "plugin.json",
///     engines: { "acme-snap" => AcmeSnap: [backup, undo] },
/// }
/// ```
///
/// `manifest` is a path below the crate's directory; its content goes, with the crate's version and
/// the version of the contract, into the library's ELF note, which the host reads before it loads
/// anything. Each role named needs its trait: `backup` is [`BackupEngine`](crate::BackupEngine).
#[macro_export]
macro_rules! export_plugin {
    (
        manifest: $manifest:literal,
        engines: { $($id:literal => $engine:ty: [$($role:ident),+ $(,)?]),+ $(,)? } $(,)?
    ) => {
        #[cfg(panic = "abort")]
        compile_error!(
            "build plugins with panic = \"unwind\": the boundary turns panics into errors"
        );

        #[allow(unsafe_code, reason = "the symbols that the host looks for")]
        const _: () = {
            use $crate::export;

            const PARTS: [&str; 7] = [
                r#"{"schema":"dbbackup.plugin/1","api":""#,
                export::API_VERSION,
                r#"","version":""#,
                env!("CARGO_PKG_VERSION"),
                r#"","plugin":"#,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $manifest)),
                "}",
            ];
            const LENGTH: usize = export::note_json_len(&PARTS);

            #[used]
            #[unsafe(link_section = ".note.dbbackup")]
            static NOTE: export::Note<LENGTH> = export::Note::new(export::concat(&PARTS));

            extern "C" fn manifest() -> $crate::abi_stable::std_types::RStr<'static> {
                NOTE.json().into()
            }

            extern "C" fn create_engine(
                id: $crate::abi_stable::std_types::RStr<'_>,
                config: export::Doc,
                host: $crate::plugin_api::host::HostBox,
            ) -> $crate::plugin_api::error::AbiResult<export::EngineBox> {
                const ENGINES: &[export::EngineEntry] = &[$(export::entry::<$engine>($id)),+];
                export::create(ENGINES, id, config, host)
            }

            $(impl export::RoleList for $engine {
                fn role(id: &str) -> Option<$crate::plugin_api::capability::RawCapability> {
                    [$(export::$role::<$engine>()),+].into_iter().find(|role| role.id() == id)
                }
            })+

            fn root() -> $crate::plugin_api::root::PluginRoot_Ref {
                export::root(manifest, create_engine)
            }

            extern "C" fn constructor() -> $crate::abi_stable::library::RootModuleResult {
                export::load_root(root)
            }

            // SAFETY: the constructor answers the root module.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static HEADER: export::RawLibHeader = unsafe { export::header(constructor) };
        };
    };
}

#[cfg(test)]
mod tests;
