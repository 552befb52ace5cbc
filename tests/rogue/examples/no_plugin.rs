//! A shared library that is no plugin.
#![allow(unsafe_code, reason = "exports a function by name")]

/// The answer.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> u32 {
    42
}
