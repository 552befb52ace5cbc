//! The job document: all that a worker needs to know, sent over its socket and nowhere else.
use super::{event::LogLevel, secrets::Secrets};
use crate::{
    exit::Classified,
    plugin::TrustPolicy,
    remote::{Place, TargetPlace},
};
use dbbackup_plugin_api::document::{
    assessment::Assessment,
    backup::{BackupRequest, BackupSummary},
    doctor::DoctorFindings,
    environment::Environment,
    manifest::{EncodingRecord, EngineRecord, FileRecord, ObjectRecord, PagesRecord, SourceRecord},
    plugin::PluginNote,
    restore::{RestorePlan, RestoreRequest, RestoreSummary},
    undo::{UndoOutcome, UndoRecord},
    verify::{VerifyFindings, VerifyRequest},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// One piece of work for one worker process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Id of the run, for logs and scratch names.
    pub run_id: String,
    /// Log events of plugins below this severity are not sent.
    pub log_level: LogLevel,
    /// Parent of the run's scratch directory.
    pub scratch_parent: PathBuf,
    /// What makes a plugin trusted.
    pub trust: TrustPolicy,
    /// Third parties may claim first-party ids.
    pub allow_shadowing: bool,
    /// What plugins may ask for by name.
    pub secrets: Secrets,
    /// The work.
    pub task: Task,
}

/// An engine in a plugin's file, pinned by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnginePin {
    /// Plugin id.
    pub plugin: String,
    /// Engine id.
    pub engine: String,
    /// The plugin's file.
    pub path: PathBuf,
    /// sha256 that the file must have, hexadecimal; empty if it is not pinned.
    pub sha256: String,
    /// Beginnings of the environment variables that its target role needs.
    #[serde(default)]
    pub environment: Vec<String>,
}

/// What a worker does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Ask engines about an environment, each within its time limit.
    Assess(AssessTask),
    /// Run a backup.
    Backup(Box<BackupTask>),
    /// Ask whether a restore could work, and how.
    RestoreCheck(Box<RestoreTask>),
    /// Check, then apply the stream entries.
    RestoreRun(Box<RestoreTask>),
    /// Finish a directory that the host has extracted.
    RestoreFinish(Box<RestoreTask>),
    /// Verify what only the engine understands.
    Verify(Box<VerifyTask>),
    /// Ask engines what stands in their way.
    Doctor(AssessTask),
    /// Undo a journalled side effect.
    Undo(Box<UndoTask>),
    /// Serve a target to the supervisor, over the worker's standard output.
    Target(Box<TargetTask>),
    /// Load a plugin and create its engines, as `engine add` does.
    Probe {
        /// The plugin; the engine's name is not looked at.
        plugin: EnginePin,
    },
}

impl Task {
    /// The name of the work, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Assess(_) => "assess",
            Self::Backup(_) => "backup",
            Self::RestoreCheck(_) => "restore check",
            Self::RestoreRun(_) => "restore",
            Self::RestoreFinish(_) => "restore finish",
            Self::Verify(_) => "verify",
            Self::Doctor(_) => "doctor",
            Self::Undo(_) => "undo",
            Self::Target(_) => "target",
            Self::Probe { .. } => "probe",
        }
    }

    /// The plugin that a crash is blamed on, where the job concerns one alone.
    pub fn engine(&self) -> Option<&EnginePin> {
        match self {
            Self::Backup(task) => Some(&task.engine),
            Self::RestoreCheck(task) | Self::RestoreRun(task) | Self::RestoreFinish(task) => {
                Some(&task.engine)
            }
            Self::Verify(task) => Some(&task.engine),
            Self::Undo(task) => Some(&task.engine),
            Self::Target(task) => Some(&task.place.engine),
            Self::Probe { plugin } => Some(plugin),
            Self::Assess(task) | Self::Doctor(task) => match task.engines.as_slice() {
                [only] => Some(&only.engine),
                _ => None,
            },
        }
    }

    /// Beginnings of environment variables that the worker keeps: those of the targets that it opens.
    pub(crate) fn environment(&self) -> &[String] {
        let engine = match self {
            Self::Undo(task) => Some(&task.engine),
            Self::Target(task) => Some(&task.place.engine),
            Self::Backup(task) => match &task.output {
                WorkerOutput::Target(output) => Some(&output.place.engine),
                WorkerOutput::Stdout | WorkerOutput::File | WorkerOutput::Directory { .. } => None,
            },
            Self::RestoreCheck(task) | Self::RestoreRun(task) | Self::RestoreFinish(task) => {
                task.artefact.place.engine()
            }
            Self::Verify(task) => task.artefact.place.engine(),
            Self::Assess(_) | Self::Doctor(_) | Self::Probe { .. } => None,
        };
        engine.map(|engine| engine.environment.as_slice()).unwrap_or_default()
    }
}

/// Engines to be asked, and the facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssessTask {
    /// The engines with their options.
    pub engines: Vec<AssessedEngine>,
    /// What is known of source, storage and destination.
    pub environment: Environment,
}

/// One engine to be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssessedEngine {
    /// The engine.
    pub engine: EnginePin,
    /// Its options.
    pub options: serde_json::Value,
}

/// A backup run, as the worker sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupTask {
    /// The engine.
    pub engine: EnginePin,
    /// Its options, checked against its schema.
    pub options: serde_json::Value,
    /// What the engine is asked for.
    pub request: BackupRequest,
    /// Where the bytes go.
    pub output: WorkerOutput,
    /// Ending of the artefact's name, which says container, compression and encryption.
    pub encoding: String,
    /// How the bytes are made.
    pub pipeline: PipelineSettings,
    /// What the manifest inside the artefact says before the engine has reported.
    pub draft: ManifestDraft,
}

