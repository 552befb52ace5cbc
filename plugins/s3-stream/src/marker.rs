//! Run markers: `<name>.run.json` beside a backup says that a run is at work on it, where, and what
//! it has begun. It is there before anything else and goes after the manifest. Its heartbeat is the
//! time at which the store saw it last, so that no clock but the store's matters.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use dbbackup_sdk::{document::target::RunMarker, runtime, shown};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::{
    attend::CANCELLED_DEADLINE,
    error::S3Error,
    leftovers::Sweep,
    refusal::Refusal,
    store::{Facts, Kind, Put, Store},
};

/// Ending of a marker's key.
pub(crate) const MARKER_ENDING: &str = ".run.json";
/// Ending of a manifest's key, whose rest is the name of the backup.
const MANIFEST_ENDING: &str = ".manifest.json";
const SCHEMA: &str = "dbbackup.run-marker/1";
/// Time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// A run that was not heard of for so long is at an end.
pub(crate) const SILENCE: Duration = Duration::from_secs(3600);

/// Largest marker that is read: whatever is larger is none.
const MOST_MARKER_BYTES: u64 = 1 << 20;

/// What a marker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    schema: String,
    /// Id of the run's backup.
    pub(crate) run_id: String,
    /// Where it runs.
    pub(crate) host: String,
    /// When it was written, for readers; what counts is when the store saw it.
    heartbeat: String,
    /// Key of the manifest in the bucket.
    pub(crate) manifest_key: String,
    /// What the run has begun.
    pub(crate) objects: Vec<MarkedObject>,
}

/// An object that a run writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MarkedObject {
    /// Key in the bucket.
    pub(crate) key: String,
    /// Id of its upload, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload_id: Option<String>,
}

impl Marker {
    /// What the host sees of it, at a time of the store's.
    pub(crate) fn to_document(&self, facts: &Facts, time_there: SystemTime) -> RunMarker {
        RunMarker {
            run_id: self.run_id.clone(),
            host: self.host.clone(),
            silent_s: age(facts.modified.as_ref(), time_there).as_secs(),
        }
    }
}

/// Key of the marker of a backup, from that of its manifest.
pub(crate) fn marker_key(manifest_key: &str) -> String {
    let name = manifest_key.strip_suffix(MANIFEST_ENDING).unwrap_or(manifest_key);
    format!("{name}{MARKER_ENDING}")
}

/// A time as documents hold it.
pub(crate) fn rfc3339(time: &DateTime) -> Option<String> {
    time.fmt(DateTimeFormat::DateTime).ok()
}

/// Reads a marker; none if there is none.
///
/// # Errors
/// [`S3Error::ForeignMarker`] if it is none of ours.
pub(crate) async fn read(store: &Store, key: &str) -> Result<Option<(Marker, Facts)>, S3Error> {
    let foreign = |source| S3Error::ForeignMarker { marker: store.url(key), source };
    let (bytes, facts) = match store.get(key, MOST_MARKER_BYTES).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(error) if error.is(Refusal::is_too_long) => return Err(foreign(None)),
        Err(error) => return Err(error),
    };
    let marker: Marker = serde_json::from_slice(&bytes).map_err(|error| foreign(Some(error)))?;
    if marker.schema != SCHEMA {
        return Err(foreign(None));
    }
    Ok(Some((marker, facts)))
}

/// How long ago the store saw an object last, by its own clock.
pub(crate) fn age(modified: Option<&DateTime>, time_there: SystemTime) -> Duration {
    let seen = modified.and_then(|time| SystemTime::try_from(*time).ok());
    // A time of the future, or none, is no silence.
    seen.and_then(|seen| time_there.duration_since(seen).ok()).unwrap_or_default()
}

/// True if a run of this age is at an end.
fn is_silent(age: Duration) -> bool {
    age >= SILENCE
}

/// Which marker, and what goes into it.
#[derive(Clone, Debug)]
pub(crate) struct ClaimOrder {
    /// Key of the marker in the bucket.
    pub(crate) key: String,
    pub(crate) manifest_key: String,
    pub(crate) run: String,
}

/// A marker of this run. It beats until it is closed or dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    store: Arc<Store>,
    order: ClaimOrder,
    host: String,
    state: tokio::sync::Mutex<State>,
    /// Who has taken it over.
    lost: OnceLock<String>,
    /// What the store does not do for it, a clause.
    degraded: Option<String>,
    heart: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct State {
    objects: Vec<MarkedObject>,
    closed: bool,
}

