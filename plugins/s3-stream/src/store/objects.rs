//! Requests about whole objects.

use std::time::Duration;

use aws_sdk_s3::{
    operation::{get_object::GetObjectOutput, head_object::HeadObjectOutput},
    primitives::{ByteStream, DateTime},
    types::{ChecksumMode, ChecksumType, ObjectLockMode, ServerSideEncryption, StorageClass},
};
use bytes::Bytes;

use super::{Asks, RUN_METADATA, Store};
use crate::{
    checksum::Crc64,
    error::S3Error,
    options::{Encryption, LockMode, ObjectLock},
    refusal::Refusal,
};

/// Time that an attempt without a body may take.
pub(super) const SMALL: Duration = Duration::from_secs(60);

/// What an object is for, and so which wishes concern it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of a backup.
    Data,
    /// A manifest, which must stay readable at once: never in an archive class.
    Manifest,
    /// A run marker, which must stay deletable: never locked.
    Marker,
}

/// A small object that is to be written.
#[derive(Clone, Debug)]
pub(crate) struct Put<'a> {
    pub(crate) key: &'a str,
    pub(crate) body: Bytes,
    /// Names the run in the object's metadata.
    pub(crate) run: &'a str,
    pub(crate) kind: Kind,
    pub(crate) if_absent: bool,
}

/// What became of it.
#[derive(Clone, Debug)]
pub(crate) struct PutAnswer {
    pub(crate) etag: Option<String>,
    /// Checksum that the store confirms, base64.
    pub(crate) crc64: Option<String>,
    /// The condition that the store did not take, a clause.
    pub(crate) degraded: Option<String>,
}

/// One object of a list.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) key: String,
    pub(crate) size_bytes: u64,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<DateTime>,
}

/// What a store says of one object.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) size_bytes: u64,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<DateTime>,
    /// CRC64NVME of the whole object, base64.
    pub(crate) crc64: Option<String>,
    /// The run that wrote it.
    pub(crate) run: Option<String>,
    pub(crate) encryption: Option<ServerSideEncryption>,
    pub(crate) storage_class: Option<StorageClass>,
    pub(crate) lock_mode: Option<ObjectLockMode>,
    /// Number of parts, if the store counts them.
    pub(crate) parts: Option<u32>,
}

/// Size of an object that is read whole, such as a manifest, for the time that one attempt may take.
const WHOLE_BYTES: u64 = 16 << 20;

impl Store {
    /// Writes a small object, asking for less where the store does not know something.
    ///
    /// # Errors
    /// [`S3Error::Exists`] if it is there and must not be.
    pub(crate) async fn put(&self, put: &Put<'_>) -> Result<PutAnswer, S3Error> {
        let crc = self.checksum.then(|| Crc64::of(&put.body));
        let wanted = Asks { checksum: crc.is_some(), if_absent: put.if_absent };
        let mut asks = wanted;
        let mut conflicts = self.conflicts();
        loop {
            match self.after(&conflicts).put_asking(put, asks, crc).await {
                Ok(answer) => {
                    return Ok(PutAnswer { degraded: asks.lost_condition(wanted), ..answer });
                }
                Err(error) if error.is(Refusal::is_conflict) => {
                    if let Err(error) = conflicts.wait(error).await {
                        return self.put_before(put, crc, error).await;
                    }
                }
                Err(error) if error.is(Refusal::is_unmet) => {
                    return self.put_before(put, crc, error).await;
                }
                Err(error) => asks = asks.after(wanted, &error).ok_or(error)?,
            }
        }
    }