/// Where a worker writes the artefact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkerOutput {
    /// Its standard output, which the supervisor has opened for it.
    Stdout,
    /// Standard output too, and that is an empty file which nobody else writes to.
    File,
    /// A directory that the supervisor has made.
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// An object of a target.
    Target(Box<TargetOutput>),
}

/// An object that a worker writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetOutput {
    /// Where to, under which name; an archive that is too large for one object continues in further
    /// ones.
    pub place: TargetPlace,
    /// The manifest's name, which the supervisor puts last.
    pub manifest_name: String,
    /// Nothing of that name may be there.
    pub if_absent: bool,
    /// Bytes that are expected, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_bytes: Option<u64>,
}

/// A target that a worker serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetTask {
    /// The place.
    pub place: TargetPlace,
}

/// How the pipeline makes bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineSettings {
    /// Threads that compress; as many as processors if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Bytes a second that the target gets at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_rate: Option<u64>,
    /// Public keys to encrypt to.
    #[serde(default)]
    pub recipients: Vec<String>,
}

/// What is known of a backup before its engine runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestDraft {
    /// Id of the backup.
    pub id: String,
    /// The engine and its choice.
    pub engine: EngineRecord,
    /// The server.
    pub source: SourceRecord,
    /// Original path of each root.
    pub roots: BTreeMap<String, String>,
    /// How the bytes are written.
    pub encoding: EncodingRecord,
    /// Start of the run, RFC 3339.
    pub started: String,
}

/// A restore, as the worker sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreTask {
    /// The engine.
    pub engine: EnginePin,
    /// Its options, checked against its schema.
    pub options: serde_json::Value,
    /// What the engine is asked for.
    pub request: RestoreRequest,
    /// Where the artefact is.
    pub artefact: ArtefactInput,
}

/// A verification by an engine, as the worker sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyTask {
    /// The engine.
    pub engine: EnginePin,
    /// Its options, checked against its schema.
    pub options: serde_json::Value,
    /// What the engine is asked for.
    pub request: VerifyRequest,
    /// Where the artefact is.
    pub artefact: ArtefactInput,
}

/// An artefact to read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtefactInput {
    /// The file, the directory, or the place at a target.
    pub place: Place,
    /// Ending of its name when it was written.
    pub encoding: String,
    /// Files with the identities that open it, if it is encrypted.
    #[serde(default)]
    pub identities: Vec<PathBuf>,
}

/// A record to be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoTask {
    /// The engine that wrote it.
    pub engine: EnginePin,
    /// Its options, checked against its schema.
    pub options: serde_json::Value,
    /// The record.
    pub record: UndoRecord,
    /// True if nothing may be changed.
    pub dry_run: bool,
}

/// What a worker says when its work is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "receipt", rename_all = "snake_case")]
pub enum Receipt {
    /// One answer for each engine asked, in their order.
    Assess {
        /// The answers.
        answers: Vec<EngineAnswer<Assessment>>,
    },
    /// The artefact is written; its files came before, in pieces.
    Backup(Box<BackupReceipt>),
    /// A restore would work like this.
    RestorePlan(RestorePlan),
    /// The restore is done.
    Restore(RestoreSummary),
    /// What the engine found in its members.
    Verify(VerifyFindings),
    /// One answer for each engine asked, in their order.
    Doctor {
        /// The answers.
        answers: Vec<EngineAnswer<DoctorFindings>>,
    },
    /// What became of the record.
    Undo(UndoOutcome),
    /// The supervisor had no more requests.
    Target,
    /// The plugin loads; this is what it says of itself.
    Probe(Box<PluginNote>),
}

/// Answer of one engine of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EngineAnswer<T> {
    /// Engine id.
    pub engine: String,
    /// The answer, or why there is none.
    pub answer: Result<T, ErrorReport>,
}

/// A written artefact that nobody has committed yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupReceipt {
    /// What the engine reported.
    pub summary: BackupSummary,
    /// The objects; the names of files are filled in by the supervisor.
    pub objects: Vec<ObjectRecord>,
    /// What the target did not do although it was asked, a clause each.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// Names at the target that say that the run is at work: deleted after the manifest is there.
    #[serde(default)]
    pub markers: Vec<String>,
    /// Members of the artefact. Sent apart, in pieces, and put together by the supervisor.
    #[serde(default)]
    pub files: Vec<FileRecord>,
    /// Sums of the page check.
    pub pages: PagesRecord,
    /// Bytes of content taken from the engine.
    pub bytes_in: u64,
    /// Bytes given to the target.
    pub bytes_out: u64,
}

/// An error as a worker reports it: that of a plugin, or of the host's own code in the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Stable code for machines.
    pub code: String,
    /// Exit code that the command ends with.
    pub exit: u8,
    /// What was being done, to what.
    pub message: String,
    /// Causes, outermost first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What the operator can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// True if the same call may succeed later.
    #[serde(default)]
    pub retryable: bool,
}

impl ErrorReport {
    /// The report of an error, with its causes, each said once.
    pub(crate) fn of(error: &dyn Classified) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self {
            code: error.code(),
            exit: error.exit().code(),
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
            hint: error.hint(),
            retryable: false,
        }
    }
}
