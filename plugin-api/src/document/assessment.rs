//! An engine's answer to an environment: can it, what stands in the way, what would it cost.
use super::{Extra, document};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Time that an engine has for its answer, to which the conformance kit holds it. On a machine that is
/// busy with other things the host waits [`ASSESS_PATIENCE`] before it goes on without the engine.
pub const ASSESS_LIMIT: Duration = Duration::from_secs(5);

/// Longest wait of the host for an answer, the loading of the library included: a multiple of
/// [`ASSESS_LIMIT`], because a backup must not fail for want of patience where a library is hashed
/// and a volume manager waits for its locks.
pub const ASSESS_PATIENCE: Duration = ASSESS_LIMIT.saturating_mul(4);

/// What an engine says of an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// True if a backup could start now.
    pub applicable: bool,
    /// What stands in the way; empty if applicable.
    #[serde(default)]
    pub blockers: Vec<Blocker>,
    /// What could be better without standing in the way.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// One clause that speaks for the engine here: "MySQL 8.0.17+ with clone plugin active".
    #[serde(default)]
    pub reason: String,
    /// What a backup would cost.
    #[serde(default)]
    pub estimate: Estimate,
    /// What kind of backup it would be.
    #[serde(default)]
    pub consistency: Consistency,
    /// The engine's own idea of its fitness, 0 to 100; breaks ties only.
    #[serde(default)]
    pub score: u8,
    /// Facts of the engine's own, `<engine>.<name>`, shown by `engine select`.
    #[serde(default)]
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Fields of later versions.
    #[serde(flatten)]
    pub extra: Extra,
}
document!(Assessment, "dbbackup.assessment/1");

/// One thing in the way, and what removes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// What is missing or wrong, a clause.
    pub what: String,
    /// What the operator can do about it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
}

/// What removes a blocker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "text", rename_all = "snake_case")]
pub enum Remedy {
    /// A statement for the server.
    Sql(String),
    /// A command for a shell.
    Command(String),
    /// An option of ours.
    Option(String),
    /// Something that neither statement nor command does.
    Advice(String),
}

impl Remedy {
    /// The statement, command or advice itself.
    pub fn text(&self) -> &str {
        match self {
            Self::Sql(text) | Self::Command(text) | Self::Option(text) | Self::Advice(text) => text,
        }
    }
}

/// What a backup would cost; absent means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Bytes read from the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Time to read them, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Longest time that commits may wait, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_lock_ms: Option<u64>,
    /// Extra disk on the database host, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_disk_bytes: Option<u64>,
}

/// What kind of backup an engine makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// The server's files.
    Physical,
    /// Statements that make the same content.
    #[default]
    Logical,
}
