//! Frames of a hostile donor: whatever they hold, taking them apart returns.
//!
//! `cargo +nightly fuzz run frames` in `plugins/clone`. The corpus is replayed by the tests of the
//! engine, so that a finding stays found.
#![no_main]

libfuzzer_sys::fuzz_target!(|frame: &[u8]| dbbackup_clone::inspect_frame(frame));
