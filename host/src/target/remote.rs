//! A backup at a place that an engine serves: its objects first, the manifest last.
//!
//! A store has no rename, so that nothing is written under a name that an old backup has: objects that
//! replace one get a name of their own, which the manifest says. The old backup stays whole until the
//! new manifest takes the place of its own, in one step, and its objects go afterwards.
use super::{Existing, MANIFEST_ENDING};
use crate::{
    artefact::remote_manifest,
    exit::{Classified, Exit, Failure},
    manifest,
    pipeline::Encoding,
    remote::{Refusal, RemoteError, RemoteTarget, TargetPlace},
    supervisor::{
        CancelFlag, Runtime,
        host_record::HostRecord,
        job::TargetOutput,
        journal::{Journal, JournalError},
        message::RecordOwner,
        runtime::is_run_id,
        undo::never_cancelled,
    },
};
use dbbackup_plugin_api::document::{
    manifest::{Manifest, ObjectRecord},
    target::ObjectFacts,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Ending of the object that says that a run is at work.
pub(crate) const MARKER_ENDING: &str = ".run.json";

/// How long a place in trouble is asked for the objects, before the manifest is put.
const LONGEST_OUTAGE: Duration = Duration::from_secs(15 * 60);
/// Most looks within that. Each of them the engine has tried again, as long as it does by itself.
const MOST_LOOKS: u32 = 30;
/// Time between two of them, for an engine that gives up at once.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Why a place is not written to.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Something of that name is there.
    #[error("{name} exists")]
    Exists {
        /// The object or manifest.
        name: String,
    },
    /// An object of this run is not what it was any more.
    #[error("{name} is not what this run has written")]
    Changed {
        /// The object.
        name: String,
    },
    /// The store has not answered, so that the manifest may be there, or come to be.
    #[error("whether {manifest} was written is not known")]
    InDoubt {
        /// The manifest.
        manifest: String,
        /// What became of the request.
        source: Box<RemoteError>,
    },
    /// The name says nothing.
    #[error("{place} names no backup")]
    NoName {
        /// The place.
        place: String,
    },
}

/// A name at a place that this run writes to.
#[derive(Debug)]
pub(crate) struct RemoteOutput {
    place: TargetPlace,
    /// Name of the first object; that of the backup, unless it replaces one.
    object: String,
    existing: Existing,
    /// The backup that is replaced.
    old: Option<Manifest>,
    /// Objects under the backup's own name, whether a manifest vouches for them or not, which make way
    /// too.
    in_the_way: Vec<String>,
}

impl RemoteOutput {
    /// Refuses what is there; nothing is written yet. With credentials that may only write, nobody can
    /// say what is there: the store itself then refuses to write over it.
    pub(crate) fn claim(
        place: &TargetPlace,
        existing: Existing,
        backup_id: &str,
        runtime: &Runtime<'_>,
        cancel: &CancelFlag,
    ) -> Result<Self, Failure> {
        if place.name.is_empty() {
            return Err(PlaceError::NoName { place: place.to_string() }.into());
        }
        let target = RemoteTarget::open(place, runtime, cancel)?;
        let [manifest, object, continued] = look(&target)?;
        if existing == Existing::Refuse {
            refuse_what_is_there(place, [&manifest, &object, &continued])?;
        }
        let old = match manifest.found {
            Found::There => Some(remote_manifest(&target)?),
            Found::Nothing | Found::Unknown => None,
        };
        let in_the_way = match existing {
            Existing::Refuse => Vec::new(),
            Existing::Replace => under_the_name(&target, [&object, &continued])?,
        };
        let found = [manifest.found, object.found, continued.found];
        // Also a continuation alone, of any number: the run would come upon it hours later.
        let is_taken = found != [Found::Nothing; 3] || !in_the_way.is_empty();
        let may_replace = existing == Existing::Replace && is_taken;
        if may_replace && [manifest.found, object.found].contains(&Found::Unknown) {
            tracing::warn!(
                "these keys may not look what is at {place}: what is replaced there stays, and goes by \
                 keys that may"
            );
        }
        let object = if may_replace { stamped(&place.name, backup_id) } else { object.name };
        Ok(Self { place: place.clone(), object, existing, old, in_the_way })
    }

