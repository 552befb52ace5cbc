//! What a plugin says of itself, readable from its file without running it.
use super::{Extra, document};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

/// The JSON of the ELF note, made by `export_plugin!` from the crate's `plugin.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginNote {
    /// `dbbackup.plugin/1`.
    pub schema: String,
    /// Version of plugin-api that the plugin was built with.
    pub api: Version,
    /// Version of the plugin: that of its crate.
    pub version: Version,
    /// The content of `plugin.json`.
    pub plugin: PluginManifest,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(PluginNote, "dbbackup.plugin/1");

/// `plugin.json`: written by the plugin's author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginManifest {
    /// Id of the plugin: lower case letters, digits and `-`, at most 64.
    pub id: String,
    /// Who ships it.
    pub vendor: String,
    /// One line.
    pub summary: String,
    /// Host API versions that it works with, such as `>=1.0, <2`.
    pub requires: VersionReq,
    /// Licence expression.
    #[serde(default)]
    pub license: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// The engines inside.
    pub engines: Vec<EngineManifest>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One engine of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineManifest {
    /// Id of the engine, as typed after `--engine`.
    pub id: String,
    /// Family that it belongs to; its own id if alone.
    pub family: String,
    /// One line for `engine list`.
    pub summary: String,
    /// Role ids that it plays.
    pub roles: Vec<String>,
    /// Locations that a target role serves (`s3`), without `://`.
    #[serde(default)]
    pub schemes: Vec<String>,
    /// Beginnings of environment variables that a target role needs, such as `AWS_`: a worker that opens
    /// such a target keeps them, every other one is started without the credentials of clouds.
    #[serde(default)]
    pub environment: Vec<String>,
    /// Name in its family, for `--snapshot-backend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Server versions, in words: `MySQL 8.0.17+`.
    #[serde(default)]
    pub servers: String,
    /// Privileges that its account needs.
    #[serde(default)]
    pub privileges: Vec<String>,
    /// JSON Schema of its options.
    #[serde(default = "empty_schema")]
    pub options_schema: serde_json::Value,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}

fn empty_schema() -> serde_json::Value {
    serde_json::json!({"type": "object", "properties": {}, "additionalProperties": false})
}

/// Options of an engine, checked against its schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineConfig {
    /// The options.
    pub options: serde_json::Value,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(EngineConfig, "dbbackup.engine-config/1");
