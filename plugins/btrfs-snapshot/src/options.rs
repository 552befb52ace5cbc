//! Options of the engine, checked against the schema in `plugin.json` by the host.

use std::path::PathBuf;

/// Options, all of them optional.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Options {
    /// The subvolume that must hold all files of the server.
    pub(crate) subvolume: Option<PathBuf>,
    /// Where the snapshot is put.
    pub(crate) snapshot_directory: Option<PathBuf>,
}
