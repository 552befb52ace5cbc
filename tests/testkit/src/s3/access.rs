//! How to reach a bucket: endpoint, keys and authority, for clients of any kind.
use super::{S3Client, S3FaultProxy};
use anyhow::Result;
use std::path::PathBuf;

/// The region that every store of the kit says it is in.
pub(super) const REGION: &str = "us-east-1";

/// A bucket, and what a client needs to reach it with path-style addressing.
#[derive(Clone)]
pub struct S3Access {
    /// Such as `http://127.0.0.1:14000`.
    pub endpoint: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Id of the key.
    pub access_key: String,
    /// The key's secret.
    pub secret_key: String,
    /// The certificate of the authority that signed the endpoint's, for `https`.
    pub ca: Option<PathBuf>,
}

/// The secret stays out of what tests print.
impl std::fmt::Debug for S3Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at {} as {}", self.bucket, self.endpoint, self.access_key)
    }
}

impl S3Access {
    /// The same bucket and keys through a proxy, which speaks plain HTTP.
    #[must_use]
    pub fn through(&self, proxy: &S3FaultProxy) -> Self {
        self.at(proxy.endpoint())
    }

    /// The same bucket and keys at another endpoint, without TLS.
    #[must_use]
    pub fn at(&self, endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ca: None, ..self.clone() }
    }

    /// The same endpoint and keys, but another bucket.
    #[must_use]
    pub fn bucket(&self, bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..self.clone() }
    }

    /// The same bucket with a secret that is not the key's.
    #[must_use]
    pub fn with_wrong_secret(&self) -> Self {
        Self { secret_key: self.secret_key.chars().rev().collect(), ..self.clone() }
    }

    /// A client that makes each request once.
    ///
    /// # Errors
    /// The authority's certificate cannot be read.
    pub fn client(&self) -> Result<S3Client> {
        S3Client::new(self)
    }

    /// The variables in which tools of S3 look for these: the SDKs' own, and s5cmd's. For rclone,
    /// the endpoint goes into the remote: `:s3,provider=Other,env_auth=true,endpoint="…":bucket`.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", self.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_key.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("S3_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ];
        if let Some(ca) = &self.ca {
            variables.push(("AWS_CA_BUNDLE", ca.display().to_string()));
        }
        variables
    }
}
