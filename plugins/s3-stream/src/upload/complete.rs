//! The end of an upload: made visible, and then believed only as far as the store's own account of
//! the object goes. A store may lose its answer, and may ignore what it was asked for.

use std::sync::atomic::Ordering::Relaxed;

use aws_sdk_s3::{
    primitives::DateTime,
    types::{ServerSideEncryption, StorageClass},
};
use bytes::Bytes;
use dbbackup_sdk::shown;

use super::session::Session;
use crate::{
    checksum::Crc64,
    error::S3Error,
    options::Encryption,
    refusal::Refusal,
    request::Silence,
    store::{Completed, Head, Kind, Part, Put, Wishes},
};

/// An object that is there.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) size_bytes: u64,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<DateTime>,
    /// CRC64NVME of the whole object that the store confirms, base64.
    pub(crate) crc64: Option<String>,
    /// What the store did not do, a clause each.
    pub(crate) degraded: Vec<String>,
}

/// What was sent, to be compared with what is there.
#[derive(Clone, Copy, Debug)]
struct Sent {
    length: u64,
    crc: Option<Crc64>,
    /// None if the object was written in one step.
    parts: Option<u32>,
}

impl Session {
    /// Puts the object together out of its parts.
    ///
    /// # Errors
    /// [`S3Error::Differs`] if the store's account of it is another one; what it refuses with.
    pub(super) async fn complete(&self, count: u32, written: u64) -> Result<Finished, S3Error> {
        let parts = self.parts(count, written)?;
        let Some(upload) = self.upload.get() else {
            return Err(S3Error::Ended { object: self.url() });
        };
        let sent = Sent { length: written, crc: whole(&parts), parts: Some(count) };
        let asked = sent.crc.filter(|_| self.checksum.load(Relaxed));
        let (store, silence) = self.store.watched();
        let completed = store.complete(upload, &parts, asked, self.if_absent);
        let answer = match self.answered(&silence, completed).await {
            Ok(completed) => completed,
            Err(error) => self.recovered(error, &sent).await?,
        };
        self.verified(answer, &sent).await
    }

    /// Writes an object that is smaller than a part in one step.
    ///
    /// # Errors
    /// As for [`complete`](Self::complete).
    pub(super) async fn write_small(&self, body: Bytes) -> Result<Finished, S3Error> {
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let crc = self.store.wants_checksum().then(|| Crc64::of(&body));
        let sent = Sent { length, crc, parts: None };
        let put = Put {
            key: &self.key,
            body,
            run: &self.run,
            kind: Kind::Data,
            if_absent: self.if_absent,
        };
        let (store, silence) = self.store.watched();
        let answer = self.answered(&silence, store.put(&put)).await?;
        let completed =
            Completed { etag: answer.etag, crc64: answer.crc64, degraded: answer.degraded };
        self.verified(completed, &sent).await
    }

    /// A request that makes the object visible. One that is dropped may still do so after everything was
    /// looked at and found clean, and so may one of whose attempts any had no answer.
    async fn answered<T>(
        &self,
        silence: &Silence,
        request: impl Future<Output = Result<T, S3Error>>,
    ) -> Result<T, S3Error> {
        self.may_be_visible.store(true, Relaxed);
        self.is_unanswered.store(true, Relaxed);
        let answer = request.await;
        self.is_unanswered.store(answer.is_err() && silence.was_met(), Relaxed);
        answer
    }

    /// After a refusal, the object may be there all the same: an attempt has put it together and its
    /// answer was lost, so that the next one found no upload any more, or an object in the way.
    async fn recovered(&self, error: S3Error, sent: &Sent) -> Result<Completed, S3Error> {
        match self.store.head(&self.key).await {
            Ok(Some(head)) if head.is_ours(&self.run, sent.length, sent.crc) => {
                let object = self.url();
                let error = shown(&error);
                tracing::info!(%object, error, "the object is there: an answer was lost");
                self.is_unanswered.store(false, Relaxed);
                Ok(Completed { etag: head.etag, crc64: head.crc64, degraded: None })
            }
            Ok(Some(_)) if error.is(Refusal::is_unmet) => {
                Err(S3Error::Exists { object: self.url() })
            }
            // Who may not look, or finds nothing, believes the refusal.
            _ => Err(error),
        }
    }

    /// Compares what the store says of the object with what was sent.
    async fn verified(&self, answer: Completed, sent: &Sent) -> Result<Finished, S3Error> {
        let Completed { etag, crc64, degraded } = answer;
        let mut degraded: Vec<String> = degraded.into_iter().collect();
        self.same_sum(crc64.as_deref(), sent)?;
        let head = match self.store.head(&self.key).await {
            Ok(Some(head)) => Some(head),
            Ok(None) => return Err(self.differs("it is not there after it was written".to_owned())),
            Err(error) if error.is(Refusal::is_denied) => {
                let object = self.url();
                let error = shown(&error);
                tracing::info!(%object, error, "the object cannot be looked at, and is believed");
                degraded.extend(unseen(self.store.wishes()));
                None
            }
            Err(error) => return Err(error),
        };
        let seen = head.as_ref().and_then(|head| head.crc64.clone());
        let confirmed = crc64.or(seen);
        if let Some(head) = &head {
            self.compare(head, sent)?;
            degraded.extend(ignored(self.store.wishes(), head));
            degraded.extend(self.miscounted(head, sent, confirmed.is_some()).await?);
        }
        if sent.crc.is_some() && confirmed.is_none() {
            degraded.push("the store confirms no CRC64NVME of the object".to_owned());
        }
        Ok(Finished {
            size_bytes: sent.length,
            etag: head.as_ref().and_then(|head| head.etag.clone()).or(etag),
            modified: head.and_then(|head| head.modified),
            crc64: confirmed,
            degraded,
        })
    }

