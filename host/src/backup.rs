//! One backup run, from the claim of its target to the committed manifest.
//!
//! The worker writes bytes; this side alone makes a backup of them. Whatever ends a run early, its
//! target is as it was before, and the journal names what could not be undone.
use crate::{
    exit::{Classified, Exit, Failure},
    manifest,
    pipeline::{Compression, Encoding, EncodingError},
    plugin::{EngineRef, PluginError},
    remote::Place,
    replica_statement,
    supervisor::{
        ArtefactStream, CancelFlag, Observer, RunEvent, Runtime, Secrets, SupervisorError,
        host_record::HostRecord,
        job::{
            BackupReceipt, BackupTask, EnginePin, ManifestDraft, PipelineSettings, Receipt, Task,
            WorkerOutput,
        },
        journal::Journal,
        message::RecordOwner,
        runtime::new_run_id,
        undo::{Undo, never_cancelled},
    },
    target::{
        ClaimedFile, DirectoryOutput, Existing, FileOutput, OutputLocation, RemoteOutput,
        StdoutOutput, TargetError, check_free_space,
    },
};
use dbbackup_plugin_api::document::{
    backup::{BackupRequest, LockBudgetDocument},
    connection::ConnectionDocument,
    environment::Environment,
    manifest::{BackupState, EncodingRecord, EngineRecord, Manifest, SourceRecord},
};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// Divisors of an engine's estimate: with less free space than that, a backup cannot fit. Estimates
/// count pages and indexes of tables, of which statements are a fraction; a run that still fills the
/// disk is ended in good order.
const LEAST_PLAIN_PART: u64 = 2;
const LEAST_COMPRESSED_PART: u64 = 10;

mod commit;

use commit::{Artefact, tick_off};

/// What is to be backed up, by what, and where to.
#[derive(Clone, Debug)]
pub struct BackupJob {
    /// The engine, chosen already.
    pub engine: ChosenEngine,
    /// The server.
    pub connection: ConnectionDocument,
    /// Facts of server, storage and destination.
    pub environment: Environment,
    /// Limits of server locks.
    pub lock_budget: LockBudgetDocument,
    /// Weaker promises that the operator accepts by name.
    pub accept_degraded: Vec<String>,
    /// On a replica, how far its applier may be behind, milliseconds; any distance if not given.
    pub max_replica_lag_ms: Option<u64>,
    /// What the engine may ask for by name.
    pub secrets: Secrets,
    /// Where the artefact goes.
    pub output: OutputLocation,
    /// Where the manifest of a backup on standard output goes; without one, nothing says later
    /// whether the bytes are good.
    pub manifest_file: Option<PathBuf>,
    /// How the artefact is written; told by the name of the output if not given.
    pub encoding: Option<Encoding>,
    /// Threads, rate and keys.
    pub pipeline: PipelineSettings,
    /// What to do with a backup of the same name.
    pub existing: Existing,
    /// Content that the engine expects, bytes.
    pub estimate_bytes: Option<u64>,
}

/// An engine, and why it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenEngine {
    /// Plugin, engine and file.
    pub pin: EnginePin,
    /// Engine family.
    pub family: String,
    /// Version of the plugin.
    pub plugin_version: String,
    /// Why it was chosen.
    pub reason: String,
    /// Its options, checked against its schema.
    pub options: serde_json::Value,
}

impl ChosenEngine {
    /// An engine of the registry.
    ///
    /// # Errors
    /// [`PluginError`] if the plugin's file cannot be read.
    pub fn new(
        found: EngineRef<'_>,
        reason: impl Into<String>,
        options: serde_json::Value,
    ) -> Result<Self, PluginError> {
        let label = found.plugin.label();
        Ok(Self {
            pin: EnginePin::of(found)?,
            family: found.engine.family.clone(),
            plugin_version: label.map(|label| label.version.to_string()).unwrap_or_default(),
            reason: reason.into(),
            options,
        })
    }
}

/// A backup that is there.
#[derive(Clone, Debug)]
pub struct BackupOutcome {
    /// Its manifest.
    pub manifest: Manifest,
    /// The artefact; none on standard output.
    pub artefact: Option<Place>,
    /// Where the manifest is; none if it was not wanted.
    pub manifest_place: Option<Place>,
    /// Bytes of content.
    pub bytes_in: u64,
    /// Bytes of the artefact.
    pub bytes_out: u64,
}

impl BackupOutcome {
    /// [`Exit::Done`], or [`Exit::Degraded`] if a promise is weaker or no manifest was kept.
    pub fn exit(&self) -> Exit {
        match self.manifest.state {
            BackupState::Complete if self.manifest_place.is_some() => Exit::Done,
            _ => Exit::Degraded,
        }
    }
}

/// Where the bytes go, claimed for this run.
enum Output {
    Claimed(ClaimedFile),
    File(FileOutput),
    Directory(DirectoryOutput),
    Stdout(StdoutOutput),
    Remote(Box<RemoteOutput>),
}

