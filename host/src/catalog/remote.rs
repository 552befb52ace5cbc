//! The backups of a place that an engine serves.
use super::{BackupHead, Catalog, CatalogEntry, CatalogError, NOT_ENDED, parse_head};
use crate::{
    exit::Failure,
    manifest::ManifestError,
    pipeline::Encoding,
    remote::{Place, Refusal, RemoteError, RemoteTarget, TargetPlace},
    supervisor::{CancelFlag, Runtime},
    target::{COORDINATES_ENDING, MANIFEST_ENDING, MARKER_ENDING},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

/// Digits of the number of an object that continues another.
const NUMBER_DIGITS: usize = 4;

impl Catalog {
    /// Looks through a place, or at one artefact there: the same as [`scan`](Catalog::scan) does for a
    /// path. What lies deeper, behind a further slash, belongs to other locations.
    ///
    /// # Errors
    /// [`CatalogError`] if the place cannot be listed.
    pub fn at(
        place: &Place,
        runtime: &Runtime<'_>,
        cancel: &CancelFlag,
    ) -> Result<Self, CatalogError> {
        match place {
            Place::Local(path) => Self::scan(path),
            Place::Target(place) => {
                let target = RemoteTarget::open(place, runtime, cancel)?;
                if is_artefact(&target, place)? {
                    return Self::of_target(&target);
                }
                Self::of_target(&RemoteTarget::open(&place.as_folder(), runtime, cancel)?)
            }
        }
    }

    fn of_target(target: &Arc<RemoteTarget>) -> Result<Self, CatalogError> {
        let place = target.place();
        let listed = target.list(&place.name)?.objects.into_iter();
        let sizes: BTreeMap<String, u64> = listed
            .filter(|object| !object.key.contains('/'))
            .map(|object| (object.key, object.size_bytes))
            .collect();
        let mut entries = Vec::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for name in sizes.keys().filter_map(|key| key.strip_suffix(MANIFEST_ENDING)) {
            known.insert(name.to_owned());
            let head = match head(target, name) {
                Ok(head) => head,
                // It has gone since the list was made.
                Err(error) if error.refusal() == Some(Refusal::Missing) => continue,
                // Such as one that a rule has moved into an archive: the others are as good as before.
                Err(error) if error.refusal() == Some(Refusal::Denied) => {
                    let why =
                        format!("its manifest cannot be read: {}", Failure::from(error).chain());
                    entries.push(CatalogEntry::incomplete(Place::from(place.named(name)), why));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if let Ok(head) = &head {
                known.extend(head.objects.iter().map(|object| object.name.clone()));
            }
            let sizes = with_others(target, &sizes, head.as_ref().ok())?;
            entries.push(entry(place.named(name), head, &sizes));
        }
        let others: BTreeSet<&str> = sizes.keys().filter_map(|key| artefact_of(key)).collect();
        for name in others.into_iter().filter(|name| !known.contains(*name)) {
            let is_running = sizes.contains_key(&format!("{name}{MARKER_ENDING}"));
            let why = if is_running { NOT_ENDED } else { "there is no manifest" };
            let artefact = Place::from(place.named(name));
            entries.push(CatalogEntry {
                unfinished: is_running,
                ..CatalogEntry::incomplete(artefact, why.to_owned())
            });
        }
        // Of one artefact, what else begins like it is none of its business.
        entries.retain(|entry| match &entry.artefact {
            Place::Target(found) => place.name.is_empty() || found.name == place.name,
            Place::Local(_) => false,
        });
        if !place.name.is_empty() && entries.is_empty() {
            let artefact = Place::from(place.clone());
            entries.push(CatalogEntry::incomplete(artefact, "there is nothing".to_owned()));
        }
        Ok(Self::sorted(entries))
    }
}

/// Whether the place is an artefact or holds artefacts itself, and names no folder.
fn is_artefact(target: &RemoteTarget, place: &TargetPlace) -> Result<bool, CatalogError> {
    if place.looks_like_artefact() {
        return Ok(true);
    }
    match target.head(&format!("{}{MANIFEST_ENDING}", place.name)) {
        Ok(_) => Ok(true),
        Err(error) if error.refusal() == Some(Refusal::Missing) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The name of the artefact that an object belongs to; none for objects that are not ours.
fn artefact_of(key: &str) -> Option<&str> {
    if key.ends_with(MANIFEST_ENDING) || key.ends_with(COORDINATES_ENDING) {
        return None;
    }
    let name = key.strip_suffix(MARKER_ENDING).unwrap_or(key);
    let name = match name.rsplit_once('.') {
        Some((first, number)) if is_number(number) => first,
        _ => name,
    };
    Encoding::from_output_name(name).is_ok().then_some(name)
}

fn is_number(text: &str) -> bool {
    text.len() == NUMBER_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The head of a backup's manifest.
///
/// # Errors
/// The outer one if the store does not give it, the inner one if it cannot be understood.
pub(crate) fn head(
    target: &Arc<RemoteTarget>,
    name: &str,
) -> Result<Result<BackupHead, ManifestError>, RemoteError> {
    let key = format!("{name}{MANIFEST_ENDING}");
    let path = target.place().named(&key).to_string();
    let bytes = target.read(&key)?;
    Ok(parse_head(bytes.as_slice(), Path::new(&path)))
}

/// Sizes, with those of objects that a look at one artefact alone has not listed: a backup that has
/// replaced another has objects with names of their own.
fn with_others(
    target: &RemoteTarget,
    sizes: &BTreeMap<String, u64>,
    head: Option<&BackupHead>,
) -> Result<BTreeMap<String, u64>, CatalogError> {
    let mut sizes = sizes.clone();
    if target.place().name.is_empty() {
        return Ok(sizes);
    }
    for object in head.iter().flat_map(|head| &head.objects) {
        if sizes.contains_key(&object.name) {
            continue;
        }
        match target.head(&object.name) {
            Ok(facts) => drop(sizes.insert(object.name.clone(), facts.size_bytes)),
            Err(error) if error.refusal() == Some(Refusal::Missing) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sizes)
}

fn entry(
    artefact: TargetPlace,
    head: Result<BackupHead, ManifestError>,
    sizes: &BTreeMap<String, u64>,
) -> CatalogEntry {
    let artefact = Place::from(artefact);
    let head = match head {
        Ok(head) => head,
        Err(error) => return CatalogEntry::incomplete(artefact, Failure::from(error).chain()),
    };
    let missing = head.objects.iter().find_map(|object| match sizes.get(&object.name) {
        None => Some(format!("object {} is missing", object.name)),
        Some(found) if *found != object.size_bytes => {
            let expected = object.size_bytes;
            Some(format!("object {} has {found} bytes instead of {expected}", object.name))
        }
        Some(_) => None,
    });
    CatalogEntry::of_head(artefact, head, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_belong_to_the_artefact_whose_name_they_bear() {
        for (key, artefact) in [
            ("db.tar.gz", Some("db.tar.gz")),
            ("db.tar.gz.0002", Some("db.tar.gz")),
            ("db.tar.gz.run.json", Some("db.tar.gz")),
            ("db.tar.gz.manifest.json", None),
            ("db.tar.gz.coordinates.json", None),
            ("notes.txt", None),
            ("db.tar.gz.2", None),
        ] {
            assert_eq!(artefact_of(key), artefact, "{key}");
        }
    }
}
