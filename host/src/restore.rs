//! Bringing a backup back: files into a directory, statements into a server.
//!
//! Files are extracted by the host alone, into a directory with a temporary name; the engine gets
//! the streams, and a last word on the whole. Only then does the directory get its name, so that
//! nothing half restored looks complete.
use crate::{
    artefact::{ArtefactError, Identified, OpenArtefact},
    exit::Failure,
    manifest::ManifestError,
    pipeline::CancelFlag as PipelineFlag,
    remote::Place,
    supervisor::{
        CancelFlag, Observer, RunEvent, Runtime, Secrets, SupervisorError,
        event::{LogEvent, LogLevel},
        job::{ArtefactInput, EnginePin, Receipt, RestoreTask, Task},
        journal::Journal,
        runtime::new_run_id,
        undo::Undo,
    },
};
use dbbackup_plugin_api::{
    document::{
        connection::ConnectionDocument,
        entry::EntryKind,
        manifest::{FileRecord, Manifest, PagesRecord},
        restore::{Mapping, RestorePlan, RestoreRequest, RestoreSummary, TargetServer},
    },
    role::RESTORE_ROLE,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

mod both;
mod directory;
mod error;
mod extract;
mod forced;
mod layout;
mod links;
mod pages;
mod select;
mod trees;

pub use error::RestoreError;

/// What is to be restored, and where to.
#[derive(Clone, Debug)]
pub struct RestoreJob {
    /// The file or directory, or the name at a place.
    pub artefact: Place,
    /// Files with the keys that open it.
    pub identities: Vec<PathBuf>,
    /// Where to.
    pub destination: RestoreDestination,
    /// Patterns of what is wanted (`shop/*`); empty for everything.
    pub only: Vec<String>,
    /// Schemas that get another name; for a directory, roots outside the data directory that get
    /// a place.
    pub map: Vec<Mapping>,
    /// The server that is to run on the directory, if it is known: the engine refuses what would
    /// not start.
    pub server: Option<TargetServer>,
    /// Existing content may make way, and an artefact without a good manifest is taken.
    pub force: bool,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Options of the engine.
    pub options: serde_json::Value,
    /// What the engine may ask for by name.
    pub secrets: Secrets,
}

/// Where a backup is restored to.
#[derive(Clone, Debug, PartialEq)]
pub enum RestoreDestination {
    /// A directory that is not there yet, or empty.
    Directory(PathBuf),
    /// A running server.
    Server(Box<ConnectionDocument>),
}

/// What a restore did, or would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestoreOutcome {
    /// The backup.
    pub backup_id: String,
    /// Files extracted.
    pub files: u64,
    /// Bytes of files extracted.
    pub bytes: u64,
    /// What the engine would do; present for a dry run with an engine.
    pub plan: Option<RestorePlan>,
    /// What the engine did.
    pub summary: Option<RestoreSummary>,
    /// Sums of the page check, where files are good only after the engine's work.
    pub pages: PagesRecord,
    /// The directory that a server is to be started on, if the backup holds one.
    pub data_directory: Option<PathBuf>,
    /// Options that tell the server where files outside of its data directory are.
    pub server_options: Vec<String>,
    /// Where the directory that had to make way is now.
    pub kept_aside: Option<PathBuf>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// A restore whose artefact is known.
pub(crate) struct Restore<'a> {
    pub(crate) job: &'a RestoreJob,
    pub(crate) runtime: &'a Runtime<'a>,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) cancel: &'a CancelFlag,
    pub(crate) manifest: Manifest,
    pub(crate) artefact: Identified,
    pub(crate) run_id: String,
}

/// Restores a backup.
///
/// # Errors
/// Any [`Failure`]. A directory is then as it was before; a server may hold what was restored up to
/// the error, which names the statement.
pub fn run(
    job: &RestoreJob,
    runtime: &Runtime<'_>,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<RestoreOutcome, Failure> {
    run_on(&OpenArtefact::open(&job.artefact, runtime, cancel)?, job, runtime, observer, cancel)
}

/// Restores a backup that is open already.
///
/// # Errors
/// As for [`run`].
pub(crate) fn run_on(
    opened: &OpenArtefact,
    job: &RestoreJob,
    runtime: &Runtime<'_>,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<RestoreOutcome, Failure> {
    let (manifest, warnings) = manifest_of(job, opened)?;
    let artefact = opened.identified(&manifest.encoding, &manifest.objects, &job.identities)?;
    let run_id = new_run_id(Timestamp::now());
    let restore = Restore { job, runtime, observer, cancel, manifest, artefact, run_id };
    let mut outcome = match &job.destination {
        RestoreDestination::Directory(directory) => restore.to_directory(directory)?,
        RestoreDestination::Server(connection) => restore.to_server(connection)?,
    };
    outcome.backup_id.clone_from(&restore.manifest.id);
    outcome.warnings.splice(0..0, warnings);
    Ok(outcome)
}

/// The manifest, and what had to be overlooked because the operator insisted.
fn manifest_of(
    job: &RestoreJob,
    artefact: &OpenArtefact,
) -> Result<(Manifest, Vec<String>), Failure> {
    match artefact.manifest() {
        Ok(manifest) => Ok((manifest, Vec::new())),
        Err(
            error @ (ArtefactError::Mismatch { .. }
            | ArtefactError::Manifest(
                ManifestError::Missing { .. } | ManifestError::Malformed { .. },
            )),
        ) => {
            if job.force {
                let manifest = forced::manifest(artefact, &job.artefact, &job.identities)?;
                return Ok((manifest, vec![Failure::from(error).chain()]));
            }
            Err(RestoreError::Untrusted { source: Box::new(error) }.into())
        }
        Err(error) => Err(error.into()),
    }
}

