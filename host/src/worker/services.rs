//! The host's services as plugins call them.
use super::{
    link::Link,
    report::{Refusals, Refused, answer},
};
use crate::supervisor::{
    event::{LogEvent, LogLevel, ProgressEvent},
    host_record::HostRecord,
    job::{EnginePin, ErrorReport, Job},
    message::{FromWorker, RecordOwner},
    secrets::Secrets,
    state::StateError,
};
use dbbackup_plugin_api::{
    abi_stable::{
        sabi_trait::TD_Opaque,
        std_types::{RArc, ROption, RResult, RStr, RString, RVec},
    },
    capability::RawCapability,
    document::{Doc, undo::UndoRecord},
    error::{AbiResult, EngineError, ErrorCode},
    host::{HostBox, HostServices, HostServices_TO},
};
use serde_json::json;
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Services for one engine; the clones that cross the boundary share everything.
#[derive(Clone)]
pub(super) struct Services(Arc<Shared>);

struct Shared {
    link: Arc<Link>,
    refusals: Arc<Refusals>,
    owner: RecordOwner,
    level: LogLevel,
    secrets: Secrets,
    scratch_path: PathBuf,
    /// True once the directory is made.
    scratch_made: Mutex<bool>,
}

impl Services {
    /// Services for an engine of the job.
    pub(super) fn for_engine(
        link: Arc<Link>,
        refusals: Arc<Refusals>,
        job: &Job,
        pin: &EnginePin,
    ) -> HostBox {
        let services = Self::new(link, refusals, job, pin);
        HostServices_TO::from_ptr(RArc::new(services), TD_Opaque)
    }

    fn new(link: Arc<Link>, refusals: Arc<Refusals>, job: &Job, pin: &EnginePin) -> Self {
        let (plugin, engine) = (pin.plugin.clone(), pin.engine.clone());
        Self(Arc::new(Shared {
            link,
            refusals,
            owner: RecordOwner::Engine { plugin, engine },
            level: job.log_level,
            secrets: job.secrets.clone(),
            scratch_path: job.scratch_parent.join(&job.run_id),
            scratch_made: Mutex::new(false),
        }))
    }

    /// An error of the host as the plugin gets it.
    fn refuse(&self, report: &ErrorReport) -> Refused {
        self.0.refusals.refuse(report)
    }

    /// Makes the run's scratch directory, once.
    fn make_scratch(&self) -> Result<&Path, Refused> {
        let shared = &self.0;
        let mut made = shared.scratch_made.lock().unwrap_or_else(PoisonError::into_inner);
        if !*made {
            let path = &shared.scratch_path;
            let record = HostRecord::ScratchDirectory { path: path.clone() }.to_undo_record();
            let record = record.map_err(|error| self.refuse(&ErrorReport::of(&error)))?;
            let recorded = shared.link.journal_record(RecordOwner::Host, record);
            recorded.map_err(|report| self.refuse(&report))?;
            let created = DirBuilder::new().mode(0o700).recursive(true).create(path);
            created.map_err(|source| {
                self.refuse(&ErrorReport::of(&StateError { path: path.clone(), source }))
            })?;
            *made = true;
        }
        Ok(&shared.scratch_path)
    }
}

impl HostServices for Services {
    fn log_enabled(&self, level: u8, _target: RStr<'_>) -> bool {
        LogLevel::from_number(level) <= self.0.level
    }

    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields_json: RStr<'_>) {
        if !self.log_enabled(level, target) {
            return;
        }
        // Fields that are no JSON object are the plugin's fault and still worth showing.
        let fields = serde_json::from_str(fields_json.as_str()).unwrap_or_else(|_| {
            serde_json::Map::from_iter([("fields".to_owned(), json!(fields_json.as_str()))])
        });
        self.0.link.tell(&FromWorker::Log {
            event: LogEvent {
                level: LogLevel::from_number(level),
                target: target.to_string(),
                message: message.to_string(),
                fields,
            },
        });
    }

    fn progress(&self, phase: RStr<'_>, done: u64, total: u64, unit: RStr<'_>) {
        self.0.link.tell(&FromWorker::Progress(ProgressEvent {
            phase: phase.to_string(),
            done,
            total,
            unit: unit.to_string(),
        }));
    }

    fn heartbeat(&self) {
        self.0.link.tell(&FromWorker::Heartbeat);
    }

    fn is_cancelled(&self) -> bool {
        self.0.link.cancel().is_cancelled()
    }

    fn wait_cancelled(&self, milliseconds: u64) -> bool {
        self.0.link.cancel().sleep(Duration::from_millis(milliseconds))
    }

    fn scratch_directory(&self) -> AbiResult<RString> {
        let made = self.make_scratch().and_then(|path| {
            path.to_str().map(RString::from).ok_or_else(|| {
                let what = format!("{} is not UTF-8", path.display());
                Box::new(EngineError::new(ErrorCode::CONFIG, what))
            })
        });
        answer(made)
    }

    fn secret(&self, name: RStr<'_>) -> AbiResult<ROption<RVec<u8>>> {
        let secret = self.0.secrets.get(name.as_str());
        RResult::ROk(secret.map(|bytes| RVec::from(bytes.to_vec())).into())
    }

    fn journal_record(&self, record: Doc) -> AbiResult<u64> {
        let decoded = record
            .decode::<UndoRecord>()
            .map_err(|error| Box::new(EngineError::from_error(ErrorCode::INTERNAL, &error)));
        let owner = self.0.owner.clone();
        answer(decoded.and_then(|record| {
            let recorded = self.0.link.journal_record(owner, record);
            recorded.map_err(|report| self.refuse(&report))
        }))
    }

    fn journal_done(&self, number: u64) -> AbiResult<()> {
        let done = self.0.link.journal_done(number);
        answer(done.map(drop).map_err(|report| self.refuse(&report)))
    }

    fn capability(&self, _id: RStr<'_>) -> ROption<RawCapability> {
        ROption::RNone
    }
}

#[cfg(test)]
mod tests;
