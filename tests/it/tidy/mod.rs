//! The code itself: sizes, headers, names, and the direction of dependencies. What an exception list
//! names must still need it, so that the lists can only shrink.
mod arrows;
mod sources;

use std::path::{Path, PathBuf};

/// Root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_owned()
}
