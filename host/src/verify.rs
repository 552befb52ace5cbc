//! Proving that a backup is what its manifest says: by its hashes, by its pages, or by booting a
//! server on it.
use crate::{
    artefact::{self, ArtefactError, OpenArtefact},
    exit::{Classified, Exit, Failure},
    remote::Place,
    supervisor::{
        ArtefactStream, CancelFlag, Observer, RunEvent, Runtime, Secrets, SupervisorError,
        job::{ArtefactInput, EnginePin, Receipt, Task, VerifyTask},
        runtime::new_run_id,
    },
};
use dbbackup_plugin_api::{
    document::{
        manifest::{Manifest, PagesRecord},
        verify::VerifyRequest,
    },
    role::VERIFY_ROLE,
};
use jiff::Timestamp;
use serde::Serialize;
use std::{path::PathBuf, str::FromStr};

mod boot;
mod first_boot;
mod left_empty;
mod members;

pub use boot::{BootError, BootReport};

/// How deep a verification goes; each level includes the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VerifyLevel {
    /// Every byte against its hash, every member against its record.
    #[default]
    Hash,
    /// Every InnoDB page by its own checksum as well.
    Pages,
    /// A scratch server on the restored content as well.
    Boot,
}

impl FromStr for VerifyLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hash" => Ok(Self::Hash),
            "pages" => Ok(Self::Pages),
            "boot" => Ok(Self::Boot),
            _ => Err(format!("{text:?} is none of hash, pages, boot")),
        }
    }
}

/// What is to be verified, and how deep.
#[derive(Clone, Debug)]
pub struct VerifyJob {
    /// The file or directory, or the name at a place.
    pub artefact: Place,
    /// Files with the keys that open it.
    pub identities: Vec<PathBuf>,
    /// How deep.
    pub level: VerifyLevel,
    /// The server program for [`VerifyLevel::Boot`]; searched for if not given.
    pub mysqld: Option<PathBuf>,
    /// Options of the engine.
    pub options: serde_json::Value,
    /// What the engine may ask for by name.
    pub secrets: Secrets,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VerifyReport {
    /// The artefact.
    #[serde(serialize_with = "Place::as_text")]
    pub artefact: Place,
    /// The backup, if its manifest could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_id: Option<String>,
    /// How deep it went.
    pub level: VerifyLevel,
    /// Members read.
    pub members: u64,
    /// Bytes of content read.
    pub bytes: u64,
    /// Sums of the page check.
    pub pages: PagesRecord,
    /// What is wrong, a clause each; empty means good.
    pub problems: Vec<String>,
    /// What could not be looked at, a clause each.
    pub notes: Vec<String>,
    /// What the scratch server said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootReport>,
}

impl VerifyReport {
    /// [`Exit::Done`], or [`Exit::VerificationFailed`].
    pub fn exit(&self) -> Exit {
        if self.problems.is_empty() { Exit::Done } else { Exit::VerificationFailed }
    }
}

/// Verifies one backup.
///
/// # Errors
/// A [`Failure`] says that the verification could not be done; what is wrong with the backup is in
/// the report.
pub fn run(
    job: &VerifyJob,
    runtime: &Runtime<'_>,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<VerifyReport, Failure> {
    run_on(OpenArtefact::open(&job.artefact, runtime, cancel)?, job, runtime, observer, cancel)
}

/// Verifies a backup that is open already.
///
/// # Errors
/// As for [`run`].
pub(crate) fn run_on(
    artefact: OpenArtefact,
    job: &VerifyJob,
    runtime: &Runtime<'_>,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<VerifyReport, Failure> {
    let mut report = VerifyReport {
        artefact: job.artefact.clone(),
        level: job.level,
        ..VerifyReport::default()
    };
    let manifest = match artefact.manifest() {
        Ok(manifest) => manifest,
        Err(error) => return problem(report, error).map_err(Failure::from),
    };
    report.backup_id = Some(manifest.id.clone());
    let verification =
        Verification { job, runtime, observer, cancel, artefact, manifest: &manifest };
    verification.members(&mut report)?;
    if report.problems.is_empty() {
        verification.by_engine(&mut report)?;
    }
    if report.problems.is_empty() && job.level == VerifyLevel::Boot {
        report.boot = Some(verification.boot(&mut report)?);
    }
    Ok(report)
}

/// Damage is a finding; anything else is an error.
fn problem(mut report: VerifyReport, error: ArtefactError) -> Result<VerifyReport, ArtefactError> {
    let no_backup =
        matches!(&error, ArtefactError::Manifest(crate::manifest::ManifestError::Missing { .. }));
    if !no_backup && !error.is_damage() {
        return Err(error);
    }
    report.problems.push(Failure::from(error).chain());
    Ok(report)
}

/// A verification whose manifest is read.
struct Verification<'a> {
    job: &'a VerifyJob,
    runtime: &'a Runtime<'a>,
    observer: &'a dyn Observer,
    cancel: &'a CancelFlag,
    artefact: OpenArtefact,
    manifest: &'a Manifest,
}

