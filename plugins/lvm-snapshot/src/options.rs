//! Options of the engine, checked against the schema in `plugin.json` by the host.

/// Options, all of them optional.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Options {
    /// The volume group that must hold the server's files.
    pub(crate) volume_group: Option<String>,
    /// Size of a thick volume's snapshot.
    pub(crate) snapshot_bytes: Option<u64>,
}
