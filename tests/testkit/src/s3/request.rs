//! What an S3 request does, read off its first line. Buckets are in the path, never in the host.
#[cfg(test)]
mod tests;

use super::http::{Head, percent_decoded};

/// A kind of S3 request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum S3Operation {
    /// `CreateMultipartUpload`.
    CreateUpload,
    /// `UploadPart`.
    Part,
    /// `CompleteMultipartUpload`.
    Complete,
    /// `AbortMultipartUpload`.
    Abort,
    /// `PutObject`.
    Put,
    /// `GetObject`.
    Get,
    /// `HeadObject` or `HeadBucket`.
    Head,
    /// A listing: of objects, uploads or parts.
    List,
    /// `DeleteObject` or `DeleteObjects`.
    Delete,
    /// Anything else, such as making a bucket.
    Other,
}

/// Parameters of a bucket that ask for a listing.
const LISTS: [&str; 4] = ["list-type", "uploads", "prefix", "versions"];

/// The object that a request is about, and what it does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) operation: S3Operation,
    pub(super) bucket: String,
    pub(super) key: String,
    /// As in the first line, before anything is decoded.
    pub(super) path: String,
    /// As in the first line, without the question mark.
    pub(super) query: String,
}

impl Target {
    /// Reads the first line of a request.
    pub(super) fn of(head: &Head) -> Self {
        let uri = head.word(1);
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let inside = path.trim_start_matches('/');
        let (bucket, key) = inside.split_once('/').unwrap_or((inside, ""));
        let mut target = Self {
            operation: S3Operation::Other,
            bucket: percent_decoded(bucket, false),
            key: percent_decoded(key, false),
            path: path.to_owned(),
            query: query.to_owned(),
        };
        target.operation = target.classify(head.word(0));
        target
    }

    /// The value of a parameter; empty if it has none, as `uploads` in `?uploads`.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (known, value) = pair.split_once('=').unwrap_or((pair, ""));
            (known == name).then(|| percent_decoded(value, true))
        })
    }

    fn classify(&self, method: &str) -> S3Operation {
        let has = |name: &str| self.parameter(name).is_some();
        match (method, self.key.is_empty()) {
            ("POST", false) if has("uploads") => S3Operation::CreateUpload,
            ("POST", false) if has("uploadId") => S3Operation::Complete,
            ("PUT", false) if has("uploadId") => S3Operation::Part,
            ("DELETE", false) if has("uploadId") => S3Operation::Abort,
            ("PUT", false) => S3Operation::Put,
            ("GET", false) if has("uploadId") => S3Operation::List,
            ("GET", false) => S3Operation::Get,
            ("GET", true) if LISTS.iter().any(|name| has(name)) => S3Operation::List,
            ("GET", true) if !self.bucket.is_empty() && self.query.is_empty() => S3Operation::List,
            ("HEAD", _) => S3Operation::Head,
            ("DELETE", false) => S3Operation::Delete,
            ("POST", true) if has("delete") => S3Operation::Delete,
            _ => S3Operation::Other,
        }
    }
}