    fn compare(&self, head: &Head, sent: &Sent) -> Result<(), S3Error> {
        if head.run.as_deref().is_some_and(|run| run != self.run) {
            let run = head.run.as_deref().unwrap_or_default();
            return Err(self.differs(format!("run {run} has overwritten it")));
        }
        if head.size_bytes != sent.length {
            let (there, here) = (head.size_bytes, sent.length);
            return Err(self.differs(format!("the store has {there} bytes, {here} were sent")));
        }
        self.same_sum(head.crc64.as_deref(), sent)
    }

    fn same_sum(&self, there: Option<&str>, sent: &Sent) -> Result<(), S3Error> {
        let (Some(there), Some(here)) = (there, sent.crc.map(Crc64::base64)) else { return Ok(()) };
        if there == here {
            return Ok(());
        }
        Err(self.differs(format!("the store has CRC64NVME {there}, {here} was sent")))
    }

    /// A number of parts that differs, the length being right: an error, unless the checksum of the
    /// whole proves that the store merely counts in another way.
    async fn miscounted(
        &self,
        head: &Head,
        sent: &Sent,
        is_proven: bool,
    ) -> Result<Option<String>, S3Error> {
        let Some(parts) = sent.parts else { return Ok(None) };
        let counted = match head.parts {
            Some(counted) => Some(counted),
            None => self.store.count_parts(&self.key).await,
        };
        match counted {
            Some(counted) if counted != parts => {
                let what = format!("the store counts {counted} parts, {parts} were sent");
                if is_proven { Ok(Some(what)) } else { Err(self.differs(what)) }
            }
            _ => Ok(None),
        }
    }

    fn differs(&self, what: String) -> S3Error {
        S3Error::Differs { object: self.url(), what }
    }
}

/// The checksum of all parts one after the other; none if a part has none.
fn whole(parts: &[Part]) -> Option<Crc64> {
    let mut sums = parts.iter().map(|part| part.crc.map(|crc| (crc, part.length)));
    let (first, _) = sums.next()??;
    sums.try_fold(first, |sum, next| next.map(|(crc, length)| sum.followed_by(crc, length)))
}

/// What was asked for and nobody may look at, a clause each.
fn unseen(wishes: Wishes<'_>) -> Vec<String> {
    let asked = [
        (wishes.encryption.is_some(), "server-side encryption"),
        (wishes.storage_class.is_some(), "the storage class"),
        (wishes.object_lock.is_some(), "the object lock"),
    ];
    let asked = asked.into_iter().filter(|(is_wished, _)| *is_wished);
    asked
        .map(|(_, what)| format!("these keys may not look whether the store has taken {what}"))
        .collect()
}

/// What the store was asked for and does not show, a clause each. It may have done it and not say
/// so, which comes to the same: nobody can rely on it.
fn ignored(wishes: Wishes<'_>, head: &Head) -> Vec<String> {
    let mut clauses = Vec::new();
    if let Some(wanted) = wishes.encryption {
        let right = match (wanted, &head.encryption) {
            (Encryption::Aes256, Some(ServerSideEncryption::Aes256)) => true,
            (Encryption::Kms { .. }, Some(there)) => {
                matches!(there, ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
            }
            _ => false,
        };
        if !right {
            let wanted = String::from(wanted.clone());
            clauses.push(format!("the store does not confirm server-side encryption {wanted}"));
        }
    }
    if let Some(wanted) = wishes.storage_class {
        // The class of every object that has none said is STANDARD.
        let there = head.storage_class.as_ref().map_or("STANDARD", StorageClass::as_str);
        if there != wanted {
            clauses.push(format!("the store has storage class {there}, {wanted} was asked for"));
        }
    }
    if let Some(wanted) = wishes.object_lock
        && head.lock_mode.as_ref().map(|mode| mode.as_str()) != Some(wanted.mode.name())
    {
        let mode = wanted.mode.name();
        clauses.push(format!("the store does not confirm the object lock {mode}"));
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{LockMode, ObjectLock};

    fn head() -> Head {
        Head {
            size_bytes: 1,
            etag: None,
            modified: None,
            crc64: None,
            run: None,
            encryption: None,
            storage_class: None,
            lock_mode: None,
            parts: None,
        }
    }

    #[test]
    fn parts_have_the_checksum_of_the_whole() {
        let part = |number, bytes: &[u8]| Part {
            number,
            length: u64::try_from(bytes.len()).unwrap(),
            etag: String::new(),
            crc: Some(Crc64::of(bytes)),
        };
        let parts = [part(1, b"12"), part(2, b"3456"), part(3, b"789")];
        assert_eq!(whole(&parts), Some(Crc64::of(b"123456789")));
        let mut broken = parts.to_vec();
        broken[1].crc = None;
        assert_eq!(whole(&broken), None);
    }

    #[test]
    fn what_a_store_ignores_is_said() {
        let lock = ObjectLock { mode: LockMode::Compliance, hours: 1 };
        let wishes = Wishes {
            encryption: Some(&Encryption::Aes256),
            storage_class: Some("STANDARD_IA"),
            object_lock: Some(&lock),
        };
        assert_eq!(ignored(wishes, &head()).len(), 3);
        let done = Head {
            encryption: Some(ServerSideEncryption::Aes256),
            storage_class: Some(StorageClass::StandardIa),
            lock_mode: Some(aws_sdk_s3::types::ObjectLockMode::Compliance),
            ..head()
        };
        assert!(ignored(wishes, &done).is_empty());
    }

    #[test]
    fn the_class_of_an_object_without_one_is_standard() {
        let wishes =
            Wishes { encryption: None, storage_class: Some("STANDARD"), object_lock: None };
        assert!(ignored(wishes, &head()).is_empty());
    }
}
