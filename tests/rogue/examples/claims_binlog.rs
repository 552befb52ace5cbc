//! A third party that claims the id of a first-party engine.
#![allow(unsafe_code, reason = "a root that the sdk would not let us export")]
use dbbackup_sdk::{abi_stable::library::RootModuleResult, export};

const NOTE: &str = dbbackup_rogue::note!("binlog");

dbbackup_rogue::raw_plugin! { note: NOTE, constructor: constructor }

extern "C" fn constructor() -> RootModuleResult {
    export::load_root(|| unreachable!("never to be loaded"))
}