impl Verification<'_> {
    /// Reads every member and compares it with its record, and its pages if asked to.
    fn members(&self, report: &mut VerifyReport) -> Result<(), Failure> {
        self.step("read every byte");
        let (job, manifest) = (self.job, self.manifest);
        let (encoding, objects) = (&manifest.encoding, manifest.objects.as_slice());
        let artefact = self.artefact.identified(encoding, objects, &job.identities)?;
        let check_pages = job.level >= VerifyLevel::Pages;
        let opened = artefact.members(manifest, &self.cancel.reader_flag());
        let read = opened
            .and_then(|mut opened| members::check(&mut opened, check_pages, report, self.observer));
        match (read, self.cancel.cause()) {
            (Ok(()), _) => {}
            (Err(ArtefactError::Cancelled), Some(cause)) => {
                return Err(SupervisorError::Cancelled { cause }.into());
            }
            (Err(error), _) if error.is_damage() => {
                report.problems.push(Failure::from(error).chain());
            }
            (Err(error), _) => return Err(error.into()),
        }
        Ok(())
    }

    /// Lets the engine check what only it understands, if it has the role for it.
    fn by_engine(&self, report: &mut VerifyReport) -> Result<(), Failure> {
        let engine = &self.manifest.engine.id;
        let Ok(found) = self.runtime.plugins.engine(engine) else {
            report.notes.push(format!("engine {engine} is not installed, so it was not asked"));
            return Ok(());
        };
        if !found.engine.roles.iter().any(|role| role == VERIFY_ROLE) {
            return Ok(());
        }
        self.step("ask the engine");
        let job = self.job;
        let encoding = artefact::encoding_of(&self.manifest.encoding)?;
        let task = Task::Verify(Box::new(VerifyTask {
            engine: EnginePin::of(found)?,
            options: job.options.clone(),
            request: VerifyRequest {
                manifest: self.manifest.clone(),
                extra: serde_json::Map::new(),
            },
            artefact: ArtefactInput {
                place: job.artefact.clone(),
                encoding: encoding.to_string(),
                identities: job.identities.clone(),
            },
        }));
        let worker_job = self.runtime.job(&new_run_id(Timestamp::now()), &job.secrets, task);
        let supervisor = self.runtime.supervisor(self.observer, self.cancel);
        match supervisor.run_with(worker_job, None, ArtefactStream::None) {
            Ok(Receipt::Verify(findings)) => {
                report.problems.extend(findings.problems);
                Ok(())
            }
            Ok(_) => Err(SupervisorError::OtherReceipt { task: "verify" }.into()),
            Err(error) if error.exit() == Exit::VerificationFailed => {
                report.problems.push(Failure::from(error).chain());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn step(&self, what: &str) {
        self.observer.event(&RunEvent::Step { what: what.to_owned() });
    }
}