impl Claim {
    /// Puts the marker, naming the first object. One of a run that is silent for an hour is taken over,
    /// and what that run has left is removed first.
    ///
    /// # Errors
    /// [`S3Error::Locked`] if another run is at work.
    pub(crate) async fn acquire(
        store: Arc<Store>,
        order: ClaimOrder,
        first: &str,
    ) -> Result<Arc<Self>, S3Error> {
        let mut objects = settle_with_predecessor(&store, &order).await?;
        let is_new = objects.is_none();
        let marked = objects.get_or_insert_default();
        if marked.iter().all(|object| object.key != first) {
            marked.push(MarkedObject { key: first.to_owned(), upload_id: None });
        }
        let state = State { objects: objects.unwrap_or_default(), closed: false };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let mut claim = Self {
            degraded: None,
            store,
            order,
            host,
            state: tokio::sync::Mutex::new(state),
            lost: OnceLock::new(),
            heart: Mutex::new(None),
        };
        claim.degraded = claim.put_first(is_new).await?;
        let claim = Arc::new(claim);
        let heart = runtime::runtime()?.spawn(beat(Arc::downgrade(&claim)));
        *claim.heart.lock().unwrap_or_else(PoisonError::into_inner) = Some(heart);
        Ok(claim)
    }

    /// True if it is the marker of this run.
    pub(crate) fn is_of(&self, run: &str) -> bool {
        self.order.run == run
    }

    /// Key of the marker in the bucket.
    pub(crate) fn key(&self) -> &str {
        &self.order.key
    }

    /// True if it is put no more.
    pub(crate) async fn is_closed(&self) -> bool {
        self.state.lock().await.closed
    }

    /// What the store does not do for the marker, a clause.
    pub(crate) fn degraded(&self) -> Option<&String> {
        self.degraded.as_ref()
    }

    /// Refuses to go on if another run has taken over.
    ///
    /// # Errors
    /// [`S3Error::TakenOver`].
    pub(crate) fn check(&self) -> Result<(), S3Error> {
        match self.lost.get() {
            Some(by) => {
                let marker = self.store.url(&self.order.key);
                Err(S3Error::TakenOver { marker, by: by.clone() })
            }
            None => Ok(()),
        }
    }

    /// Looks whose the marker is by now: after a long silence, such as a machine's sleep, it may be
    /// another run's. Keys that may only write cannot look, and go on.
    ///
    /// # Errors
    /// [`S3Error::TakenOver`], and what keeps it from being read.
    pub(crate) async fn expect_own(&self, store: &Store) -> Result<(), S3Error> {
        self.check()?;
        let found = match read(store, &self.order.key).await {
            Err(error) if error.is_blind() => return Ok(()),
            found => found?,
        };
        if let Some(by) = other_owner(found.map(|(marker, _)| marker), &self.order.run) {
            self.lost.get_or_init(|| by);
        }
        self.check()
    }

    /// Looks once more whose the marker is, before something becomes visible.
    ///
    /// # Errors
    /// As for [`expect_own`](Self::expect_own).
    pub(crate) async fn confirm(&self) -> Result<(), S3Error> {
        self.expect_own(&self.store).await
    }

    /// Names an object, with its upload once it has one.
    ///
    /// # Errors
    /// As for every request: the marker does not name it then. [`S3Error::TakenOver`].
    pub(crate) async fn name(&self, key: &str, upload_id: Option<&str>) -> Result<(), S3Error> {
        let mut state = self.state.lock().await;
        let upload_id = upload_id.map(str::to_owned);
        match state.objects.iter_mut().find(|object| object.key == key) {
            Some(object) => object.upload_id = upload_id.or(object.upload_id.take()),
            None => state.objects.push(MarkedObject { key: key.to_owned(), upload_id }),
        }
        self.write(&state).await
    }

    /// Takes an object out that was given up; the marker goes with its last one. One that another run has
    /// taken over is left alone: it names nothing of ours.
    ///
    /// # Errors
    /// As for every request: it stays then.
    pub(crate) async fn forget(&self, key: &str, deadline: Duration) -> Result<(), S3Error> {
        let store = self.store.within(deadline);
        let mut state = self.state.lock().await;
        state.objects.retain(|object| object.key != key);
        let forgotten = if state.objects.is_empty() {
            self.remove(&store, &mut state).await
        } else {
            self.write_through(&store, &state).await
        };
        match forgotten {
            Err(S3Error::TakenOver { .. }) => Ok(()),
            other => other,
        }
    }

    async fn remove(&self, store: &Store, state: &mut State) -> Result<(), S3Error> {
        if state.closed {
            return Ok(());
        }
        state.closed = true;
        self.expect_own(store).await?;
        store.delete(&self.order.key).await
    }

    /// Ends the heartbeat. Once this returns, nothing of ours writes the marker any more.
    pub(crate) async fn close(&self) {
        self.state.lock().await.closed = true;
    }

    async fn write(&self, state: &State) -> Result<(), S3Error> {
        self.write_through(&self.store, state).await
    }

    async fn write_through(&self, store: &Store, state: &State) -> Result<(), S3Error> {
        self.check()?;
        if state.closed {
            return Ok(());
        }
        self.expect_own(store).await?;
        let body = self.body(&state.objects)?;
        store.put(&self.put_of(body, false)).await?;
        Ok(())
    }