    /// What the worker writes.
    pub(crate) fn worker_output(&self, expected_bytes: Option<u64>) -> TargetOutput {
        TargetOutput {
            place: self.place.named(&self.object),
            manifest_name: self.manifest_name(),
            // A name of our own is nobody else's either.
            if_absent: true,
            expected_bytes,
        }
    }

    /// The place.
    pub(crate) fn place(&self) -> &TargetPlace {
        &self.place
    }

    fn manifest_name(&self) -> String {
        format!("{}{MANIFEST_ENDING}", self.place.name)
    }

    /// Puts the manifest, which makes the objects a backup, and removes what is not needed any more.
    /// On an error there is the old backup, or none, as before the run; unless nobody knows, which the
    /// journal says: then the objects stay until no manifest can come to name them any more.
    pub(crate) fn commit(
        self,
        manifest: &Manifest,
        markers: &[String],
        runtime: &Runtime<'_>,
        journal: &mut Journal,
    ) -> Result<TargetPlace, Failure> {
        let target = self.put_manifest(manifest, runtime, journal)?;
        // Nothing that goes wrong from here on makes the backup less of one.
        let old = self.old.iter().flat_map(|old| self.own_objects(old));
        let kept: Vec<_> = manifest.objects.iter().map(|object| &object.name).collect();
        let coordinates = self.old.is_some().then(|| self.coordinates_name());
        let mut gone: Vec<&String> = old.chain(&self.in_the_way).collect();
        gone.sort_unstable();
        gone.dedup();
        gone.retain(|name| !kept.contains(name));
        let gone = gone.into_iter().chain(&coordinates).chain(markers);
        for name in gone {
            let Err(error) = target.delete(name) else { continue };
            let (what, is_denied) =
                (self.place.named(name), error.refusal() == Some(Refusal::Denied));
            let why = Failure::from(error).chain();
            tracing::warn!("{what} is not needed any more and stays: {why}");
            if !is_denied {
                // A store in trouble would be waited for again and again.
                break;
            }
        }
        Ok(self.place)
    }

    /// Puts the manifest, and answers where it was put: the place may be served by another worker then.
    ///
    /// Where there is an old backup to lose, the doubt is in the journal before the store is asked: whoever
    /// finds this run dead must not take the objects from under a manifest that is still on its way.
    fn put_manifest(
        &self,
        manifest: &Manifest,
        runtime: &Runtime<'_>,
        journal: &mut Journal,
    ) -> Result<Arc<RemoteTarget>, Failure> {
        let target = RemoteTarget::open(&self.place, runtime, never_cancelled())?;
        let name = self.manifest_name();
        let bytes = manifest::to_bytes(manifest)?;
        expect_objects(&target, manifest)?;
        let doubted = match &self.old {
            Some(_) => Some(self.doubt(journal)?),
            None => None,
        };
        let put = target.put(&name, self.existing == Existing::Refuse, &bytes);
        let Err(error) = put else {
            settle(journal, doubted);
            return Ok(target);
        };
        // A worker that is gone says nothing more, and the store may.
        let asked = match &error {
            RemoteError::Refused { .. } => Ok(target),
            RemoteError::Worker(_) | RemoteError::Answer { .. } => {
                RemoteTarget::open(&self.place, runtime, never_cancelled())
            }
        };
        let error = match asked.map(|target| (confirm(&target, manifest, error), target)) {
            Ok((Ok(()), target)) => {
                settle(journal, doubted);
                return Ok(target);
            }
            Ok((Err(error), _)) | Err(error) => error,
        };
        if !may_be_done(&error, self.old.is_some()) {
            settle(journal, doubted);
            return Err(error.into());
        }
        // The hour begins now, and not before the store was asked.
        self.doubt(journal)?;
        settle(journal, doubted);
        let manifest = self.place.named(name).to_string();
        Err(PlaceError::InDoubt { manifest, source: Box::new(error) }.into())
    }

    /// Notes down that the manifest may be there, or come to be.
    fn doubt(&self, journal: &mut Journal) -> Result<u64, JournalError> {
        let manifest = self.place.named(self.manifest_name()).to_string();
        let engine = self.place.engine.engine.clone();
        let record = HostRecord::commit_in_doubt(manifest, engine).to_undo_record()?;
        journal.record(RecordOwner::Host, record)
    }

