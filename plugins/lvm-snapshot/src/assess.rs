//! What the engine says of an environment: the server's side from the sdk, the volume from here.
//! Nothing is changed.

use dbbackup_sdk::{
    Classify, Host,
    document::{
        assessment::{Assessment, Blocker, Remedy},
        environment::Environment,
    },
    snapshot::{self, ServerPaths},
};

use crate::{
    PAGE_WRITES, error::LvmError, options::Options, shown, snapshot::PlannedSnapshot,
    volume::Volume,
};

/// Judges an environment.
pub(crate) fn assess(environment: &Environment, options: &Options, host: &Host) -> Assessment {
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
    if let Some(Ok(planned)) = found {
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
    assessment
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
