//! Multipart uploads, step by step.
use super::S3Client;
use crate::s3::S3Upload;
use crate::s3::failure::S3Failure;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

impl S3Client {
    /// Lists the uploads that have neither been completed nor aborted.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn uploads(&self) -> Result<Vec<S3Upload>, S3Failure> {
        let mut uploads = Vec::new();
        let (mut after_key, mut after_id) = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.access.bucket);
            let request = request.set_key_marker(after_key).set_upload_id_marker(after_id);
            let page = self.runtime.block_on(request.send())?;
            uploads.extend(page.uploads().iter().map(|upload| S3Upload {
                key: upload.key().unwrap_or_default().to_owned(),
                id: upload.upload_id().unwrap_or_default().to_owned(),
            }));
            after_key = page.next_key_marker().map(str::to_owned);
            after_id = page.next_upload_id_marker().map(str::to_owned);
            if !page.is_truncated().unwrap_or_default() || after_key.is_none() {
                return Ok(uploads);
            }
        }
    }

    /// Begins an upload and returns its id.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn create_upload(&self, key: &str) -> Result<String, S3Failure> {
        let request = self.client.create_multipart_upload().bucket(&self.access.bucket).key(key);
        let answer = self.runtime.block_on(request.send())?;
        let id = answer.upload_id().map(str::to_owned);
        id.ok_or_else(|| S3Failure::other("the store gave the upload no id"))
    }

    /// Uploads a part, numbered from 1, and returns its `ETag`. All but the last must have 5 MiB.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        contents: impl Into<Vec<u8>>,
    ) -> Result<String, S3Failure> {
        let request = self.client.upload_part().bucket(&self.access.bucket).key(key);
        let request = request.upload_id(upload).part_number(number);
        let request = request.body(ByteStream::from(contents.into()));
        let answer = self.runtime.block_on(request.send())?;
        let etag = answer.e_tag().map(str::to_owned);
        etag.ok_or_else(|| S3Failure::other("the store gave the part no ETag"))
    }

    /// Makes the object of parts that are given by their `ETag`s, the first of which is part 1.
    ///
    /// # Errors
    /// `InvalidPart` if one is not there, the store refuses, or does not answer.
    pub fn complete_upload(
        &self,
        key: &str,
        upload: &str,
        etags: &[String],
    ) -> Result<(), S3Failure> {
        let parts = (1..).zip(etags);
        let parts = parts
            .map(|(number, etag)| CompletedPart::builder().part_number(number).e_tag(etag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&self.access.bucket).key(key);
        let request = request.upload_id(upload).multipart_upload(parts);
        self.runtime.block_on(request.send())?;
        Ok(())
    }

    /// Gives an upload up, and its parts with it.
    ///
    /// # Errors
    /// `NoSuchUpload` on some stores, the store refuses, or does not answer.
    pub fn abort_upload(&self, key: &str, upload: &str) -> Result<(), S3Failure> {
        let request = self.client.abort_multipart_upload().bucket(&self.access.bucket).key(key);
        self.runtime.block_on(request.upload_id(upload).send())?;
        Ok(())
    }
}
