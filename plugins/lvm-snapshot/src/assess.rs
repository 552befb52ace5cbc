//! What the engine says of an environment: the server's side from the sdk, the volume from here.
//! Nothing is changed.

use dbbackup_sdk::{
    Classify, Host,
    doctor::{doctor_findings, finding},
    document::{
        assessment::{Assessment, Blocker, Remedy},
        doctor::{DoctorFindings, Finding, Severity},
        environment::Environment,
    },
    shown,
    snapshot::{self, ServerPaths},
};

use crate::{
    PAGE_WRITES,
    error::{LvmError, mebibytes},
    lvm::Row,
    options::Options,
    snapshot::PlannedSnapshot,
    volume::Volume,
};

/// How full a thin pool may be before the doctor says so. From 95 % on there is no snapshot.
const WORRYING_POOL_PERCENT: f64 = 80.0;

/// Judges an environment.
pub(crate) fn assess(environment: &Environment, options: &Options, host: &Host) -> Assessment {
    judge(environment, options, host).0
}

/// The same with the state of the storage: what is free in the group or pool.
pub(crate) fn doctor(environment: &Environment, options: &Options, host: &Host) -> DoctorFindings {
    let (assessment, planned) = judge(environment, options, host);
    doctor_findings(assessment, planned.iter().map(storage).collect())
}

fn judge(
    environment: &Environment,
    options: &Options,
    host: &Host,
) -> (Assessment, Option<PlannedSnapshot>) {
    let found = match ServerPaths::proven_local(environment) {
        Ok(paths) => Some(look(&paths, options, host)),
        // That is a blocker on the server's side already.
        Err(_) => None,
    };
    let mut volume = Vec::new();
    if let Some(Err(error)) = &found {
        volume.push(Blocker { what: shown(error), remedy: error.remedy() });
    }
    if matches!(found, Some(Ok(_))) && !rustix::process::geteuid().is_root() {
        volume.push(Blocker {
            what: "only root may make LVM snapshots".to_owned(),
            remedy: Some(Remedy::Advice("run dbbackup as root".to_owned())),
        });
    }
    let mut assessment = snapshot::assessment(environment, PAGE_WRITES, volume);
    let planned = found.and_then(Result::ok);
    if let Some(planned) = &planned {
        add_facts(&mut assessment, planned);
    }
    (assessment, planned)
}

fn add_facts(assessment: &mut Assessment, planned: &PlannedSnapshot) {
    let (name, row) = (planned.volume().to_string(), &planned.volume().row);
    assessment.reason = format!("LVM snapshot of {name}");
    assessment.estimate.extra_disk_bytes = Some(planned.bytes().unwrap_or(0));
    let kind = if row.is_thin() { "thin" } else { "thick" };
    let facts = [
        ("lvm.volume", name.into()),
        ("lvm.kind", kind.into()),
        ("lvm.group_free_bytes", row.group_free_bytes.into()),
        ("lvm.snapshot_bytes", planned.bytes().into()),
    ];
    assessment.facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
}

/// What is free for a snapshot.
fn storage(planned: &PlannedSnapshot) -> Finding {
    let volume = planned.volume();
    let Some(bytes) = planned.bytes() else {
        let pool = volume.pool_name();
        let Some(percent) = volume.pool.as_ref().and_then(Row::fullest_percent) else {
            let what = format!("LVM does not tell how full thin pool {pool} is");
            return finding(Severity::Warning, what, Some(Remedy::Command(format!("lvs {pool}"))));
        };
        let what = format!("thin pool {pool} is {percent:.1} % full");
        return if percent > WORRYING_POOL_PERCENT {
            let remedy = Remedy::Command(format!("lvextend -L +10G {pool}"));
            finding(Severity::Warning, what, Some(remedy))
        } else {
            finding(Severity::Good, what, None)
        };
    };
    let (group, free) = (&volume.row.group, mebibytes(volume.row.group_free_bytes));
    let needed = mebibytes(bytes);
    let what = format!(
        "volume group {group} has {free} free (vgs {group}), and the snapshot of {volume} takes \
         {needed} of it"
    );
    finding(Severity::Good, what, None)
}

fn look(paths: &ServerPaths, options: &Options, host: &Host) -> Result<PlannedSnapshot, LvmError> {
    let volume = Volume::holding(&paths.places()?, options, host)?;
    PlannedSnapshot::of(volume, "assess", options)
}

impl LvmError {
    /// The way out as a command where one does it, else as advice.
    fn remedy(&self) -> Option<Remedy> {
        let hint = self.hint()?;
        Some(match self {
            Self::PoolFull { .. } => Remedy::Command(hint),
            _ => Remedy::Advice(hint),
        })
    }
}
