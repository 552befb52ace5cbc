//! Needs a function that no library has.
#![allow(unsafe_code, reason = "declares a function that does not exist")]
use dbbackup_sdk::{abi_stable::library::RootModuleResult, export};

const NOTE: &str = dbbackup_rogue::note!("linked-to-nothing");

dbbackup_rogue::raw_plugin! { note: NOTE, constructor: constructor }

unsafe extern "C" {
    fn a_function_that_no_library_has() -> i32;
}

extern "C" fn constructor() -> RootModuleResult {
    // SAFETY: never reached, the linker refuses the library.
    unsafe { a_function_that_no_library_has() };
    export::load_root(|| unreachable!("the library cannot be loaded"))
}
