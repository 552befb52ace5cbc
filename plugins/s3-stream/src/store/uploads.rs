//! Requests about multipart uploads.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime},
    types::{
        ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, StorageClass,
    },
};
use bytes::Bytes;

use super::{
    Asks, RUN_METADATA, Store,
    objects::{SMALL, encryption, lock_mode},
};
use crate::{checksum::Crc64, error::S3Error, refusal::Refusal};

/// Time for the store to put an object together: minutes where it has thousands of parts.
const COMPLETE_LIMIT: Duration = Duration::from_secs(600);

/// An upload that has been started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) id: String,
}

/// What came of starting one.
#[derive(Clone, Debug)]
pub(crate) struct Created {
    pub(crate) id: String,
    /// True if the upload has checksums.
    pub(crate) has_checksums: bool,
    /// True if an attempt without an answer may have started another one.
    pub(crate) has_twin: bool,
}

/// A part that the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1 on.
    pub(crate) number: u32,
    pub(crate) length: u64,
    pub(crate) etag: String,
    /// None if no checksums are wanted.
    pub(crate) crc: Option<Crc64>,
}

/// An upload of a list.
#[derive(Clone, Debug)]
pub(crate) struct OpenUpload {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) started: Option<DateTime>,
}

/// What the store says of an object that it has put together.
#[derive(Clone, Debug)]
pub(crate) struct Completed {
    pub(crate) etag: Option<String>,
    /// Checksum of the whole object that the store confirms, base64.
    pub(crate) crc64: Option<String>,
    /// The condition that the store did not take, a clause.
    pub(crate) degraded: Option<String>,
}

impl Store {
    /// Starts an upload.
    ///
    /// # Errors
    /// As for every request.
    pub(crate) async fn create(&self, key: &str, run: &str) -> Result<Created, S3Error> {
        let wanted = Asks { checksum: self.checksum, if_absent: false };
        let mut asks = wanted;
        loop {
            match self.create_asking(key, run, asks).await {
                Ok(created) => return Ok(created),
                Err(error) => asks = asks.after(wanted, &error).ok_or(error)?,
            }
        }
    }

    async fn create_asking(&self, key: &str, run: &str, asks: Asks) -> Result<Created, S3Error> {
        let attempts = AtomicU32::new(0);
        let step = self.step("start the upload of", key, "s3:PutObject");
        let send = || {
            attempts.fetch_add(1, Relaxed);
            let lock = self.object_lock.as_ref();
            let (encryption, kms_key) = encryption(self.encryption.as_ref());
            let request = self
                .client
                .create_multipart_upload()
                .bucket(&self.bucket)
                .key(key)
                .metadata(RUN_METADATA, run)
                .set_checksum_algorithm(asks.checksum.then_some(ChecksumAlgorithm::Crc64Nvme))
                .set_checksum_type(asks.checksum.then_some(ChecksumType::FullObject))
                .set_server_side_encryption(encryption)
                .set_ssekms_key_id(kms_key)
                .set_storage_class(self.storage_class.as_deref().map(StorageClass::from))
                .set_object_lock_mode(lock.map(lock_mode))
                .set_object_lock_retain_until_date(lock.map(|lock| self.locked_until(lock)));
            async move {
                let answer = request.send().await.map_err(Refusal::of)?;
                let id = answer.upload_id().filter(|id| !id.is_empty()).map(str::to_owned);
                id.ok_or_else(|| Refusal::odd_answer("an upload without an id"))
            }
        };
        let id = self.writing().send(&step, SMALL, send).await?;
        Ok(Created { id, has_checksums: asks.checksum, has_twin: attempts.load(Relaxed) > 1 })
    }

    /// Uploads a part, with its checksum if `checksum`; answers its ETag.
    ///
    /// # Errors
    /// As for every request.
    pub(crate) async fn part(
        &self,
        upload: &Upload,
        number: u32,
        body: &Bytes,
        checksum: Option<Crc64>,
    ) -> Result<String, S3Error> {
        let step = self.step(format!("upload part {number} of"), &upload.key, "s3:PutObject");
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let sum = checksum.map(Crc64::base64);
        let send = || {
            let request = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(&upload.key)
                .upload_id(&upload.id)
                .part_number(i32::try_from(number).unwrap_or(i32::MAX))
                .body(ByteStream::from(body.clone()))
                .set_checksum_crc64_nvme(sum.clone());
            let request = request.customize();
            let request = if self.unsigned { request.disable_payload_signing() } else { request };
            let sum = sum.clone();
            async move {
                let answer = request.send().await.map_err(Refusal::of)?;
                let there = answer.checksum_crc64_nvme();
                if there.is_some() && sum.is_some() && there != sum.as_deref() {
                    return Err(Refusal::odd_answer("the store has another checksum of the part"));
                }
                let etag = answer.e_tag().filter(|etag| !etag.is_empty()).map(str::to_owned);
                etag.ok_or_else(|| Refusal::odd_answer("a part without an ETag"))
            }
        };
        self.requests.send(&step, self.attempt_limit(length), send).await
    }

