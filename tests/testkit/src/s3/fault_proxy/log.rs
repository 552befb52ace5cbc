//! What a proxy has seen.
use super::Fault;
use crate::s3::http::Head;
use crate::s3::request::{S3Operation, Target};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A request that has arrived at the proxy, and what has come of it so far.
#[derive(Debug, Clone)]
pub struct S3Request {
    /// What it does.
    pub operation: S3Operation,
    /// `PUT`, `GET` and so on.
    pub method: String,
    /// The path, not decoded.
    pub path: String,
    /// The parameters, not decoded, without the question mark.
    pub query: String,
    /// The bucket, decoded.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// Names in lower case and values, without `authorization`.
    pub headers: Vec<(String, String)>,
    /// The fault that it met.
    pub fault: Option<Fault>,
    /// The status that the client was given, if it was given an answer.
    pub status: Option<u16>,
    /// Bytes of its body that were read from the client.
    pub request_bytes: u64,
    /// Bytes of the answer's body that the client was given; with chunks, their sizes count too.
    pub answer_bytes: u64,
}

impl S3Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The requests so far. What a client can know of an answer is noted before the client gets it.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<Arc<Entry>>>,
}

/// The record of one request.
#[derive(Debug)]
pub(super) struct Entry(Mutex<S3Request>);

impl Entry {
    pub(super) fn note(&self, change: impl FnOnce(&mut S3Request)) {
        change(&mut locked(&self.0));
    }
}

impl Log {
    pub(super) fn begin(&self, head: &Head, target: &Target, fault: Option<Fault>) -> Arc<Entry> {
        let headers = head.headers().iter().filter(|(name, _)| {
            // A signature is of no use to a test, and tests print what they have seen.
            !name.eq_ignore_ascii_case("authorization")
        });
        let entry = Arc::new(Entry(Mutex::new(S3Request {
            operation: target.operation,
            method: head.word(0).to_owned(),
            path: target.path.clone(),
            query: target.query.clone(),
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.clone())).collect(),
            fault,
            status: None,
            request_bytes: 0,
            answer_bytes: 0,
        })));
        locked(&self.requests).push(Arc::clone(&entry));
        entry
    }

    pub(super) fn requests(&self) -> Vec<S3Request> {
        locked(&self.requests).iter().map(|entry| locked(&entry.0).clone()).collect()
    }

    pub(super) fn count(&self, counts: impl Fn(&S3Request) -> bool) -> usize {
        locked(&self.requests).iter().filter(|entry| counts(&locked(&entry.0))).count()
    }

    pub(super) fn forget(&self) {
        locked(&self.requests).clear();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
