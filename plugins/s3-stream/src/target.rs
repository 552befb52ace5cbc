//! The open target: objects below a location, as the host asks for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use dbbackup_sdk::{
    Failure, Host,
    document::target::{
        BackupPart, ObjectCreate, ObjectFacts, ObjectKey, ObjectList, TargetLimits,
        UnfinishedUpload, UnfinishedUploads,
    },
    runtime::block_on,
    shown,
    target::Target,
};

use crate::{
    attend::{GIVE_UP_DEADLINE, attend},
    error::S3Error,
    location::Place,
    marker::{self, Claim, ClaimOrder, SILENCE, marker_key, rfc3339},
    options::Options,
    reader::S3Reader,
    schedule::{Plan, Schedule},
    store::{Facts, Kind, Put, Store},
    undo::UploadFacts,
    unfinished,
    upload::{ObjectUpload, UploadOrder},
    writer::S3Writer,
};

/// Bytes of one ranged read: large enough that its round trip does not count.
const READ_BYTES: u64 = 8 * 1024 * 1024;

/// How long a manifest is tried to be put: while nobody else may take a run for dead that was heard of
/// before it began.
const LONGEST_COMMIT: Duration = Duration::from_secs(SILENCE.as_secs() / 2);

/// An open place in S3.
#[derive(Debug)]
pub struct S3Target {
    location: String,
    place: Place,
    options: Options,
    store: Arc<Store>,
    host: Host,
    /// Markers of this run by their keys in the bucket; one serves all objects of a backup.
    claims: Mutex<HashMap<String, Arc<Claim>>>,
}

impl S3Target {
    /// Opens a location. Nothing is connected yet.
    ///
    /// # Errors
    /// [`S3Error::Location`], and what keeps the client from being made.
    pub(crate) fn open(location: &str, options: &Options, host: &Host) -> Result<Self, S3Error> {
        options.check()?;
        let place = Place::parse(location)?;
        let store = block_on(Store::open(&place, options))??;
        Ok(Self {
            location: place.to_string(),
            place,
            options: options.clone(),
            store: Arc::new(store),
            host: host.clone(),
            claims: Mutex::default(),
        })
    }

    fn writer(&self, object: &ObjectCreate) -> Result<S3Writer, S3Error> {
        let key = self.place.key_of(&object.key)?;
        if object.if_absent {
            attend(&self.host, self.refuse_existing(&key))?;
        }
        let run = object.part_of.as_ref().map_or_else(random_run, |part| part.backup_id.clone());
        let facts = UploadFacts {
            location: self.location.clone(),
            options: self.options.lasting(self.store.in_force()),
            key: object.key.clone(),
            run_id: run.clone(),
            manifest_key: object.part_of.as_ref().map(|part| part.manifest_key.clone()),
            upload_id: None,
            unanswered_s: None,
        };
        let record = self.host.journal(&facts.record()?)?;
        let upload = ObjectUpload::new(
            Arc::clone(&self.store),
            UploadOrder {
                key: key.clone(),
                run,
                if_absent: object.if_absent,
                workers: self.options.workers(),
                schedule: self.schedule(object.expected_bytes),
            },
        );
        // From here on, dropping it ticks off the record, unless something may be left.
        let writer = S3Writer::new(upload, self.host.clone(), facts, record);
        let Some(part) = &object.part_of else { return Ok(writer) };
        let claim = attend(&self.host, self.claim_free(object, part, &key));
        let claim = claim.inspect_err(|error| self.withdraw_marker(part, error))?;
        let marker = self.place.relative(claim.key()).unwrap_or_default().to_owned();
        Ok(writer.claimed(claim, marker))
    }

    fn schedule(&self, expected_bytes: Option<u64>) -> Schedule {
        Schedule::new(&Plan {
            part_size_bytes: self.options.part_size_bytes(),
            max_parts: self.options.max_parts(),
            expected_bytes,
            equal: self.options.equal_parts.unwrap_or(false),
        })
    }

