//! What the engine says of an environment: the server's side from the sdk, the volume from here.
//! Nothing is changed.

use dbbackup_sdk::{
    Classify,
    document::{
        assessment::{Assessment, Blocker, Remedy},
        environment::Environment,
    },
    shown,
    snapshot::{self, ServerPaths},
};
use std::os::unix::fs::MetadataExt;

use crate::{
    PAGE_WRITES, btrfs::Subvolume, error::BtrfsError, options::Options, snapshot::PlannedSnapshot,
};

/// Judges an environment.
pub(crate) fn assess(environment: &Environment, options: &Options) -> Assessment {
    let found = match ServerPaths::proven_local(environment) {
        Ok(paths) => Some(look(&paths, options)),
        // That is a blocker on the server's side already.
        Err(_) => None,
    };
    let volume = match &found {
        Some(Err(error)) => {
            vec![Blocker { what: shown(error), remedy: error.hint().map(Remedy::Advice) }]
        }
        Some(Ok(found)) => owner_blocker(found).into_iter().collect(),
        None => Vec::new(),
    };
    let mut assessment = snapshot::assessment(environment, PAGE_WRITES, volume);
    if let Some(Ok(found)) = found {
        assessment.reason = format!("Btrfs snapshot of {}", found.subvolume);
        let facts = [
            ("btrfs.subvolume", found.subvolume.into()),
            ("btrfs.subvolume_id", found.id.into()),
            ("btrfs.snapshot_directory", found.place.into()),
        ];
        assessment.facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
    }
    assessment
}

/// What was found out about the volume.
struct Found {
    subvolume: String,
    id: u64,
    place: String,
    may_snapshot: bool,
}

fn look(paths: &ServerPaths, options: &Options) -> Result<Found, BtrfsError> {
    let subvolume = Subvolume::holding(&paths.places()?, options)?;
    let planned = PlannedSnapshot::of(&subvolume, "assess", options)?;
    let owner =
        subvolume.file.metadata().map_err(BtrfsError::io("look at", &subvolume.root))?.uid();
    let user = rustix::process::geteuid();
    Ok(Found {
        subvolume: subvolume.root.display().to_string(),
        id: subvolume.identity.id,
        place: planned.place().display().to_string(),
        may_snapshot: user.is_root() || user.as_raw() == owner,
    })
}

fn owner_blocker(found: &Found) -> Option<Blocker> {
    (!found.may_snapshot).then(|| Blocker {
        what: format!("only root and its owner may snapshot {}", found.subvolume),
        remedy: Some(Remedy::Advice("run as root, or as the owner of the subvolume".to_owned())),
    })
}
