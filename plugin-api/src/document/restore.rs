//! A restore: what the host asks the engine for.
use super::{Extra, connection::ConnectionDocument, document, manifest::Manifest};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What is to be restored, and where to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreRequest {
    /// The backup.
    pub manifest: Manifest,
    /// Server to restore into, for stream entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionDocument>,
    /// Directory that the host extracts files into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Where the host extracts the files of each root to; what is not named lies in `directory`
    /// under its own name. For a check, where they will be in the end.
    #[serde(default)]
    pub places: BTreeMap<String, PathBuf>,
    /// The server that is to run on the directory, if the operator names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<TargetServer>,
    /// Patterns of what is wanted (`shop/*`); empty for everything.
    #[serde(default)]
    pub only: Vec<String>,
    /// Schemas or paths that get another name.
    #[serde(default)]
    pub map: Vec<Mapping>,
    /// Existing content may be replaced.
    pub force: bool,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(RestoreRequest, "dbbackup.restore-request/1");

/// A server that is to run on restored files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetServer {
    /// The program.
    pub program: PathBuf,
    /// What it says of itself: `9.7.4 for Linux on x86_64 …`.
    pub version: String,
    /// Variables as its configuration sets them, such as `innodb_page_size`, by name.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// `--map OLD=NEW`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Name in the backup.
    pub old: String,
    /// Name after the restore.
    pub new: String,
}

/// What a restore would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RestorePlan {
    /// Steps in words, in order.
    pub steps: Vec<String>,
    /// What the operator should know beforehand.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(RestorePlan, "dbbackup.restore-plan/1");

/// What a restore did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RestoreSummary {
    /// Statements executed, if the engine counts them.
    #[serde(default)]
    pub statements: u64,
    /// Bytes applied.
    #[serde(default)]
    pub bytes: u64,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(RestoreSummary, "dbbackup.restore-summary/1");