/// Runs a backup to its end.
///
/// # Errors
/// Any [`Failure`]: there is no new backup, the target is as before, and what could not be undone is
/// in the journal, where the next run finds it.
pub fn run(
    job: BackupJob,
    runtime: &Runtime<'_>,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<BackupOutcome, Failure> {
    let started = Timestamp::now();
    let id = new_run_id(started);
    // The caller's span, if it has the field: every line of the run then names the backup.
    tracing::Span::current().record("backup_id", id.as_str());
    let encoding = encoding(&job)?;
    let undo_secrets = job.secrets.clone().with_connection(&job.connection);
    // What others have left is no reason to keep somebody waiting who wants to end this run.
    Undo { cancel, ..undo(runtime, &undo_secrets, observer) }.abandoned()?;
    let output = claim(&job, &id, runtime, cancel)?;
    check_space(&job, encoding)?;
    let mut journal = Journal::create(&runtime.state, &id)?;
    let draft = draft(&job, &id, encoding, started);
    let written =
        Run { job: &job, runtime, observer, cancel, encoding, draft }.write(output, &mut journal);
    let outcome =
        written.and_then(|written| written.commit(&mut journal, runtime, observer, cancel));
    // Committed is committed: what the journal cannot take any more does not make it a failure, and
    // undoing an output leaves what has its manifest.
    if outcome.is_ok()
        && let Err(error) = tick_off(&job.output, &mut journal)
    {
        let error = Failure::from(error).chain();
        tracing::warn!(error, "the undo journal still names the backup, which is committed");
    }
    // Engines have undone their own side effects on the way out, unless they were killed.
    undo(runtime, &undo_secrets, observer).records(&mut journal);
    if let Err(error) = journal.close() {
        let error = Failure::from(error).chain();
        tracing::warn!(error, "the undo journal stays, and the next run removes it");
    }
    outcome
}

fn undo<'a>(
    runtime: &'a Runtime<'a>,
    secrets: &'a Secrets,
    observer: &'a dyn Observer,
) -> Undo<'a> {
    Undo { runtime, secrets, observer, cancel: never_cancelled(), dry_run: false }
}

fn encoding(job: &BackupJob) -> Result<Encoding, EncodingError> {
    match job.encoding {
        Some(encoding) => Ok(encoding),
        None => Encoding::from_output_name(&job.output.to_string()),
    }
}

/// Locks the target; nothing is written yet.
fn claim(
    job: &BackupJob,
    id: &str,
    runtime: &Runtime<'_>,
    cancel: &CancelFlag,
) -> Result<Output, Failure> {
    Ok(match &job.output {
        OutputLocation::File(path) => {
            Output::Claimed(ClaimedFile::claim(&absolute(path)?, job.existing)?)
        }
        OutputLocation::Directory(path) => {
            Output::Directory(DirectoryOutput::claim(&absolute(path)?, job.existing)?)
        }
        OutputLocation::Stdout => {
            Output::Stdout(StdoutOutput::claim(job.manifest_file.clone(), job.existing)?)
        }
        OutputLocation::Target(place) => {
            Output::Remote(Box::new(RemoteOutput::claim(place, job.existing, id, runtime, cancel)?))
        }
    })
}

/// Journal records must mean the same in another working directory.
fn absolute(path: &Path) -> Result<PathBuf, TargetError> {
    std::path::absolute(path).map_err(|source| TargetError::io("find", path, source))
}

/// Refuses to start a backup that cannot fit.
fn check_space(job: &BackupJob, encoding: Encoding) -> Result<(), TargetError> {
    let (Some(path), Some(content_bytes)) = (job.output.path(), job.estimate_bytes) else {
        return Ok(());
    };
    let needed_bytes = match encoding.compression() {
        Compression::None => content_bytes / LEAST_PLAIN_PART,
        Compression::Gzip | Compression::Zstd => content_bytes / LEAST_COMPRESSED_PART,
    };
    let parent = absolute(path)?;
    check_free_space(parent.parent().unwrap_or(&parent), needed_bytes)
}

fn draft(job: &BackupJob, id: &str, encoding: Encoding, started: Timestamp) -> ManifestDraft {
    let engine = &job.engine;
    ManifestDraft {
        id: id.to_owned(),
        engine: EngineRecord {
            id: engine.pin.engine.clone(),
            family: engine.family.clone(),
            plugin: engine.pin.plugin.clone(),
            plugin_version: engine.plugin_version.clone(),
            plugin_sha256: engine.pin.sha256.clone(),
            reason: engine.reason.clone(),
        },
        source: source_record(&job.environment, &job.connection),
        roots: job
            .environment
            .paths
            .iter()
            .map(|facts| (facts.role.clone(), facts.path.display().to_string()))
            .collect(),
        encoding: EncodingRecord {
            container: encoding.container().to_string(),
            compression: encoding.compression().to_string(),
            encryption: if encoding.is_encrypted() { "age" } else { "none" }.to_owned(),
            recipients: job.pipeline.recipients.clone(),
        },
        started: manifest::rfc3339(started),
    }
}

