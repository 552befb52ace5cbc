//! A small blocking client of one bucket, for assertions.
//!
//! It makes each request once, so that a test sees what the store has answered.
mod multipart;

use super::access::{REGION, S3Access};
use super::failure::S3Failure;
use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use std::collections::HashMap;
use std::fs;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a request may take, unless [`S3Client::timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one bucket. Every method is one request, or a listing with as many as it needs.
#[derive(Debug)]
pub struct S3Client {
    access: S3Access,
    client: Client,
    runtime: Runtime,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Object {
    /// Its key.
    pub key: String,
    /// Its size.
    pub size_bytes: u64,
}

/// A multipart upload that has neither been completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Upload {
    /// The key of the object that it is to become.
    pub key: String,
    /// Its id.
    pub id: String,
}

/// What `HeadObject` tells of an object.
#[derive(Debug, Clone)]
pub struct S3Head {
    /// Its size.
    pub size_bytes: u64,
    /// Its entity tag, with the quotes.
    pub etag: Option<String>,
    /// Its CRC64NVME in base64, if the store keeps one.
    pub crc64nvme: Option<String>,
    /// `AES256`, `aws:kms` or nothing.
    pub encryption: Option<String>,
    /// `GOVERNANCE` or `COMPLIANCE` with the seconds of the epoch until which nobody removes it.
    pub locked: Option<(String, i64)>,
    /// Nothing is the store's standard class.
    pub storage_class: Option<String>,
    /// What the uploader has put beside it.
    pub metadata: HashMap<String, String>,
}

impl S3Client {
    pub(super) fn new(access: &S3Access) -> Result<Self> {
        let client = connect(access, TIMEOUT)?;
        // With a thread of its own, so that connections that the store closes are noticed between
        // requests.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { access: access.clone(), client, runtime })
    }

    /// Bounds each request.
    ///
    /// # Errors
    /// As for [`S3Access::client`].
    pub fn timeout(mut self, timeout: Duration) -> Result<Self> {
        self.client = connect(&self.access, timeout)?;
        Ok(self)
    }

    /// Makes the bucket.
    ///
    /// # Errors
    /// It exists, or the store refuses.
    pub fn create_bucket(&self) -> Result<(), S3Failure> {
        let request = self.client.create_bucket().bucket(&self.access.bucket);
        self.runtime.block_on(request.send())?;
        Ok(())
    }

    /// Makes the bucket, and one whose objects can be locked.
    ///
    /// # Errors
    /// As for [`S3Client::create_bucket`].
    pub fn create_locking_bucket(&self) -> Result<(), S3Failure> {
        let request = self.client.create_bucket().bucket(&self.access.bucket);
        self.runtime.block_on(request.object_lock_enabled_for_bucket(true).send())?;
        Ok(())
    }

    /// Puts an object, over one that is there.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn put(&self, key: &str, contents: impl Into<Vec<u8>>) -> Result<(), S3Failure> {
        let body = ByteStream::from(contents.into());
        let request = self.client.put_object().bucket(&self.access.bucket).key(key).body(body);
        self.runtime.block_on(request.send())?;
        Ok(())
    }

    /// Gets a whole object.
    ///
    /// # Errors
    /// `NoSuchKey`, the store refuses, or its answer ends early.
    pub fn get(&self, key: &str) -> Result<Vec<u8>, S3Failure> {
        self.fetch(key, None)
    }

    /// Gets `length` bytes of an object from `start` on, fewer at its end.
    ///
    /// # Errors
    /// As for [`S3Client::get`], and `InvalidRange` if the object is not that long.
    pub fn get_range(&self, key: &str, start: u64, length: u64) -> Result<Vec<u8>, S3Failure> {
        let last = start.saturating_add(length).saturating_sub(1);
        self.fetch(key, Some(format!("bytes={start}-{last}")))
    }

    fn fetch(&self, key: &str, range: Option<String>) -> Result<Vec<u8>, S3Failure> {
        let request =
            self.client.get_object().bucket(&self.access.bucket).key(key).set_range(range);
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let body =
                answer.body.collect().await.map_err(|error| {
                    S3Failure::other(format!("read the body of {key}: {error:?}"))
                })?;
            Ok(body.to_vec())
        })
    }

    /// Looks at an object; `None` if there is none.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn head(&self, key: &str) -> Result<Option<S3Head>, S3Failure> {
        let request = self.client.head_object().bucket(&self.access.bucket).key(key);
        let request = request.checksum_mode(ChecksumMode::Enabled);
        let head = match self.runtime.block_on(request.send()).map_err(S3Failure::from) {
            Ok(head) => head,
            Err(failure) if failure.status == Some(404) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        Ok(Some(S3Head {
            size_bytes: size(head.content_length()),
            etag: head.e_tag().map(str::to_owned),
            crc64nvme: head.checksum_crc64_nvme().map(str::to_owned),
            encryption: head.server_side_encryption().map(|value| value.as_str().to_owned()),
            locked: head
                .object_lock_mode()
                .zip(head.object_lock_retain_until_date())
                .map(|(mode, until)| (mode.as_str().to_owned(), until.secs())),
            storage_class: head.storage_class().map(|value| value.as_str().to_owned()),
            metadata: head.metadata().cloned().unwrap_or_default(),
        }))
    }

    /// Lists the objects whose keys start with `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn list(&self, prefix: &str) -> Result<Vec<S3Object>, S3Failure> {
        let request = self.client.list_objects_v2().bucket(&self.access.bucket).prefix(prefix);
        let pages: Result<Vec<_>, _> =
            self.runtime.block_on(request.into_paginator().send().collect());
        let object = |listed: &aws_sdk_s3::types::Object| S3Object {
            key: listed.key().unwrap_or_default().to_owned(),
            size_bytes: size(listed.size()),
        };
        Ok(pages?.iter().flat_map(|page| page.contents()).map(object).collect())
    }

    /// The keys of [`S3Client::list`].
    ///
    /// # Errors
    /// As for [`S3Client::list`].
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, S3Failure> {
        Ok(self.list(prefix)?.into_iter().map(|object| object.key).collect())
    }

    /// Deletes an object; that there is none is no failure.
    ///
    /// # Errors
    /// The store refuses, or does not answer.
    pub fn delete(&self, key: &str) -> Result<(), S3Failure> {
        let request = self.client.delete_object().bucket(&self.access.bucket).key(key);
        self.runtime.block_on(request.send())?;
        Ok(())
    }
}

/// Makes the SDK's client: one attempt, no checksums but those that S3 demands.
fn connect(access: &S3Access, timeout: Duration) -> Result<Client> {
    let credentials =
        Credentials::new(&access.access_key, &access.secret_key, None, None, "testkit");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(timeout)
        .build();
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(&access.endpoint)
        .force_path_style(true)
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let http = aws_smithy_http_client::Builder::new();
    let http = if access.endpoint.starts_with("https:") {
        http.tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(trust(access)?)
            .build_https()
    } else {
        http.build_http()
    };
    Ok(Client::from_conf(config.http_client(http).build()))
}

/// Trusts the endpoint's authority alone, or nobody.
fn trust(access: &S3Access) -> Result<TlsContext> {
    let mut store = TrustStore::empty();
    if let Some(path) = &access.ca {
        let pem = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        store = store.with_pem_certificate(pem);
    }
    TlsContext::builder().with_trust_store(store).build().context("set TLS up")
}

fn size(told: Option<i64>) -> u64 {
    told.and_then(|size| u64::try_from(size).ok()).unwrap_or_default()
}
