//! A writer as the host drives it: journal first, then the run's marker, then the upload. What a
//! crash leaves behind is named by all three.

use std::sync::Arc;

use dbbackup_sdk::{
    Failure, Host, JournalEntry,
    document::target::{ObjectFacts, ObjectReceipt},
    plugin_api::chunk::Chunk,
    runtime::block_on,
    shown,
    target::ObjectWriter,
};

use crate::{
    attend::{CANCELLED_DEADLINE, GIVE_UP_DEADLINE, attend},
    clock::epoch_seconds,
    error::S3Error,
    marker::{Claim, rfc3339},
    undo::UploadFacts,
    upload::{Finished, ObjectUpload},
};

/// Writer of one object. Dropped without `finish` or `abort`, it aborts.
#[derive(Debug)]
pub struct S3Writer {
    upload: ObjectUpload,
    host: Host,
    facts: UploadFacts,
    /// Marker of the backup that the object is a part of.
    claim: Option<Arc<Claim>>,
    /// Key of the marker below the location.
    marker: Option<String>,
    records: Vec<JournalEntry>,
    ended: bool,
}

impl S3Writer {
    /// A writer of an upload that is prepared, recorded and claimed.
    pub(crate) fn new(
        upload: ObjectUpload,
        host: Host,
        facts: UploadFacts,
        record: JournalEntry,
    ) -> Self {
        let records = vec![record];
        Self { upload, host, facts, claim: None, marker: None, records, ended: false }
    }

    /// The same, as part of a backup whose marker is ours.
    #[must_use]
    pub(crate) fn claimed(mut self, claim: Arc<Claim>, marker: String) -> Self {
        self.claim = Some(claim);
        self.marker = Some(marker);
        self
    }

    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), S3Error> {
        self.upload.admit(bytes.len())?;
        loop {
            let filled = self.upload.fill(bytes);
            bytes = bytes.get(filled..).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            if self.upload.is_to_begin() {
                self.begin().await?;
            }
            self.upload.make_room().await?;
        }
    }

    /// Starts the upload in parts, and writes down its id at once.
    async fn begin(&mut self) -> Result<(), S3Error> {
        let upload = self.upload.begin().await?;
        let facts = UploadFacts { upload_id: Some(upload.id.clone()), ..self.facts.clone() };
        self.records.push(self.host.journal(&facts.record()?)?);
        let Some(claim) = &self.claim else { return Ok(()) };
        claim.name(&upload.key, Some(&upload.id)).await?;
        if let Err(error) = self.upload.end_twins().await {
            let object = self.upload.url();
            tracing::info!(object, error = %shown(&error), "a second upload may be left behind");
        }
        Ok(())
    }

    /// Makes the object visible, unless another run has taken over since the last heartbeat.
    async fn complete(&mut self) -> Result<Finished, S3Error> {
        if let Some(claim) = &self.claim {
            // The parts that are on their way may take as long as another run needs to take over.
            self.upload.send_rest().await?;
            claim.confirm().await?;
        }
        self.upload.finish().await
    }

    fn check_claim(&self) -> Result<(), S3Error> {
        self.claim.as_ref().map_or(Ok(()), |claim| claim.check())
    }

    /// Removes what is there, the marker last, and ticks off the records.
    fn give_up(&mut self) -> Result<(), S3Error> {
        self.ended = true;
        let deadline = if self.host.is_cancelled() { CANCELLED_DEADLINE } else { GIVE_UP_DEADLINE };
        let (upload, claim) = (&mut self.upload, &self.claim);
        let given_up = block_on(async {
            upload.abort(deadline, claim.as_deref()).await?;
            if let Some(claim) = claim {
                claim.forget(upload.key(), deadline).await?;
            }
            Ok::<_, S3Error>(())
        })?;
        if let Err(S3Error::Unanswered { .. }) = &given_up {
            self.keep_looking()?;
        }
        given_up?;
        self.tick_off()
    }

    /// Puts a record in the place of the others which is undone only when nothing can come any more.
    fn keep_looking(&mut self) -> Result<(), S3Error> {
        let facts = UploadFacts {
            upload_id: self.upload.id(),
            unanswered_s: Some(epoch_seconds(self.upload.time_there())),
            ..self.facts.clone()
        };
        let lasting = self.host.journal(&facts.record()?)?;
        self.tick_off()?;
        // Not ticked off, it stays.
        drop(lasting);
        Ok(())
    }

    fn tick_off(&mut self) -> Result<(), S3Error> {
        for record in self.records.drain(..) {
            record.done()?;
        }
        Ok(())
    }

    fn receipt(&self, finished: Finished) -> ObjectReceipt {
        let mut degraded = finished.degraded;
        if let Some(clause) = self.claim.as_ref().and_then(|claim| claim.degraded())
            && !degraded.contains(clause)
        {
            degraded.push(clause.clone());
        }
        ObjectReceipt {
            object: ObjectFacts {
                key: self.facts.key.clone(),
                size_bytes: finished.size_bytes,
                etag: finished.etag,
                modified: finished.modified.as_ref().and_then(rfc3339),
                checksum: finished.crc64.map(|sum| format!("crc64nvme:{sum}")),
                extra: Default::default(),
            },
            degraded,
            markers: self.marker.iter().cloned().collect(),
            extra: Default::default(),
        }
    }
}

impl ObjectWriter for S3Writer {
    fn capacity(&self) -> u64 {
        self.upload.capacity()
    }

    fn write(&mut self, chunk: Chunk) -> Result<(), Failure> {
        let host = self.host.clone();
        self.check_claim().map_err(|error| self.upload.fail(error))?;
        let written = attend(&host, self.take(&chunk));
        Ok(written.map_err(|error| match error {
            // Bytes that were not taken leave the object as it is.
            refused @ (S3Error::TooLarge { .. } | S3Error::Ended { .. }) => refused,
            other => self.upload.fail(other),
        })?)
    }

    fn finish(&mut self) -> Result<ObjectReceipt, Failure> {
        let host = self.host.clone();
        let finished = attend(&host, self.complete());
        let finished = finished.map_err(|error| self.upload.fail(error))?;
        self.ended = true;
        if self.claim.is_none() {
            // Nothing makes this object a backup later: it is what it was to become.
            self.tick_off()?;
        }
        Ok(self.receipt(finished))
    }

    fn abort(&mut self) -> Result<(), Failure> {
        if self.ended {
            return Err(S3Error::Ended { object: self.upload.url() }.into());
        }
        Ok(self.give_up()?)
    }
}

impl Drop for S3Writer {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Err(error) = self.give_up() {
            let object = self.upload.url();
            tracing::warn!(%object, error = %shown(&error), "the upload stays until the next cleanup");
        }
    }
}