    /// Makes the parts an object. `whole` is its checksum, if the upload has checksums.
    ///
    /// # Errors
    /// As for every request. The object may be there all the same: an answer can be lost.
    pub(crate) async fn complete(
        &self,
        upload: &Upload,
        parts: &[Part],
        whole: Option<Crc64>,
        if_absent: bool,
    ) -> Result<Completed, S3Error> {
        let wanted = Asks { checksum: whole.is_some(), if_absent };
        let mut asks = wanted;
        let mut conflicts = self.conflicts();
        loop {
            match self.after(&conflicts).complete_asking(upload, parts, whole, asks).await {
                Ok(completed) => {
                    return Ok(Completed { degraded: asks.lost_condition(wanted), ..completed });
                }
                Err(error) if error.is(Refusal::is_conflict) => conflicts.wait(error).await?,
                Err(error) => asks = asks.after(wanted, &error).ok_or(error)?,
            }
        }
    }

    async fn complete_asking(
        &self,
        upload: &Upload,
        parts: &[Part],
        whole: Option<Crc64>,
        asks: Asks,
    ) -> Result<Completed, S3Error> {
        let step = self.step("complete the upload of", &upload.key, "s3:PutObject");
        let listed = parts.iter().map(|part| {
            let number = i32::try_from(part.number).unwrap_or(i32::MAX);
            CompletedPart::builder().part_number(number).e_tag(&part.etag).build()
        });
        let listed = CompletedMultipartUpload::builder().set_parts(Some(listed.collect())).build();
        let length: u64 = parts.iter().map(|part| part.length).sum();
        let whole = whole.filter(|_| asks.checksum);
        let send = || {
            let request = self
                .client
                .complete_multipart_upload()
                .bucket(&self.bucket)
                .key(&upload.key)
                .upload_id(&upload.id)
                .multipart_upload(listed.clone())
                .mpu_object_size(i64::try_from(length).unwrap_or(i64::MAX))
                .set_checksum_crc64_nvme(whole.map(Crc64::base64))
                .set_checksum_type(whole.map(|_| ChecksumType::FullObject))
                .set_if_none_match(asks.if_absent.then(|| "*".to_owned()));
            async move { request.send().await.map_err(Refusal::of) }
        };
        let answer = self.requests.send(&step, COMPLETE_LIMIT, send).await?;
        let is_whole = answer.checksum_type() != Some(&ChecksumType::Composite);
        let crc64 = answer.checksum_crc64_nvme().filter(|_| is_whole).map(str::to_owned);
        let etag = answer.e_tag().map(str::to_owned);
        Ok(Completed { etag, crc64, degraded: None })
    }

    /// Ends an upload with everything that was stored of it; gone already is success.
    ///
    /// # Errors
    /// As for every request: its parts may still take room.
    pub(crate) async fn abort(&self, upload: &Upload) -> Result<(), S3Error> {
        let step = self.step("abort the upload of", &upload.key, "s3:AbortMultipartUpload");
        let send = || {
            let request = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(&upload.key)
                .upload_id(&upload.id);
            async move { request.send().await.map_err(Refusal::of) }
        };
        match self.requests.send(&step, SMALL, send).await {
            Ok(_) => Ok(()),
            Err(error) if error.is(|said| said.is_no_upload() || said.is_missing()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All unfinished uploads of keys that begin so, by key.
    ///
    /// # Errors
    /// [`S3Error::Differs`] if the store does not come to an end.
    pub(crate) async fn uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, S3Error> {
        let step =
            self.step("list the unfinished uploads of", prefix, "s3:ListBucketMultipartUploads");
        let mut found = Vec::new();
        let mut next: (Option<String>, Option<String>) = (None, None);
        loop {
            let send = || {
                let request = self
                    .client
                    .list_multipart_uploads()
                    .bucket(&self.bucket)
                    .prefix(prefix)
                    .set_key_marker(next.0.clone())
                    .set_upload_id_marker(next.1.clone());
                async move { request.send().await.map_err(Refusal::of) }
            };
            let page = self.requests.send(&step, SMALL, send).await?;
            found.extend(page.uploads().iter().filter_map(|upload| {
                Some(OpenUpload {
                    key: upload.key()?.to_owned(),
                    id: upload.upload_id()?.to_owned(),
                    started: upload.initiated().copied(),
                })
            }));
            if page.is_truncated() != Some(true) {
                found.sort_by(|one, other| (&one.key, &one.id).cmp(&(&other.key, &other.id)));
                return Ok(found);
            }
            let after = (
                page.next_key_marker().map(str::to_owned),
                page.next_upload_id_marker().map(str::to_owned),
            );
            if after.0.is_none() || after == next {
                let what = "the list has no next page and no end".to_owned();
                return Err(S3Error::Differs { object: self.url(prefix), what });
            }
            next = after;
        }
    }
}
