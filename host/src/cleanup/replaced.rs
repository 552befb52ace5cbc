//! Objects of a backup that another has replaced at a place, where the run that replaced it was ended
//! before it could remove them. Its journal knows nothing of them, and its marker names its own alone.
use super::{CleanupRequest, Leftover};
use crate::{
    catalog::remote_head,
    exit::Failure,
    remote::{RemoteError, RemoteTarget},
    supervisor::undo::UndoState,
    target::{MANIFEST_ENDING, MARKER_ENDING, artefact_of_object},
};
use std::{collections::BTreeSet, sync::Arc};

/// Removes what bears the name of a backup that is there, and is vouched for by no manifest. Of a folder
/// those of all its backups, else those of the place's own name.
pub(super) fn clean(
    target: &Arc<RemoteTarget>,
    request: &CleanupRequest,
) -> Result<Vec<Leftover>, Failure> {
    let keys = keys_of(target)?;
    let own = &target.place().name;
    let candidates: Vec<&String> = keys
        .iter()
        .filter(|key| {
            artefact_replaced(key, &keys).is_some_and(|name| own.is_empty() || name == *own)
        })
        .collect();
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let Some(named) = objects_of_manifests(target, &keys)? else { return Ok(Vec::new()) };
    let leftovers = candidates.into_iter().filter(|key| !named.contains(*key)).map(|key| {
        let state = match request.dry_run {
            true => UndoState::WouldUndo,
            false => match target.delete(key) {
                Ok(()) => UndoState::Undone,
                Err(error) => UndoState::Left { why: Failure::from(error).chain() },
            },
        };
        let what = format!("object {} of a backup that was replaced", target.place().named(key));
        Leftover { what, state }
    });
    Ok(leftovers.collect())
}

/// Everything in the folder; what lies deeper belongs to other locations.
fn keys_of(target: &RemoteTarget) -> Result<BTreeSet<String>, RemoteError> {
    let keys = target.list("")?.objects.into_iter().map(|object| object.key);
    Ok(keys.filter(|key| !key.contains('/')).collect())
}

/// The name of the backup that an object may have been a part of before another took its place: one with a
/// manifest, at which no run is at work.
fn artefact_replaced(key: &str, keys: &BTreeSet<String>) -> Option<String> {
    let with = |name: &str, ending: &str| keys.contains(&format!("{name}{ending}"));
    let (object, name) = artefact_of_object(key)?;
    let is_artefact_itself = object != name && with(object, MANIFEST_ENDING);
    let is_replaced = with(&name, MANIFEST_ENDING) && !with(&name, MARKER_ENDING);
    (is_replaced && !is_artefact_itself).then_some(name)
}

/// What all manifests of the folder name; nothing if one of them cannot be read, because it may be the one
/// that needs an object.
fn objects_of_manifests(
    target: &Arc<RemoteTarget>,
    keys: &BTreeSet<String>,
) -> Result<Option<BTreeSet<String>>, Failure> {
    let mut named = BTreeSet::new();
    for name in keys.iter().filter_map(|key| key.strip_suffix(MANIFEST_ENDING)) {
        let why = match remote_head(target, name) {
            Ok(Ok(head)) => {
                named.extend(head.objects.into_iter().map(|object| object.name));
                continue;
            }
            Ok(Err(error)) => Failure::from(error).chain(),
            Err(error) if error.refusal().is_some() => Failure::from(error).chain(),
            Err(error) => return Err(error.into()),
        };
        let name = target.place().named(name);
        tracing::warn!(
            "objects of replaced backups stay: the manifest of {name} cannot be read: {why}"
        );
        return Ok(None);
    }
    Ok(Some(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_bears_the_name_of_a_backup_that_is_there_may_have_been_replaced() {
        let id = "20261201T122457Z-b158c3";
        let keys: BTreeSet<String> = [
            "db.tar.gz.manifest.json",
            "busy.tar.gz.manifest.json",
            "busy.tar.gz.run.json",
            &format!("named.{id}.sql.manifest.json"),
            "named.sql.manifest.json",
        ]
        .map(str::to_owned)
        .into();
        let replaced = |key: &str| artefact_replaced(key, &keys);
        for key in ["db.tar.gz", "db.tar.gz.0002"] {
            assert_eq!(replaced(key).as_deref(), Some("db.tar.gz"), "{key}");
        }
        for key in [format!("db.{id}.tar.gz"), format!("db.{id}.tar.gz.0003")] {
            assert_eq!(replaced(&key).as_deref(), Some("db.tar.gz"), "{key}");
        }
        for key in [
            format!("busy.{id}.tar.gz"),
            format!("other.{id}.tar.gz"),
            format!("named.{id}.sql"),
            format!("db.{id}.tar.gz.manifest.json"),
            "db.monday.tar.gz".to_owned(),
            "db.tar.gz.manifest.json".to_owned(),
            "db.tar.gz.txt".to_owned(),
            "notes.txt".to_owned(),
        ] {
            assert_eq!(replaced(&key), None, "{key}");
        }
    }
}