impl Restore<'_> {
    /// Applies streams to a server, after all of the artefact was found good.
    fn to_server(&self, connection: &ConnectionDocument) -> Result<RestoreOutcome, Failure> {
        if let Some(file) = self.manifest.files.iter().find(|file| is_content_file(file)) {
            return Err(RestoreError::FilesIntoServer { member: file.path.clone() }.into());
        }
        let request = self.request(Some(connection.clone()), None);
        let plan = self.check(request.clone(), None)?;
        let warnings = plan.warnings.clone();
        if self.job.dry_run {
            return Ok(RestoreOutcome { plan: Some(plan), warnings, ..RestoreOutcome::default() });
        }
        self.step("check the artefact before the server is changed");
        self.check_artefact()?;
        self.step("restore into the server");
        let mut journal = Journal::create(&self.runtime.state, &self.run_id)?;
        let task = self.task(request)?;
        let done = self.work(Task::RestoreRun(task), Some(&mut journal));
        self.undo().records(&mut journal);
        let closed = journal.close().map_err(Failure::from);
        let done = both::both(done, closed, |text| self.warn(text))?;
        let Receipt::Restore(summary) = done else {
            return Err(SupervisorError::OtherReceipt { task: "restore" }.into());
        };
        let warnings = warnings.into_iter().chain(summary.warnings.clone()).collect();
        Ok(RestoreOutcome { summary: Some(summary), warnings, ..RestoreOutcome::default() })
    }

    /// Reads every byte: damage must be known before anything is changed.
    fn check_artefact(&self) -> Result<(), Failure> {
        let flag = self.pipeline_flag();
        let mut members = self.artefact.members(&self.manifest, &flag)?;
        while members.next_member().map_err(|error| self.reading(error))?.is_some() {}
        Ok(())
    }

    /// What the engine says to a restore.
    pub(crate) fn check(
        &self,
        request: RestoreRequest,
        journal: Option<&mut Journal>,
    ) -> Result<RestorePlan, Failure> {
        let task = self.task(request)?;
        match self.work(Task::RestoreCheck(task), journal)? {
            Receipt::RestorePlan(plan) => Ok(plan),
            _ => Err(SupervisorError::OtherReceipt { task: "restore check" }.into()),
        }
    }

    /// What the engine is asked for.
    pub(crate) fn request(
        &self,
        connection: Option<ConnectionDocument>,
        directory: Option<&Path>,
    ) -> RestoreRequest {
        RestoreRequest {
            manifest: self.manifest.clone(),
            connection,
            directory: directory.map(Path::to_owned),
            places: BTreeMap::new(),
            server: self.job.server.clone(),
            only: self.job.only.clone(),
            map: self.job.map.clone(),
            force: self.job.force,
            extra: serde_json::Map::new(),
        }
    }

    /// The worker's part.
    pub(crate) fn task(&self, request: RestoreRequest) -> Result<Box<RestoreTask>, Failure> {
        Ok(Box::new(RestoreTask {
            engine: self.runtime.pin(&self.manifest.engine.id)?,
            options: self.job.options.clone(),
            request,
            artefact: ArtefactInput {
                place: self.job.artefact.clone(),
                encoding: self.artefact.encoding().to_string(),
                identities: self.job.identities.clone(),
            },
        }))
    }

    /// The engine that made the backup, if it is here and restores.
    pub(crate) fn restoring_engine(&self) -> Option<EnginePin> {
        let found = self.runtime.plugins.engine(&self.manifest.engine.id).ok()?;
        let restores = found.engine.roles.iter().any(|role| role == RESTORE_ROLE);
        restores.then(|| EnginePin::of(found).ok()).flatten()
    }

    pub(crate) fn work(
        &self,
        task: Task,
        journal: Option<&mut Journal>,
    ) -> Result<Receipt, Failure> {
        let job = self.runtime.job(&self.run_id, &self.job.secrets, task);
        let supervisor = self.runtime.supervisor(self.observer, self.cancel);
        Ok(supervisor.run_with(job, journal, crate::supervisor::ArtefactStream::None)?)
    }

    pub(crate) fn undo(&self) -> Undo<'_> {
        Undo {
            runtime: self.runtime,
            secrets: &self.job.secrets,
            observer: self.observer,
            cancel: crate::supervisor::undo::never_cancelled(),
            dry_run: false,
        }
    }

    pub(crate) fn step(&self, what: &str) {
        self.observer.event(&RunEvent::Step { what: what.to_owned() });
    }

    pub(crate) fn warn(&self, message: String) {
        self.observer.event(&RunEvent::Log(LogEvent {
            level: LogLevel::Warn,
            target: "dbbackup.restore".to_owned(),
            message,
            fields: serde_json::Map::new(),
        }));
    }

    /// A flag that the readers of this process look at.
    pub(crate) fn pipeline_flag(&self) -> PipelineFlag {
        self.cancel.reader_flag()
    }

    /// A reading error, or the cancellation behind it.
    pub(crate) fn reading(&self, error: ArtefactError) -> Failure {
        match (error, self.cancel.cause()) {
            (ArtefactError::Cancelled, Some(cause)) => SupervisorError::Cancelled { cause }.into(),
            (error, _) => error.into(),
        }
    }
}

/// True for a file of the source, false for our own members, directories and streams.
pub(crate) fn is_content_file(record: &FileRecord) -> bool {
    record.kind == EntryKind::File && !is_ours(record.path.as_bytes())
}

/// True for members that are dbbackup's own.
pub(crate) fn is_ours(path: &[u8]) -> bool {
    path == b".dbbackup" || path.starts_with(b".dbbackup/")
}