    async fn put_asking(
        &self,
        put: &Put<'_>,
        asks: Asks,
        crc: Option<Crc64>,
    ) -> Result<PutAnswer, S3Error> {
        let step = self.step("write", put.key, "s3:PutObject");
        let length = u64::try_from(put.body.len()).unwrap_or(u64::MAX);
        let send = || {
            let lock = self.object_lock.as_ref().filter(|_| put.kind != Kind::Marker);
            let class = self.storage_class.as_deref().filter(|_| put.kind == Kind::Data);
            let (encryption, key) = encryption(self.encryption.as_ref());
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(put.key)
                .metadata(RUN_METADATA, put.run)
                .body(ByteStream::from(put.body.clone()))
                .set_checksum_crc64_nvme(crc.filter(|_| asks.checksum).map(Crc64::base64))
                .set_if_none_match(asks.if_absent.then(|| "*".to_owned()))
                .set_server_side_encryption(encryption)
                .set_ssekms_key_id(key)
                .set_storage_class(class.map(StorageClass::from))
                .set_object_lock_mode(lock.map(lock_mode))
                .set_object_lock_retain_until_date(lock.map(|lock| self.locked_until(lock)));
            let request = request.customize();
            let request = if self.unsigned { request.disable_payload_signing() } else { request };
            async move { request.send().await.map_err(Refusal::of) }
        };
        let answer = self.writing().send(&step, self.attempt_limit(length), send).await?;
        let crc64 = answer.checksum_crc64_nvme().map(str::to_owned);
        let etag = answer.e_tag().map(str::to_owned);
        Ok(PutAnswer { etag, crc64, degraded: None })
    }

    /// True if the store takes an object that must not exist although it does: it knows no
    /// conditions. Whatever else it answers proves nothing against it.
    pub(crate) async fn overwrites(&self, put: &Put<'_>) -> bool {
        let asks = Asks { checksum: false, if_absent: true };
        self.put_asking(put, asks, None).await.is_ok()
    }

    /// The object is there although it must not be: perhaps because an attempt of ours wrote it, and
    /// its answer was lost.
    async fn put_before(
        &self,
        put: &Put<'_>,
        crc: Option<Crc64>,
        error: S3Error,
    ) -> Result<PutAnswer, S3Error> {
        let length = u64::try_from(put.body.len()).unwrap_or(u64::MAX);
        match self.head(put.key).await {
            Ok(Some(head)) if head.is_ours(put.run, length, crc) => {
                Ok(PutAnswer { etag: head.etag, crc64: head.crc64, degraded: None })
            }
            Ok(Some(_)) => Err(S3Error::Exists { object: self.url(put.key) }),
            // Who may only write cannot look; what the store said stands.
            Err(denied) if denied.is(Refusal::is_denied) => {
                Err(S3Error::Exists { object: self.url(put.key) })
            }
            Ok(None) => Err(error),
            Err(other) => Err(other),
        }
    }

