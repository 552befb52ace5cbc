//! An abi_stable library whose root has the right name and another layout.
#![allow(unsafe_code, reason = "a root that the sdk would not let us export")]
#![allow(
    non_local_definitions,
    non_camel_case_types,
    reason = "abi_stable's macros expand to both"
)]
use dbbackup_sdk::abi_stable::{
    StableAbi, declare_root_module_statics,
    library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult},
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::RString,
};
use dbbackup_sdk::{abi_stable, export};

const NOTE: &str = dbbackup_rogue::note!("foreign-root");
const LENGTH: usize = export::note_json_len(&[NOTE]);

#[used]
#[unsafe(link_section = ".note.dbbackup")]
static NOTE_IN_FILE: export::Note<LENGTH> = export::Note::new(export::concat(&[NOTE]));

/// A root with one function of another type.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = ForeignRoot_Ref)))]
#[sabi(missing_field(panic))]
pub struct ForeignRoot {
    /// Not a manifest.
    #[sabi(last_prefix_field)]
    pub manifest: extern "C" fn(u64) -> RString,
}

impl RootModule for ForeignRoot_Ref {
    declare_root_module_statics! {ForeignRoot_Ref}
    const BASE_NAME: &'static str = "dbbackup_engine";
    const NAME: &'static str = "dbbackup engine plugin";
    // What plugin-api 1.0.0 would say, so that the layout alone gives it away.
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

extern "C" fn manifest(_: u64) -> RString {
    RString::new()
}

fn root() -> ForeignRoot_Ref {
    ForeignRoot { manifest }.leak_into_prefix()
}

extern "C" fn constructor() -> RootModuleResult {
    abi_stable::library::__call_root_module_loader(root)
}

// SAFETY: the constructor answers a module of this type.
#[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
static HEADER: LibHeader =
    unsafe { LibHeader::from_constructor::<ForeignRoot_Ref>(constructor, CheckTypeLayout::Yes) };