fn source_record(environment: &Environment, connection: &ConnectionDocument) -> SourceRecord {
    let address = match (&connection.socket, &connection.host) {
        (Some(socket), _) => socket.display().to_string(),
        (None, host) => {
            let host = host.as_deref().unwrap_or("localhost");
            format!("{host}:{}", connection.port.unwrap_or(3306))
        }
    };
    let server = environment.server.as_ref();
    SourceRecord {
        flavor: server.map(|server| server.flavor.to_string()).unwrap_or_default(),
        version: server.map(|server| server.version_text.clone()).unwrap_or_default(),
        uuid: server.and_then(|server| server.uuid.clone()),
        hostname: server.map(|server| server.hostname.clone()).unwrap_or_default(),
        address,
        platform: server.map(|server| server.platform.clone()).unwrap_or_default(),
        facts: server.map(replica_statement::facts_of).unwrap_or_default(),
    }
}

/// A run whose target is claimed.
struct Run<'a> {
    job: &'a BackupJob,
    runtime: &'a Runtime<'a>,
    observer: &'a dyn Observer,
    cancel: &'a CancelFlag,
    encoding: Encoding,
    draft: ManifestDraft,
}

impl Run<'_> {
    /// Has the worker write the artefact. On an error nothing of it is left.
    fn write(self, output: Output, journal: &mut Journal) -> Result<Artefact, Failure> {
        step(self.observer, format!("backup with engine {}", self.job.engine.pin.engine));
        let output = create(output, journal)?;
        match self.run_worker(&output, journal) {
            Ok(receipt) => Ok(Artefact { output, receipt, draft: self.draft }),
            Err(failure) => {
                if let Err(error) = abandon(output) {
                    // What went wrong first is what counts; this stays in the journal.
                    let error = Failure::from(error).chain();
                    tracing::warn!(error, "a part of the failed backup is left");
                }
                Err(failure)
            }
        }
    }

    fn run_worker(&self, output: &Output, journal: &mut Journal) -> Result<BackupReceipt, Failure> {
        let (stream, worker_output) = match output {
            Output::File(file) => (ArtefactStream::File(file.stream()?), WorkerOutput::File),
            Output::Directory(directory) => {
                let path = directory.partial().to_owned();
                (ArtefactStream::None, WorkerOutput::Directory { path })
            }
            Output::Claimed(_) | Output::Stdout(_) => {
                (ArtefactStream::Stdout, WorkerOutput::Stdout)
            }
            Output::Remote(remote) => {
                let output = remote.worker_output(self.job.estimate_bytes);
                (ArtefactStream::None, WorkerOutput::Target(Box::new(output)))
            }
        };
        let job = self.job;
        let task = Task::Backup(Box::new(BackupTask {
            engine: job.engine.pin.clone(),
            options: job.engine.options.clone(),
            request: BackupRequest {
                backup_id: self.draft.id.clone(),
                connection: job.connection.clone(),
                environment: job.environment.clone(),
                lock_budget: job.lock_budget,
                accept_degraded: job.accept_degraded.clone(),
                max_replica_lag_ms: job.max_replica_lag_ms,
                extra: serde_json::Map::new(),
            },
            output: worker_output,
            encoding: self.encoding.to_string(),
            pipeline: job.pipeline.clone(),
            draft: self.draft.clone(),
        }));
        let worker_job = self.runtime.job(&self.draft.id, &job.secrets, task);
        let supervisor = self.runtime.supervisor(self.observer, self.cancel);
        match supervisor.run_with(worker_job, Some(journal), stream)? {
            Receipt::Backup(receipt) => Ok(*receipt),
            _ => Err(SupervisorError::OtherReceipt { task: "backup" }.into()),
        }
    }
}

/// Creates what the worker writes into, journalled before.
fn create(output: Output, journal: &mut Journal) -> Result<Output, Failure> {
    Ok(match output {
        Output::Claimed(claimed) => {
            record(journal, &HostRecord::FileOutput { artefact: claimed.path().to_owned() })?;
            Output::File(claimed.create()?)
        }
        Output::Directory(directory) => {
            let record_of = directory.path().to_owned();
            record(journal, &HostRecord::DirectoryOutput { directory: record_of })?;
            directory.create()?;
            Output::Directory(directory)
        }
        created @ (Output::File(_) | Output::Stdout(_) | Output::Remote(_)) => created,
    })
}

fn record(journal: &mut Journal, record: &HostRecord) -> Result<u64, Failure> {
    Ok(journal.record(RecordOwner::Host, record.to_undo_record()?)?)
}

fn abandon(output: Output) -> Result<(), TargetError> {
    match output {
        Output::File(file) => file.abandon(),
        Output::Directory(directory) => directory.abandon(),
        // What a worker has put at a place, it gives up itself, or the journal names it.
        Output::Claimed(_) | Output::Stdout(_) | Output::Remote(_) => Ok(()),
    }
}

fn step(observer: &dyn Observer, what: String) {
    observer.event(&RunEvent::Step { what });
}

impl Classified for EncodingError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> String {
        "E-OUTPUT-NAME".to_owned()
    }
}