    /// Says early what the store would say at the end, or would not say at all.
    /// True if nobody may look.
    async fn refuse_existing(&self, key: &str) -> Result<bool, S3Error> {
        match self.store.head(key).await {
            Ok(None) => Ok(false),
            Ok(Some(_)) => Err(S3Error::Exists { object: self.store.url(key) }),
            // Who may only write cannot look; the condition at the end has to do.
            Err(error) if error.is_blind() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The marker of a backup, and nothing that would be written over: another run may have committed
    /// and removed its marker between the first look and ours.
    async fn claim_free(
        &self,
        object: &ObjectCreate,
        part: &BackupPart,
        key: &str,
    ) -> Result<Arc<Claim>, S3Error> {
        let claim = self.claim(part, key).await?;
        if !object.if_absent {
            return Ok(claim);
        }
        if let Err(error) = self.expect_free(&claim, key).await {
            if let Err(left) = claim.forget(key, GIVE_UP_DEADLINE).await {
                let marker = claim.key();
                tracing::info!(marker, error = %shown(&left), "a run marker may be left");
            }
            return Err(error);
        }
        Ok(claim)
    }

    /// A manifest may well be there: that of the backup which this one replaces.
    async fn expect_free(&self, claim: &Claim, key: &str) -> Result<(), S3Error> {
        let is_blind = self.refuse_existing(key).await?;
        // Nobody would notice that a backup is written over.
        if is_blind && claim.degraded().is_some() {
            return Err(S3Error::Unguarded { object: self.store.url(key) });
        }
        Ok(())
    }

    /// The marker of a backup, put if this is its first object here.
    async fn claim(&self, part: &BackupPart, key: &str) -> Result<Arc<Claim>, S3Error> {
        let manifest_key = self.place.key_of(&part.manifest_key)?;
        let marker = marker_key(&manifest_key);
        let known = self.claims().get(&marker).cloned();
        if let Some(claim) = known.filter(|claim| claim.is_of(&part.backup_id))
            && !claim.is_closed().await
        {
            claim.name(key, None).await?;
            return Ok(claim);
        }
        let order = ClaimOrder { key: marker.clone(), manifest_key, run: part.backup_id.clone() };
        let claim = Claim::acquire(Arc::clone(&self.store), order, key).await?;
        self.claims().insert(marker, Arc::clone(&claim));
        Ok(claim)
    }

    /// After an interrupted claim the marker may be there, and would lock the next run out for an hour.
    fn withdraw_marker(&self, part: &BackupPart, error: &S3Error) {
        if !matches!(error, S3Error::Cancelled | S3Error::GaveUp { .. }) {
            return;
        }
        let Ok(manifest_key) = self.place.key_of(&part.manifest_key) else { return };
        let marker = marker_key(&manifest_key);
        let withdrawn = block_on(marker::withdraw(&self.store, &marker, &part.backup_id));
        if let Err(error) = withdrawn.map_err(S3Error::from).flatten() {
            tracing::info!(marker, error = %shown(&error), "a run marker may be left");
        }
    }

    fn claims(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Claim>>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_once(
        &self,
        object: &ObjectCreate,
        bytes: &[u8],
    ) -> Result<ObjectFacts, S3Error> {
        let key = self.place.key_of(&object.key)?;
        let run = object.part_of.as_ref().map_or_else(random_run, |part| part.backup_id.clone());
        let put = Put {
            key: &key,
            body: Bytes::copy_from_slice(bytes),
            run: &run,
            kind: Kind::Manifest,
            if_absent: object.if_absent,
        };
        // A manifest must get through, also where it is the first thing that a process says.
        let (store, silence) = self.store.patient().within(LONGEST_COMMIT).watched();
        let answer = match store.put(&put).await {
            Ok(answer) => answer,
            Err(error) if silence.was_met() => return Err(self.after_silence(&key, error).await),
            Err(refused) => return Err(refused),
        };
        let mut facts = ObjectFacts {
            key: object.key.clone(),
            size_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            etag: answer.etag,
            modified: None,
            checksum: answer.crc64.map(|sum| format!("crc64nvme:{sum}")),
            extra: Default::default(),
        };
        if let Some(clause) = answer.degraded {
            tracing::info!(key, clause, "written with a weaker promise");
            facts.extra.insert("degraded".to_owned(), vec![clause].into());
        }
        Ok(facts)
    }

    /// What a refusal means after an attempt that was not answered. An object in the way that can be seen is
    /// somebody else's, or it would have been taken for this one.
    async fn after_silence(&self, key: &str, error: S3Error) -> S3Error {
        let is_in_the_way = matches!(error, S3Error::Exists { .. });
        if is_in_the_way && matches!(self.store.head(key).await, Ok(Some(_))) {
            return error;
        }
        S3Error::InDoubt { object: self.store.url(key), source: Box::new(error) }
    }

    async fn look_at(&self, key: &ObjectKey) -> Result<ObjectFacts, S3Error> {
        let full = self.place.key_of(&key.key)?;
        let Some(head) = self.store.head(&full).await? else {
            return Err(S3Error::Missing { object: self.store.url(&full) });
        };
        Ok(ObjectFacts {
            key: key.key.clone(),
            size_bytes: head.size_bytes,
            etag: head.etag,
            modified: head.modified.as_ref().and_then(rfc3339),
            checksum: head.crc64.map(|sum| format!("crc64nvme:{sum}")),
            extra: Default::default(),
        })
    }

    async fn listed(&self, prefix: &str) -> Result<ObjectList, S3Error> {
        let found = self.store.list(&self.place.below(prefix)).await?;
        let objects = found.into_iter().filter_map(|facts| self.listed_facts(facts)).collect();
        Ok(ObjectList { objects, extra: Default::default() })
    }

    fn listed_facts(&self, facts: Facts) -> Option<ObjectFacts> {
        Some(ObjectFacts {
            key: self.place.relative(&facts.key)?.to_owned(),
            size_bytes: facts.size_bytes,
            etag: facts.etag,
            modified: facts.modified.as_ref().and_then(rfc3339),
            checksum: None,
            extra: Default::default(),
        })
    }

    async fn remove(&self, key: &ObjectKey) -> Result<(), S3Error> {
        let full = self.place.key_of(&key.key)?;
        let claim = self.claims().remove(&full);
        if let Some(claim) = claim {
            // Or the next heartbeat would bring the marker back.
            claim.close().await;
            match claim.expect_own(&self.store).await {
                // It is that of whoever has taken over, and who is at work.
                Err(S3Error::TakenOver { .. }) => return Ok(()),
                own => own?,
            }
        }
        self.store.delete(&full).await
    }
}

impl Target for S3Target {
    type Writer = S3Writer;
    type Reader = S3Reader;

    fn limits(&self) -> TargetLimits {
        TargetLimits {
            parallel_reads: self.options.workers(),
            read_bytes: READ_BYTES,
            extra: Default::default(),
        }
    }

    fn create(&self, object: &ObjectCreate) -> Result<S3Writer, Failure> {
        Ok(self.writer(object)?)
    }

    fn open_object(&self, key: &ObjectKey) -> Result<S3Reader, Failure> {
        let full = self.place.key_of(&key.key)?;
        Ok(S3Reader::open(Arc::clone(&self.store), self.host.clone(), full)?)
    }

    fn put(&self, object: &ObjectCreate, bytes: &[u8]) -> Result<ObjectFacts, Failure> {
        Ok(attend(&self.host, self.write_once(object, bytes))?)
    }

    fn head(&self, key: &ObjectKey) -> Result<ObjectFacts, Failure> {
        Ok(attend(&self.host, self.look_at(key))?)
    }

    fn list(&self, prefix: &ObjectKey) -> Result<ObjectList, Failure> {
        Ok(attend(&self.host, self.listed(&prefix.key))?)
    }

    fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        Ok(attend(&self.host, self.remove(key))?)
    }

    fn unfinished(&self, prefix: &ObjectKey) -> Result<UnfinishedUploads, Failure> {
        Ok(attend(&self.host, unfinished::find(&self.store, &self.place, &prefix.key))?)
    }

    fn abandon(&self, upload: &UnfinishedUpload) -> Result<(), Failure> {
        Ok(attend(&self.host, unfinished::abandon(&self.store, &self.place, upload))?)
    }
}

/// Names the writer of an object that is no part of a backup.
pub(crate) fn random_run() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