    /// The objects of the backup that is replaced, as far as they bear its name: a manifest that was copied
    /// from elsewhere names those of another backup, which stay.
    fn own_objects<'m>(&'m self, old: &'m Manifest) -> impl Iterator<Item = &'m String> {
        let names = [self.place.name.clone(), stamped(&self.place.name, &old.id)];
        old.objects.iter().map(|object| &object.name).filter(move |name| {
            let is_own = names.iter().any(|own| bears(name, own));
            if !is_own {
                tracing::warn!(
                    "{name} does not bear the name of the backup that was replaced, and stays"
                );
            }
            is_own
        })
    }

    fn coordinates_name(&self) -> String {
        format!("{}{}", self.place.name, super::COORDINATES_ENDING)
    }
}

/// The objects that bear the name; those that were looked at if these keys may not list.
fn under_the_name(target: &RemoteTarget, looked: [&Looked; 2]) -> Result<Vec<String>, RemoteError> {
    let name = &target.place().name;
    let listed = match target.list(name) {
        Ok(listed) => listed.objects,
        Err(error) if error.refusal() == Some(Refusal::Denied) => {
            let there = looked.into_iter().filter(|looked| looked.found == Found::There);
            return Ok(there.map(|looked| looked.name.clone()).collect());
        }
        Err(error) => return Err(error),
    };
    let keys = listed.into_iter().map(|object| object.key);
    Ok(keys.filter(|key| bears(key, name)).collect())
}

/// True for the object of this name and for those that continue it.
fn bears(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || is_continuation(rest))
}

