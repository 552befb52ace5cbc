//! Undo records of uploads, and how one is undone after a crash.

use std::time::Duration;

use dbbackup_sdk::{
    HostError,
    document::undo::{UndoOutcome, UndoRecord},
    undo_record,
};
use serde::{Deserialize, Serialize};

use crate::{
    clock::epoch_seconds,
    error::S3Error,
    leftovers::{Sweep, is_backup},
    location::Place,
    marker::{self, Marker, SILENCE, marker_key},
    options::Options,
    store::{Store, Upload},
};

/// How long each request of an undo is tried again.
const UNDO_DEADLINE: Duration = Duration::from_secs(30);
/// An upload that no store has.
const NO_UPLOAD: &str = "bm8gc3VjaCB1cGxvYWQ";
/// Kind of our undo records.
const RECORD_KIND: &str = "s3-upload";

/// What finds an upload again after a crash. No credentials: those of the undoing process serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UploadFacts {
    /// The location as the target was opened.
    pub(crate) location: String,
    /// Options of the engine.
    pub(crate) options: Options,
    /// Key below the location.
    pub(crate) key: String,
    /// Names the run in the object's metadata; of a part of a backup the backup's id.
    pub(crate) run_id: String,
    /// Key of the backup's manifest below the location; none for an object that stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) manifest_key: Option<String>,
    /// Id of the upload, in the second record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload_id: Option<String>,
    /// When the store was told to make the object visible and did not answer: seconds since 1970 by its
    /// clock. Until an hour after that, the object may still appear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unanswered_s: Option<u64>,
}

impl UploadFacts {
    /// The record that must be durable before the side effect.
    ///
    /// # Errors
    /// [`HostError`]: the facts cannot be written down.
    pub(crate) fn record(&self) -> Result<UndoRecord, HostError> {
        let (location, key) = (&self.location, &self.key);
        let summary = match &self.upload_id {
            Some(id) => format!("upload {id} of {location}/{key}"),
            None => format!("upload of {location}/{key}"),
        };
        undo_record(RECORD_KIND, summary, self)
    }

    fn read(record: &UndoRecord) -> Result<Self, S3Error> {
        let facts: Self = serde_json::from_value(record.facts.clone()).map_err(S3Error::Record)?;
        facts.options.check()?;
        Ok(facts)
    }
}

/// An upload that is to be undone: its place is open.
#[derive(Debug)]
pub(crate) struct Undoing {
    facts: UploadFacts,
    store: Store,
    key: String,
    /// Key of the manifest in the bucket.
    manifest: Option<String>,
}

impl Undoing {
    /// Opens the place that a record names.
    ///
    /// # Errors
    /// [`S3Error::Record`], and as for opening a place.
    pub(crate) async fn of(record: &UndoRecord) -> Result<Self, S3Error> {
        let facts = UploadFacts::read(record)?;
        let place = Place::parse(&facts.location)?;
        // A store in trouble is asked again by the next run, which waits for this before its own work.
        let store = Store::open(&place, &facts.options).await?.within(UNDO_DEADLINE);
        let key = place.key_of(&facts.key)?;
        let manifest = facts.manifest_key.as_deref().map(|key| place.key_of(key)).transpose()?;
        Ok(Self { facts, store, key, manifest })
    }

    /// Removes what the run left, unless its manifest made it a backup. Keys that may write and not
    /// look remove the parts, which are what costs; the marker names the rest to whoever may.
    ///
    /// # Errors
    /// Something may still be there.
    pub(crate) async fn run(&self, dry_run: bool) -> Result<UndoOutcome, S3Error> {
        let mut sweep = self.sweep(dry_run);
        // First, because it is never wrong: an upload that became an object is no upload any more.
        if let Some(id) = &self.facts.upload_id {
            sweep.upload(&Upload { key: self.key.clone(), id: id.clone() }).await?;
        }
        if self.may_still_appear().await? {
            let summary = format!("{} may still appear", self.store.url(&self.key));
            return Ok(UndoOutcome { undone: false, summary, extra: Default::default() });
        }
        let (marker, is_backup) = match self.look_around().await {
            Err(error) if error.is_blind() => {
                self.expect_writer().await?;
                let object = self.store.url(&self.key);
                tracing::warn!(
                    object,
                    "these keys may not look for what else is left: dbbackup cleanup with keys that \
                     may read removes it, an hour after the run was heard of last"
                );
                return Ok(outcome(&sweep, dry_run, &format!("no parts are left of {object}")));
            }
            seen => seen?,
        };
        let object = self.store.url(&self.key);
        if is_backup {
            let mut sweep = self.sweep(dry_run);
            if let Some((key, _)) = &marker {
                sweep.marker(key).await?;
            }
            return Ok(outcome(&sweep, dry_run, &format!("{object} is part of a backup")));
        }
        if let Some((key, marker)) = &marker {
            // While the marker is this run's, nobody else is at work on the key.
            sweep.uploads_of(&self.key, None).await?;
            sweep.object(&self.key, &self.facts.run_id).await?;
            sweep.run(key, marker).await?;
        } else {
            sweep.object(&self.key, &self.facts.run_id).await?;
        }
        Ok(outcome(&sweep, dry_run, &format!("nothing is left of {object}")))
    }

