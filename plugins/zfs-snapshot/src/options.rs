//! Options of the engine, checked against the schema in `plugin.json` by the host.

/// Options, all of them optional.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Options {
    /// The dataset that must hold the server's files, itself or in its children.
    pub(crate) dataset: Option<String>,
}
