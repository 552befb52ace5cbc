//! Panics in its root constructor.
#![allow(unsafe_code, reason = "a root that the sdk would not let us export")]
use dbbackup_sdk::{abi_stable::library::RootModuleResult, export};

const NOTE: &str = dbbackup_rogue::note!("constructor-panics");

dbbackup_rogue::raw_plugin! { note: NOTE, constructor: constructor }

extern "C" fn constructor() -> RootModuleResult {
    export::load_root(|| panic!("a rogue panic in the constructor"))
}