    fn sweep(&self, dry_run: bool) -> Sweep<'_> {
        if dry_run { Sweep::dry(&self.store) } else { Sweep::new(&self.store) }
    }

    /// True if the store was told to make the object visible, has not answered, and has had no hour yet.
    async fn may_still_appear(&self) -> Result<bool, S3Error> {
        let Some(told) = self.facts.unanswered_s else { return Ok(false) };
        // The answer also tells the store's time. To keys that may not look, time alone counts.
        let is_there = match self.store.head(&self.key).await {
            Err(error) if error.is_blind() => false,
            head => head?.is_some(),
        };
        let now = epoch_seconds(self.store.clock().time_there());
        Ok(!is_there && now.saturating_sub(told) < SILENCE.as_secs())
    }

    /// Refuses to go on unless these keys may end uploads of the key, and so are those of a writer: not any
    /// keys are good enough to call a run's leftovers gone.
    async fn expect_writer(&self) -> Result<(), S3Error> {
        self.store.abort(&Upload { key: self.key.clone(), id: NO_UPLOAD.to_owned() }).await
    }

    /// The marker of this run, if it is there, and whether the run's manifest is. Keys that may not list
    /// are refused a look at what is not there.
    async fn look_around(&self) -> Result<(Option<(String, Marker)>, bool), S3Error> {
        let marker = self.own_marker().await?;
        let is_backup = match &self.manifest {
            Some(manifest) => is_backup(&self.store, manifest, &self.facts.run_id).await?,
            None => {
                // An object that stands for itself: asked for here only to hear whether that is allowed.
                self.store.head(&self.key).await?;
                false
            }
        };
        Ok((marker, is_backup))
    }

    /// The marker with its key, if it is this run's.
    async fn own_marker(&self) -> Result<Option<(String, Marker)>, S3Error> {
        let Some(manifest) = &self.manifest else { return Ok(None) };
        let key = marker_key(manifest);
        let found = marker::read(&self.store, &key).await?;
        let own = found.map(|(marker, _)| marker).filter(|it| it.run_id == self.facts.run_id);
        Ok(own.map(|marker| (key, marker)))
    }
}

fn outcome(sweep: &Sweep<'_>, dry_run: bool, otherwise: &str) -> UndoOutcome {
    let removed = sweep.removed();
    let (undone, summary) = match (removed.is_empty(), dry_run) {
        (true, _) => (true, otherwise.to_owned()),
        (false, true) => (false, format!("{} would be removed", removed.join(", "))),
        (false, false) => (true, format!("{} removed", removed.join(", "))),
    };
    UndoOutcome { undone, summary, extra: Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_the_upload_and_holds_no_secret() {
        let facts = UploadFacts {
            location: "s3://bucket/a".to_owned(),
            options: Options { region: Some("eu-west-1".to_owned()), ..Options::default() },
            key: "db.tar.gz".to_owned(),
            run_id: "b7".to_owned(),
            manifest_key: Some("db.tar.gz.manifest.json".to_owned()),
            upload_id: Some("u1".to_owned()),
            unanswered_s: Some(7),
        };
        let record = facts.record().unwrap();
        assert_eq!(record.summary, "upload u1 of s3://bucket/a/db.tar.gz");
        assert_eq!(UploadFacts::read(&record).unwrap(), facts);
    }

    #[test]
    fn a_record_of_a_later_version_is_an_error() {
        let record = undo_record(RECORD_KIND, String::new(), &"text").unwrap();
        assert!(matches!(UploadFacts::read(&record), Err(S3Error::Record(_))));
    }
}
