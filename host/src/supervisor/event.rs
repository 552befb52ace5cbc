//! What a run tells whoever watches it: the command line's renderer or a caller of the library.
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Receives the events of a run, in their order, on the thread that drives the run.
pub trait Observer {
    /// Called for each event; must not block for long.
    fn event(&self, event: &RunEvent);
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &RunEvent) {}
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// A step of the run starts.
    Step {
        /// What it does, a clause.
        what: String,
    },
    /// A log event of the plugin or of the worker.
    Log(LogEvent),
    /// Progress of a phase, in the engine's own unit.
    Progress(ProgressEvent),
    /// What went through the pipeline so far.
    Flow(FlowEvent),
    /// The target takes no bytes at the moment.
    TargetStalled {
        /// For how long.
        #[serde(with = "milliseconds")]
        since: Duration,
    },
}

/// A log event that crossed from the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogEvent {
    /// Severity.
    pub level: LogLevel,
    /// Module or plugin that speaks.
    pub target: String,
    /// The message.
    pub message: String,
    /// Structured fields.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Severity of a log event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// The run failed; a human acts.
    Error,
    /// It went on with a weaker promise.
    Warn,
    /// One line a step.
    Info,
    /// For finding faults.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// From the number of the plugin contract: 1 error … 5 trace; others are taken as trace.
    pub fn from_number(level: u8) -> Self {
        match level {
            0 | 1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            _ => Self::Trace,
        }
    }
}

/// Progress of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressEvent {
    /// Phase, in the engine's words.
    pub phase: String,
    /// Units done.
    pub done: u64,
    /// Units in all; 0 if unknown.
    pub total: u64,
    /// `bytes`, `rows` or `pages`.
    pub unit: String,
}

/// Bytes that went through the pipeline since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowEvent {
    /// Bytes taken from the engine, or read for a restore.
    pub bytes_in: u64,
    /// Bytes given to the target.
    pub bytes_out: u64,
    /// For how long the pipeline has been waiting for the target, milliseconds; absent if it flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_blocked_ms: Option<u64>,
    /// Writes and syncs that the target has ended; its last syncs take no bytes.
    #[serde(default)]
    pub target_steps: u64,
    /// True while the engine is inside a call of ours, so that its silence is our doing.
    #[serde(default)]
    pub engine_waits_for_us: bool,
}

mod milliseconds {
    //! Durations as whole milliseconds.
    use serde::Serializer;
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}