    /// The first time, where no other marker may be: answers what the store does not do for it.
    async fn put_first(&self, is_new: bool) -> Result<Option<String>, S3Error> {
        let body = self.body(&self.state.lock().await.objects)?;
        let put = self.put_of(body, is_new);
        let degraded = match self.store.put(&put).await {
            Err(S3Error::Exists { .. }) => return Err(self.locked_by_somebody().await),
            other => other?.degraded,
        };
        // The same once more must be refused now; where it is not, the condition was no condition.
        if is_new && degraded.is_none() && self.store.overwrites(&put).await {
            let clause = "the store ignores If-None-Match: a run at the same time would not be \
                          noticed";
            return Ok(Some(clause.to_owned()));
        }
        Ok(degraded)
    }

    async fn locked_by_somebody(&self) -> S3Error {
        match read(&self.store, &self.order.key).await {
            Ok(Some((marker, facts))) => locked(&self.store, &self.order.key, &marker, &facts),
            _ => S3Error::Locked {
                marker: self.store.url(&self.order.key),
                who: "another run is at work, and cannot be read itself".to_owned(),
            },
        }
    }

    fn put_of(&self, body: Bytes, if_absent: bool) -> Put<'_> {
        let (key, run) = (self.order.key.as_str(), self.order.run.as_str());
        Put { key, body, run, kind: Kind::Marker, if_absent }
    }

    fn body(&self, objects: &[MarkedObject]) -> Result<Bytes, S3Error> {
        let now = DateTime::from(self.store.clock().time_there());
        let marker = Marker {
            schema: SCHEMA.to_owned(),
            run_id: self.order.run.clone(),
            host: self.host.clone(),
            heartbeat: rfc3339(&now).unwrap_or_default(),
            manifest_key: self.order.manifest_key.clone(),
            objects: objects.to_vec(),
        };
        serde_json::to_vec(&marker).map(Bytes::from).map_err(S3Error::Unwritable)
    }

    /// One heartbeat. It also looks whose the marker is, so that a run which slept learns of it early.
    async fn heartbeat(&self) {
        let state = self.state.lock().await;
        if state.closed || self.lost.get().is_some() {
            return;
        }
        if let Err(error) = self.write(&state).await {
            let marker = self.store.url(&self.order.key);
            tracing::info!(%marker, error = %shown(&error), "the heartbeat did not get through");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let heart = self.heart.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(heart) = heart.take() {
            heart.abort();
        }
    }
}

async fn beat(claim: Weak<Claim>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let Some(claim) = claim.upgrade() else { return };
        claim.heartbeat().await;
    }
}

/// Looks who was here before: the objects of a marker that is this run's own, none if the place is
/// free or has just been made so.
async fn settle_with_predecessor(
    store: &Store,
    order: &ClaimOrder,
) -> Result<Option<Vec<MarkedObject>>, S3Error> {
    let found = match read(store, &order.key).await {
        // Who may only write cannot look; the condition of the PUT has to do.
        Err(error) if error.is_blind() => {
            tracing::debug!(error = %shown(&error), "a run marker cannot be looked for");
            None
        }
        other => other?,
    };
    let Some((marker, facts)) = found else { return Ok(None) };
    if marker.run_id == order.run {
        return Ok(Some(marker.objects));
    }
    expect_silence(store, &marker, &facts)?;
    let mut sweep = Sweep::new(store);
    sweep.run(&order.key, &marker).await?;
    let removed = sweep.removed().join(", ");
    tracing::info!(run = marker.run_id, host = marker.host, removed, "a silent run is taken over");
    Ok(None)
}

/// Who has a marker that was a run's: none if it is still that run's.
fn other_owner(found: Option<Marker>, run: &str) -> Option<String> {
    match found {
        Some(marker) if marker.run_id == run => None,
        Some(marker) => Some(marker.run_id),
        None => Some("nobody".to_owned()),
    }
}

/// Refuses to touch what a marker names while its run is heard of, which may have come back since the
/// marker was looked at.
///
/// # Errors
/// [`S3Error::Locked`].
pub(crate) fn expect_silence(store: &Store, marker: &Marker, facts: &Facts) -> Result<(), S3Error> {
    if is_silent(age(facts.modified.as_ref(), store.clock().time_there())) {
        return Ok(());
    }
    Err(locked(store, &facts.key, marker, facts))
}

/// Removes a marker that this run may or may not have put before it was interrupted.
///
/// # Errors
/// It may still be there.
pub(crate) async fn withdraw(store: &Store, key: &str, run: &str) -> Result<(), S3Error> {
    let soon = store.within(CANCELLED_DEADLINE);
    match read(&soon, key).await? {
        Some((marker, _)) if marker.run_id == run => soon.delete(key).await,
        _ => Ok(()),
    }
}

fn locked(store: &Store, key: &str, marker: &Marker, facts: &Facts) -> S3Error {
    let minutes = age(facts.modified.as_ref(), store.clock().time_there()).as_secs() / 60;
    S3Error::Locked {
        marker: store.url(key),
        who: format!(
            "run {} is at work on {}, heard of {minutes} minutes ago",
            marker.run_id, marker.host
        ),
    }
}

#[cfg(test)]
mod tests;
