//! The jobs of a worker, one file each.
mod assess;
mod backup;
mod restore;
mod target;

use super::{
    error::WorkerError, link::Link, reader, report::Refusals, services::Services,
    target::TargetObjects,
};
use crate::{
    pipeline::{Progress, read::RangedRead},
    plugin::{LoadedEngine, LoadedTarget, PluginSettings, Registry, Sha256},
    remote::{Place, ReadAheadObject, TargetPlace, joined},
    supervisor::job::{
        ArtefactInput, EnginePin, ErrorReport, Job, Receipt, TargetOutput, Task, UndoTask,
        VerifyTask,
    },
};
use dbbackup_plugin_api::{
    document::{manifest::Manifest, plugin::PluginNote, undo::UndoRequest},
    sink::ReaderBox,
};
use serde_json::Value;
use std::{fs::File, sync::Arc};

/// What every task needs.
#[derive(Clone)]
pub(super) struct Context {
    link: Arc<Link>,
    refusals: Arc<Refusals>,
    job: Job,
}

impl Context {
    pub(super) fn new(link: Arc<Link>, job: Job) -> Self {
        Self { link, refusals: Arc::default(), job }
    }

    /// An error as the supervisor gets it.
    pub(super) fn report(&self, error: &WorkerError) -> ErrorReport {
        self.refusals.report(error)
    }

    /// Loads the plugin of an engine and makes the engine.
    fn load(&self, pin: &EnginePin, options: &Value) -> Result<LoadedEngine, WorkerError> {
        let registry = self.registry(pin)?;
        let (link, refusals) = (Arc::clone(&self.link), Arc::clone(&self.refusals));
        let host = Services::for_engine(link, refusals, &self.job, pin);
        Ok(registry.load(&pin.engine, host, options.clone())?)
    }

    /// Loads the engine of a target and opens its location.
    fn open_target(&self, place: &TargetPlace) -> Result<LoadedTarget, WorkerError> {
        let engine = self.load(&place.engine, &place.options)?;
        LoadedTarget::open(engine, &place.location)
            .map_err(|error| WorkerError::Target(Box::new(error)))
    }

    /// Starts the objects of a backup at a target.
    fn target_objects(
        &self,
        output: &TargetOutput,
        backup_id: &str,
        progress: &Arc<Progress>,
    ) -> Result<TargetObjects, WorkerError> {
        let target = self.open_target(&output.place)?;
        TargetObjects::start(target, output.clone(), backup_id.to_owned(), Arc::clone(progress))
            .map_err(|error| WorkerError::Target(Box::new(error)))
    }

    /// The bytes of an artefact at a target.
    fn target_bytes(
        &self,
        place: &TargetPlace,
        manifest: &Manifest,
    ) -> Result<Arc<dyn RangedRead>, WorkerError> {
        let target = self.open_target(place)?;
        let limits = target.limits();
        joined(&manifest.objects, |name| {
            let object = target.open_object(name).map(|reader| {
                let object: Arc<dyn RangedRead> = Arc::new(ReadAheadObject::new(reader, &limits));
                object
            });
            object.map_err(|error| WorkerError::Target(Box::new(error)))
        })
    }

    /// An artefact that the job names, and its stream entries for the engine.
    fn streams(
        &self,
        input: &ArtefactInput,
        manifest: &Manifest,
    ) -> Result<ReaderBox, WorkerError> {
        let bytes = match &input.place {
            Place::Local(_) => None,
            Place::Target(place) => Some(self.target_bytes(place, manifest)?),
        };
        reader::open(input, bytes, manifest, self.link.cancel())
    }

    /// A registry of the one plugin that is wanted, after its hash was compared.
    fn registry(&self, pin: &EnginePin) -> Result<Registry, WorkerError> {
        let settings = PluginSettings {
            system: Vec::new(),
            trust: self.job.trust,
            allow_shadowing: self.job.allow_shadowing,
            ..PluginSettings::default()
        };
        let mut registry = Registry::discover(&settings);
        registry.register(&pin.path)?;
        // Loading compares the bytes that run with those that were registered just now.
        let found = File::open(&pin.path).and_then(Sha256::of_reader).map(|hash| hash.to_string());
        match found {
            Ok(found) if pin.sha256.is_empty() || found == pin.sha256 => Ok(registry),
            found => Err(WorkerError::Changed {
                path: pin.path.clone(),
                wanted: pin.sha256.clone(),
                found: found.unwrap_or_else(|error| error.to_string()),
            }),
        }
    }
}

/// Does the work of a job.
pub(super) fn run(context: &Context, task: Task, artefact: File) -> Result<Receipt, WorkerError> {
    match task {
        Task::Assess(task) => Ok(Receipt::Assess { answers: assess::assess(context, task) }),
        Task::Doctor(task) => Ok(Receipt::Doctor { answers: assess::doctor(context, task) }),
        Task::Backup(task) => {
            backup::run(context, *task, artefact).map(|r| Receipt::Backup(Box::new(r)))
        }
        Task::RestoreCheck(task) => restore::check(context, &task).map(Receipt::RestorePlan),
        Task::RestoreRun(task) => restore::run(context, &task).map(Receipt::Restore),
        Task::RestoreFinish(task) => restore::finish(context, &task).map(Receipt::Restore),
        Task::Verify(task) => verify(context, &task),
        Task::Undo(task) => undo(context, *task),
        Task::Target(task) => target::serve(context, &task, artefact),
        Task::Probe { plugin } => {
            probe(context, &plugin).map(|note| Receipt::Probe(Box::new(note)))
        }
    }
}

fn verify(context: &Context, task: &VerifyTask) -> Result<Receipt, WorkerError> {
    let engine = context.load(&task.engine, &task.options)?;
    let reader = context.streams(&task.artefact, &task.request.manifest)?;
    Ok(Receipt::Verify(engine.verify(&task.request, reader)?))
}

fn undo(context: &Context, task: UndoTask) -> Result<Receipt, WorkerError> {
    let engine = context.load(&task.engine, &task.options)?;
    let request =
        UndoRequest { record: task.record, dry_run: task.dry_run, extra: serde_json::Map::new() };
    Ok(Receipt::Undo(engine.undo(&request)?))
}

/// Loads the plugin and asks it for each of its engines; an engine that needs options may refuse
/// to be made without them.
fn probe(context: &Context, plugin: &EnginePin) -> Result<PluginNote, WorkerError> {
    let registry = context.registry(plugin)?;
    let note = registry.plugins().last().and_then(|plugin| plugin.note.clone());
    let note = note.ok_or_else(|| WorkerError::NoNote { plugin: plugin.plugin.clone() })?;
    for engine in &note.plugin.engines {
        let pin = EnginePin { engine: engine.id.clone(), ..plugin.clone() };
        match context.load(&pin, &Value::Null) {
            Err(WorkerError::Plugin(error)) if error.is_refusal() => {
                return Err(WorkerError::Plugin(error));
            }
            Err(error) => tracing::info!(engine = %engine.id, %error, "needs options"),
            Ok(_) => {}
        }
    }
    Ok(note)
}