    /// Facts of an object; none if there is none.
    ///
    /// # Errors
    /// As for every request; a bucket that is not there looks like an object that is not.
    pub(crate) async fn head(&self, key: &str) -> Result<Option<Head>, S3Error> {
        let step = self.step("look at", key, "s3:GetObject");
        let send = || {
            let request = self.client.head_object().bucket(&self.bucket).key(key);
            let request = request.checksum_mode(ChecksumMode::Enabled);
            async move { request.send().await.map_err(Refusal::of) }
        };
        match self.requests.send(&step, SMALL, send).await {
            Ok(answer) => Ok(Some(Head::of(&answer))),
            Err(error) if error.is(Refusal::is_missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Number of parts as the store counts them; none if it does not say.
    pub(crate) async fn count_parts(&self, key: &str) -> Option<u32> {
        let request = self.client.head_object().bucket(&self.bucket).key(key).part_number(1);
        let answer = tokio::time::timeout(SMALL, request.send()).await;
        answer.ok()?.ok()?.parts_count().and_then(|count| u32::try_from(count).ok())
    }

    /// A small object with its facts; none if there is none.
    ///
    /// # Errors
    /// As for every request; one that is larger is refused before it fills the memory.
    pub(crate) async fn get(
        &self,
        key: &str,
        most_bytes: u64,
    ) -> Result<Option<(Vec<u8>, Facts)>, S3Error> {
        let step = self.step("read", key, "s3:GetObject");
        let send = || {
            let request = self.client.get_object().bucket(&self.bucket).key(key);
            async move { whole(request.send().await.map_err(Refusal::of)?, most_bytes).await }
        };
        match self.requests.send(&step, self.requests.attempt_limit(WHOLE_BYTES, 1), send).await {
            Ok((bytes, etag, modified)) => {
                let size_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                Ok(Some((bytes, Facts { key: key.to_owned(), size_bytes, etag, modified })))
            }
            Err(error) if error.is(Refusal::is_missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fills the buffer from an offset of an object that must still be the one of the ETag.
    ///
    /// # Errors
    /// [`S3Error::Replaced`], [`S3Error::Missing`].
    pub(crate) async fn read(
        &self,
        key: &str,
        etag: Option<&str>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), S3Error> {
        let Some(last) = buffer.len().checked_sub(1) else { return Ok(()) };
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let range = format!("bytes={offset}-{}", offset.saturating_add(last as u64));
        let step = self.step(format!("read {length} bytes at {offset} of"), key, "s3:GetObject");
        let send = || {
            let request = self.client.get_object().bucket(&self.bucket).key(key).range(&range);
            let request = request.set_if_match(etag.map(str::to_owned));
            async move {
                let answer = request.send().await.map_err(Refusal::of)?;
                let got = answer.e_tag().map(str::to_owned);
                let pieces = pieces(answer.body, answer.content_length, length).await?;
                let came = length_of(&pieces);
                if came != length {
                    return Err(Refusal::odd_answer(format!("{came} bytes came")));
                }
                Ok((pieces, got))
            }
        };
        let replaced = || S3Error::Replaced { object: self.url(key) };
        match self.requests.send(&step, self.attempt_limit(length), send).await {
            Ok((pieces, got)) => {
                if etag.is_some() && got.as_deref() != etag {
                    return Err(replaced());
                }
                copy(&pieces, buffer);
                Ok(())
            }
            Err(error) if error.is(Refusal::is_unmet) => Err(replaced()),
            Err(error) if error.is(Refusal::is_missing) => {
                Err(S3Error::Missing { object: self.url(key) })
            }
            Err(error) => Err(error),
        }
    }

    /// All objects whose keys begin so, by key.
    ///
    /// # Errors
    /// [`S3Error::Differs`] if the store does not come to an end.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Facts>, S3Error> {
        let step = self.step("list", prefix, "s3:ListBucket");
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let send = || {
                let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
                let request = request.set_continuation_token(token.clone());
                async move { request.send().await.map_err(Refusal::of) }
            };
            let page = self.requests.send(&step, SMALL, send).await?;
            found.extend(page.contents().iter().filter_map(|object| {
                Some(Facts {
                    key: object.key()?.to_owned(),
                    size_bytes: object.size().and_then(|size| u64::try_from(size).ok())?,
                    etag: object.e_tag().map(str::to_owned),
                    modified: object.last_modified().copied(),
                })
            }));
            if page.is_truncated() != Some(true) {
                found.sort_by(|one, other| one.key.cmp(&other.key));
                return Ok(found);
            }
            let next = page.next_continuation_token().map(str::to_owned);
            if next.is_none() || next == token {
                let what = "the list has no next page and no end".to_owned();
                return Err(S3Error::Differs { object: self.url(prefix), what });
            }
            token = next;
        }
    }

    /// Deletes an object; gone already is success.
    ///
    /// # Errors
    /// As for every request: it may still be there.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), S3Error> {
        let step = self.step("delete", key, "s3:DeleteObject");
        let send = || {
            let request = self.client.delete_object().bucket(&self.bucket).key(key);
            async move { request.send().await.map_err(Refusal::of) }
        };
        match self.requests.send(&step, SMALL, send).await {
            Ok(_) => Ok(()),
            Err(error) if error.is(Refusal::is_missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Until when an object that is written now is to be locked, by the store's clock.
    pub(super) fn locked_until(&self, lock: &ObjectLock) -> DateTime {
        DateTime::from(self.clock().time_there() + lock.length())
    }
}

impl Head {
    fn of(answer: &HeadObjectOutput) -> Self {
        let is_whole = answer.checksum_type() != Some(&ChecksumType::Composite);
        let crc64 = answer.checksum_crc64_nvme().filter(|_| is_whole).map(str::to_owned);
        Self {
            size_bytes: answer.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            etag: answer.e_tag().map(str::to_owned),
            modified: answer.last_modified().copied(),
            crc64,
            run: answer.metadata().and_then(|all| all.get(RUN_METADATA)).cloned(),
            encryption: answer.server_side_encryption().cloned(),
            storage_class: answer.storage_class().cloned(),
            lock_mode: answer.object_lock_mode().cloned(),
            parts: answer.parts_count().and_then(|count| u32::try_from(count).ok()),
        }
    }

    /// True if this is what a run wrote: by its name, its length, and its checksum where the store
    /// knows one.
    pub(crate) fn is_ours(&self, run: &str, length: u64, crc: Option<Crc64>) -> bool {
        let same_sum = match (&self.crc64, crc) {
            (Some(there), Some(here)) => *there == here.base64(),
            _ => true,
        };
        self.run.as_deref() == Some(run) && self.size_bytes == length && same_sum
    }
}

/// The body of an answer, its ETag and its time.
async fn whole(
    answer: GetObjectOutput,
    most_bytes: u64,
) -> Result<(Vec<u8>, Option<String>, Option<DateTime>), Refusal> {
    let (etag, modified) = (answer.e_tag().map(str::to_owned), answer.last_modified().copied());
    let announced = answer.content_length().and_then(|length| usize::try_from(length).ok());
    let bytes = pieces(answer.body, answer.content_length, most_bytes).await?.concat();
    if announced.is_some_and(|length| length != bytes.len()) {
        return Err(Refusal::odd_answer(format!("{} bytes came", bytes.len())));
    }
    Ok((bytes, etag, modified))
}

/// The pieces of a body, refused as soon as it is longer than it may be: a proxy that ignores `Range`
/// answers with a whole archive.
async fn pieces(
    mut body: ByteStream,
    announced: Option<i64>,
    most_bytes: u64,
) -> Result<Vec<Bytes>, Refusal> {
    let announced = announced.and_then(|length| u64::try_from(length).ok());
    if announced.is_some_and(|length| length > most_bytes) {
        return Err(Refusal::too_long(most_bytes));
    }
    let (mut pieces, mut room) = (Vec::new(), most_bytes);
    while let Some(piece) = body.try_next().await.map_err(broken)? {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        room = room.checked_sub(length).ok_or_else(|| Refusal::too_long(most_bytes))?;
        pieces.push(piece);
    }
    Ok(pieces)
}

fn length_of(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX)).sum()
}

/// Fills the buffer with pieces that are as long as it is.
fn copy(pieces: &[Bytes], mut buffer: &mut [u8]) {
    for piece in pieces {
        let Some((room, rest)) = buffer.split_at_mut_checked(piece.len()) else { return };
        room.copy_from_slice(piece);
        buffer = rest;
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn broken(error: aws_sdk_s3::primitives::ByteStreamError) -> Refusal {
    Refusal::unanswered(dbbackup_sdk::shown(&error))
}

/// Server-side encryption as the SDK wants it.
pub(super) fn encryption(
    wanted: Option<&Encryption>,
) -> (Option<ServerSideEncryption>, Option<String>) {
    match wanted {
        None => (None, None),
        Some(Encryption::Aes256) => (Some(ServerSideEncryption::Aes256), None),
        Some(Encryption::Kms { key }) => (Some(ServerSideEncryption::AwsKms), key.clone()),
    }
}

pub(super) fn lock_mode(lock: &ObjectLock) -> ObjectLockMode {
    match lock.mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    fn read(
        bytes: &'static [u8],
        announced: Option<i64>,
        most: u64,
    ) -> Result<Vec<Bytes>, Refusal> {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(pieces(ByteStream::from_static(bytes), announced, most))
    }

    #[test]
    fn a_body_that_is_longer_than_was_asked_for_is_refused() {
        assert_eq!(read(b"12345", Some(5), 5).unwrap().concat(), b"12345");
        assert!(read(b"12345", Some(5), 4).unwrap_err().is_too_long());
        assert!(read(b"12345", None, 4).unwrap_err().is_too_long(), "nobody said its length");
        assert!(read(b"", Some(1 << 40), 4).unwrap_err().is_too_long(), "before it is read");
    }

    #[test]
    fn pieces_fill_a_buffer_in_their_order() {
        let mut buffer = [0; 5];
        copy(&[Bytes::from_static(b"12"), Bytes::from_static(b"345")], &mut buffer);
        assert_eq!(&buffer, b"12345");
    }
}
