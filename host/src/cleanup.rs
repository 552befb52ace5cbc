//! `dbbackup cleanup`: removes what crashed runs left, by their journals and, in a location, by name.
use crate::{
    exit::{Classified, Exit, Failure},
    lock::{LOCK_ENDING, RunLock},
    pipeline::{Encoding, EncodingError},
    remote::{Place, Refusal, RemoteError, RemoteTarget, TargetPlace},
    supervisor::{
        CancelFlag, Observer, Runtime, Secrets,
        undo::{Undo, UndoReport, UndoState},
    },
    target::{
        KEPT_ENDING, MANIFEST_ENDING, MARKER_ENDING, PARTIAL_ENDING, TargetError, durable,
        kept_artefact, recover,
    },
};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

mod replaced;
mod uploads;

/// What was cleaned up, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CleanupReport {
    /// What the journals of crashed runs named.
    pub undone: Vec<UndoReport>,
    /// What the location held besides.
    pub leftovers: Vec<Leftover>,
}

/// What is to be cleaned up.
#[derive(Clone, Debug, Default)]
pub struct CleanupRequest {
    /// Where to look besides the journals.
    pub location: Option<Place>,
    /// Say what would be removed, and remove nothing.
    pub dry_run: bool,
    /// At a place: remove every unfinished upload of at least this age, whoever began it.
    pub all_uploads_older_than: Option<Duration>,
}

/// A file, upload or object in a location that a crashed run left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// The file, upload or object.
    #[serde(rename = "path")]
    pub what: String,
    /// What became of it.
    pub state: UndoState,
}

impl CleanupReport {
    /// True if something stays that should have gone.
    pub fn is_incomplete(&self) -> bool {
        let left = |state: &UndoState| matches!(state, UndoState::Left { .. });
        self.undone.iter().any(|report| left(&report.state))
            || self.leftovers.iter().any(|leftover| left(&leftover.state))
    }
}

/// Cleans up after crashed runs of this user, and in a location if one is given.
///
/// # Errors
/// A [`Failure`] if journals or the location cannot be read; single things that cannot be removed
/// are in the report.
pub fn run(
    request: &CleanupRequest,
    runtime: &Runtime<'_>,
    secrets: &Secrets,
    observer: &dyn Observer,
    cancel: &CancelFlag,
) -> Result<CleanupReport, Failure> {
    let undo = Undo { runtime, secrets, observer, cancel, dry_run: request.dry_run };
    let undone = undo.abandoned()?;
    let leftovers = match &request.location {
        Some(Place::Local(path)) => clean_location(path, request.dry_run)?,
        Some(Place::Target(place)) => clean_place(place, request, runtime, cancel)?,
        None => Vec::new(),
    };
    Ok(CleanupReport { undone, leftovers })
}

/// There is nothing where it was to be cleaned up, so that the name is more likely wrong.
#[derive(Debug, thiserror::Error)]
#[error("{place} is neither a backup nor a folder with anything in it")]
struct NothingThere {
    place: String,
    /// Endings that would make it a backup's name without a look.
    source: EncodingError,
}

/// Uploads and markers first: what they name is no leftover of a replacement.
fn clean_place(
    place: &TargetPlace,
    request: &CleanupRequest,
    runtime: &Runtime<'_>,
    cancel: &CancelFlag,
) -> Result<Vec<Leftover>, Failure> {
    let target = RemoteTarget::open(place, runtime, cancel)?;
    if place.looks_like_artefact() || has_run_or_manifest(&target)? {
        return clean_target(&target, request);
    }
    let folder = RemoteTarget::open(&place.as_folder(), runtime, cancel)?;
    let leftovers = clean_target(&folder, request)?;
    match Encoding::from_output_name(&place.name) {
        Err(source) if leftovers.is_empty() && folder.list("")?.objects.is_empty() => {
            Err(NothingThere { place: place.to_string(), source }.into())
        }
        _ => Ok(leftovers),
    }
}

fn clean_target(
    target: &Arc<RemoteTarget>,
    request: &CleanupRequest,
) -> Result<Vec<Leftover>, Failure> {
    let mut leftovers = uploads::clean(target, request)?;
    leftovers.extend(replaced::clean(target, request)?);
    Ok(leftovers)
}

/// True if a run has made the place's name that of a backup, whatever it ends in.
fn has_run_or_manifest(target: &RemoteTarget) -> Result<bool, RemoteError> {
    for ending in [MANIFEST_ENDING, MARKER_ENDING] {
        match target.head(&format!("{}{ending}", target.place().name)) {
            Ok(_) => return Ok(true),
            Err(error) if error.refusal() == Some(Refusal::Missing) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Removes partial files whose run is gone, and ends interrupted replacements.
fn clean_location(location: &Path, dry_run: bool) -> Result<Vec<Leftover>, TargetError> {
    let failed = |source| TargetError::io("look through", location, source);
    let mut leftovers = Vec::new();
    for entry in fs::read_dir(location).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(artefact) = artefact_of_leftover(&path) else { continue };
        let cleaned = if dry_run {
            match RunLock::is_held(&artefact) {
                Ok(true) => continue,
                held => held.map(|_| UndoState::WouldUndo),
            }
        } else {
            match RunLock::acquire(&artefact) {
                // A live run's: nothing was left.
                Err(TargetError::Locked { .. }) => continue,
                lock => lock.and_then(|lock| {
                    clean(&path, &artefact)?;
                    lock.release().map(|()| UndoState::Undone)
                }),
            }
        };
        let state =
            cleaned.unwrap_or_else(|error| UndoState::Left { why: Failure::from(error).chain() });
        leftovers.push(Leftover { what: path.display().to_string(), state });
    }
    leftovers.sort_by(|a, b| a.what.cmp(&b.what));
    Ok(leftovers)
}

fn clean(path: &Path, artefact: &Path) -> Result<(), TargetError> {
    recover(artefact)?;
    if path.to_string_lossy().ends_with(PARTIAL_ENDING) {
        durable::remove_file(path)
    } else {
        Ok(())
    }
}

/// The artefact that a leftover belongs to; none for everything else. Directories are left to the
/// journals: a name alone is not enough to remove a tree.
fn artefact_of_leftover(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    if path.is_dir() {
        return None;
    }
    // A lock of ours is empty.
    if name.ends_with(LOCK_ENDING) && fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return None;
    }
    let artefact = match (name.strip_suffix(PARTIAL_ENDING), name.strip_suffix(LOCK_ENDING)) {
        (Some(partial), _) => {
            let partial = partial.strip_suffix(MANIFEST_ENDING).unwrap_or(partial);
            partial.strip_suffix(KEPT_ENDING).unwrap_or(partial)
        }
        (None, Some(locked)) => locked,
        (None, None) => return kept_artefact(path),
    };
    Encoding::from_output_name(artefact).is_ok().then(|| path.with_file_name(artefact))
}

impl Classified for NothingThere {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn code(&self) -> String {
        "E-CLEANUP-PLACE".to_owned()
    }

    fn hint(&self) -> Option<String> {
        Some("look at its name; an address of a folder may end in /".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_tell_their_artefact_by_name() {
        let of = |name: &str| artefact_of_leftover(Path::new(name));
        let artefact = Some(PathBuf::from("db.tar.gz"));
        for ending in [
            ".partial",
            ".manifest.json.partial",
            ".replaced.manifest.json.partial",
            ".lock",
            ".replaced",
        ] {
            assert_eq!(of(&format!("db.tar.gz{ending}")), artefact, "{ending}");
        }
        for other in ["db.tar.gz", "db.tar.gz.manifest.json", "notes.partial", "apt.lock"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