/// `.0002` and so on.
fn is_continuation(ending: &str) -> bool {
    ending
        .strip_prefix('.')
        .is_some_and(|number| number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The bytes are there that the manifest will vouch for: after a long pause of this run, somebody may have
/// cleaned them up. Keys that may not look believe what was confirmed when they were written.
fn expect_objects(target: &RemoteTarget, manifest: &Manifest) -> Result<(), Failure> {
    let patience = Patience { until: Instant::now() + LONGEST_OUTAGE, pause: LOOK_PAUSE };
    for object in &manifest.objects {
        match patience.ask(|| target.head(&object.name)) {
            Ok(facts) if is_unchanged(&facts, object) => {}
            Ok(_) => {
                let name = target.place().named(&object.name).to_string();
                return Err(PlaceError::Changed { name }.into());
            }
            Err(error) if error.refusal() == Some(Refusal::Denied) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// How a place in trouble is asked again. The worker is a new one, and its engine gives up within seconds
/// on a place that it has never reached; here hours of bytes hang on the answer.
#[derive(Clone, Copy)]
struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn ask<T>(self, mut ask: impl FnMut() -> Result<T, RemoteError>) -> Result<T, RemoteError> {
        let mut looks = 1;
        loop {
            match ask() {
                Err(error) if error.is_retryable() && self.is_left(looks) => {
                    looks += 1;
                    tracing::info!(%error, looks, "the place is in trouble and is asked again");
                    never_cancelled().sleep(self.pause);
                }
                answer => return answer,
            }
        }
    }

    fn is_left(self, looks: u32) -> bool {
        looks < MOST_LOOKS && Instant::now() < self.until
    }
}

/// Size and checksum are what the manifest says, as far as both sides know a checksum of one kind.
fn is_unchanged(facts: &ObjectFacts, object: &ObjectRecord) -> bool {
    let differs = match (&facts.checksum, &object.checksum) {
        (Some(there), Some(written)) => algorithm(there) == algorithm(written) && there != written,
        _ => false,
    };
    facts.size_bytes == object.size_bytes && !differs
}

/// The part of a checksum before its value.
fn algorithm(checksum: &str) -> Option<&str> {
    checksum.split_once(':').map(|(algorithm, _)| algorithm)
}

/// A manifest that could not be put may be there all the same: the answer was lost.
fn confirm(
    target: &Arc<RemoteTarget>,
    manifest: &Manifest,
    error: RemoteError,
) -> Result<(), RemoteError> {
    match remote_manifest(target) {
        Ok(there) if there.id == manifest.id => Ok(()),
        Ok(_) | Err(_) => Err(error),
    }
}

/// True if the manifest may have been written, or may still be: the request was not answered, or the worker
/// that has sent it is gone. The latter counts where there is an old backup to lose; else a late manifest is
/// the manifest of nothing, and says so.
fn may_be_done(error: &RemoteError, replaces: bool) -> bool {
    match error {
        RemoteError::Refused { refusal, .. } => *refusal == Refusal::Unanswered,
        RemoteError::Worker(_) | RemoteError::Answer { .. } => replaces,
    }
}

/// Ticks a doubt off that there is none about any more. One that stays costs an hour of patience.
fn settle(journal: &mut Journal, doubted: Option<u64>) {
    if let Some(number) = doubted
        && let Err(error) = journal.done(number)
    {
        let error = Failure::from(error).chain();
        tracing::warn!(error, "the journal still doubts whether the manifest was written");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    There,
    Nothing,
    /// These credentials may not look.
    Unknown,
}

/// A name, and what is there.
struct Looked {
    name: String,
    found: Found,
}

impl Looked {
    fn at(target: &RemoteTarget, name: String) -> Result<Self, RemoteError> {
        let found = match target.head(&name) {
            Ok(_) => Found::There,
            Err(error) => match error.refusal() {
                Some(Refusal::Missing) => Found::Nothing,
                Some(Refusal::Denied) => Found::Unknown,
                _ => return Err(error),
            },
        };
        Ok(Self { name, found })
    }
}

/// What is at the names that a backup takes: its manifest, its first object, and the one that continues it.
fn look(target: &RemoteTarget) -> Result<[Looked; 3], RemoteError> {
    let name = &target.place().name;
    let manifest = Looked::at(target, format!("{name}{MANIFEST_ENDING}"))?;
    let object = Looked::at(target, name.clone())?;
    let continued = Looked::at(target, format!("{name}.0002"))?;
    Ok([manifest, object, continued])
}

/// The name of the first that is there is the one that the operator hears.
fn refuse_what_is_there(place: &TargetPlace, looked: [&Looked; 3]) -> Result<(), PlaceError> {
    match looked.into_iter().find(|looked| looked.found == Found::There) {
        Some(there) => Err(PlaceError::Exists { name: place.named(&there.name).to_string() }),
        None => Ok(()),
    }
}

/// A name that no other run has, with the same ending.
fn stamped(name: &str, backup_id: &str) -> String {
    let ending = Encoding::from_output_name(name).map(|encoding| encoding.to_string());
    let ending = ending.map(|ending| format!(".{}", ending.trim_start_matches('.')));
    match ending.as_deref().ok().and_then(|ending| Some((name.strip_suffix(ending)?, ending))) {
        Some((stem, ending)) => format!("{stem}.{backup_id}{ending}"),
        None => format!("{name}.{backup_id}"),
    }
}

/// The first object that a key belongs to, and the name of the backup that objects of this name are a part
/// of: their own, or the one that [`stamped`] made them from. None for what no backup writes.
pub(crate) fn artefact_of_object(key: &str) -> Option<(&str, String)> {
    let object = match key.rsplit_once('.') {
        Some((first, _)) if is_continuation(key.strip_prefix(first)?) => first,
        _ => key,
    };
    let ending = Encoding::from_output_name(object).ok()?.to_string();
    let ending = format!(".{}", ending.trim_start_matches('.'));
    let unstamped = object
        .strip_suffix(&ending)
        .and_then(|stem| stem.rsplit_once('.'))
        .filter(|(_, id)| is_run_id(id))
        .map(|(stem, _)| format!("{stem}{ending}"));
    Some((object, unstamped.unwrap_or_else(|| object.to_owned())))
}

impl Classified for PlaceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } => Exit::Refused,
            Self::Changed { .. } | Self::InDoubt { .. } => Exit::Target,
            Self::NoName { .. } => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Exists { .. } => "choose another name, or replace it with --force",
            Self::Changed { .. } => {
                "somebody else writes or cleans up there: look who, and run it again"
            }
            Self::InDoubt { .. } => {
                "dbbackup list tells whether there is a backup; what this run has written stays for an \
                 hour, and dbbackup cleanup then removes it if no manifest names it"
            }
            Self::NoName { .. } => "end it with a name, such as s3://bucket/path/backup.tar.gz",
        };
        Some(text.to_owned())
    }

    fn code(&self) -> String {
        match self {
            Self::Exists { .. } => "E-TARGET-EXISTS".to_owned(),
            Self::Changed { .. } => "E-TARGET-CHANGED".to_owned(),
            Self::InDoubt { .. } => "E-TARGET-IN-DOUBT".to_owned(),
            Self::NoName { .. } => "E-TARGET-NAME".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
