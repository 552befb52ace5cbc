//! One bucket of a store: its requests by name, each tried again as `request` says. Keys are those
//! of the bucket here.

mod conflict;
mod objects;
mod uploads;

pub(crate) use objects::{Facts, Head, Kind, Put};
pub(crate) use uploads::{Completed, OpenUpload, Part, Upload};

use std::{fmt, time::Duration};

use aws_sdk_s3::Client;

use self::conflict::Conflicts;
use crate::{
    client::{Connected, client},
    clock::StoreClock,
    error::{S3Error, Step},
    location::Place,
    options::{Encryption, InForce, ObjectLock, Options},
    refusal::Refusal,
    request::{Requests, Silence},
};

/// Key of the object metadata that names the run which wrote an object.
pub(crate) const RUN_METADATA: &str = "dbbackup-run";

/// A bucket and how objects are written to it.
pub(crate) struct Store {
    client: Client,
    requests: Requests,
    in_force: InForce,
    bucket: String,
    /// Requests with bodies that are in flight at the same time.
    workers: u16,
    /// True if bodies are left out of signatures.
    unsigned: bool,
    checksum: bool,
    encryption: Option<Encryption>,
    storage_class: Option<String>,
    object_lock: Option<ObjectLock>,
}

impl Store {
    /// Makes the client of a place. Nothing is connected yet.
    ///
    /// # Errors
    /// As for the client.
    pub(crate) async fn open(place: &Place, options: &Options) -> Result<Self, S3Error> {
        let clock = StoreClock::default();
        let Connected { client, in_force, is_encrypted } = client(options, &clock).await?;
        Ok(Self {
            client,
            in_force,
            requests: Requests::new(clock, options.retry_deadline()),
            bucket: place.bucket().to_owned(),
            workers: options.workers(),
            unsigned: options.unsigned_payload.unwrap_or(is_encrypted),
            checksum: options.wants_checksum(),
            encryption: options.encryption.clone(),
            storage_class: options.storage_class.clone(),
            object_lock: options.object_lock.clone(),
        })
    }

    /// The same store, whose requests are tried again for a shorter time.
    pub(crate) fn within(&self, deadline: Duration) -> Self {
        self.with_requests(self.requests.within(deadline))
    }

    /// The same store, whose requests outlast an outage even if they are the first ones.
    pub(crate) fn patient(&self) -> Self {
        self.with_requests(self.requests.patient())
    }

    /// The same store, and what tells of requests through it that went unanswered.
    pub(crate) fn watched(&self) -> (Self, Silence) {
        let (requests, silence) = self.requests.watched();
        (self.with_requests(requests), silence)
    }

    /// What one request meets of others for the same object, within the time that it is tried again.
    fn conflicts(&self) -> Conflicts {
        Conflicts::within(self.requests.longest())
    }

    /// The same store, with what conflicts have left of the time.
    fn after(&self, conflicts: &Conflicts) -> Self {
        let left = conflicts.left().map(|left| self.requests.within(left));
        self.with_requests(left.unwrap_or_else(|| self.requests.clone()))
    }

    fn with_requests(&self, requests: Requests) -> Self {
        Self {
            client: self.client.clone(),
            requests,
            in_force: self.in_force.clone(),
            bucket: self.bucket.clone(),
            workers: self.workers,
            unsigned: self.unsigned,
            checksum: self.checksum,
            encryption: self.encryption.clone(),
            storage_class: self.storage_class.clone(),
            object_lock: self.object_lock.clone(),
        }
    }

    /// Where requests go, whatever has said so.
    pub(crate) fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// URL of an object, for the operator.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// What is asked for objects besides storing them.
    pub(crate) fn wishes(&self) -> Wishes<'_> {
        Wishes {
            encryption: self.encryption.as_ref(),
            storage_class: self.storage_class.as_deref(),
            object_lock: self.object_lock.as_ref(),
        }
    }

    /// True if checksums are wanted.
    pub(crate) fn wants_checksum(&self) -> bool {
        self.checksum
    }

    /// True once the store has answered anything: before that, nothing of ours can be there.
    pub(crate) fn is_known(&self) -> bool {
        self.requests.is_known()
    }

    /// The store's clock.
    pub(crate) fn clock(&self) -> &StoreClock {
        self.requests.clock()
    }

    /// Requests that ask the store to encrypt, if the operator wants it.
    fn writing(&self) -> Requests {
        self.requests.encrypting(self.encryption.is_some())
    }

    /// Time that an attempt with so many bytes may take: all workers share the line.
    fn attempt_limit(&self, bytes: u64) -> Duration {
        self.requests.attempt_limit(bytes, self.workers)
    }

    fn step(&self, what: impl Into<String>, key: &str, permission: &'static str) -> Step {
        Step::new(what, self.url(key), permission)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// What the operator wants for the objects, which a store may ignore.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes<'s> {
    pub(crate) encryption: Option<&'s Encryption>,
    pub(crate) storage_class: Option<&'s str>,
    pub(crate) object_lock: Option<&'s ObjectLock>,
}

/// What a request asks for and a store may refuse to know; then it is asked for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asks {
    /// A checksum is sent along.
    pub(crate) checksum: bool,
    /// The object must not exist.
    pub(crate) if_absent: bool,
}

impl Asks {
    /// What to ask for after a refusal of this; none if there is nothing left to leave out, or if
    /// the refusal has another reason.
    fn after(self, wanted: Self, error: &S3Error) -> Option<Self> {
        if !error.is(Refusal::is_unsupported) {
            return None;
        }
        match self {
            Self { checksum: true, if_absent: true } => {
                Some(Self { checksum: false, if_absent: true })
            }
            Self { checksum: false, if_absent: true } => {
                Some(Self { checksum: wanted.checksum, if_absent: false })
            }
            Self { checksum: true, if_absent: false } => {
                Some(Self { checksum: false, if_absent: false })
            }
            Self { checksum: false, if_absent: false } => None,
        }
    }

    /// The clause that says so if the condition was given up. Of checksums the absence of a confirmed one
    /// tells.
    pub(crate) fn lost_condition(self, wanted: Self) -> Option<String> {
        let is_lost = wanted.if_absent && !self.if_absent;
        is_lost.then(|| {
            "the store does not take If-None-Match: a run at the same time would not be noticed"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::tests::answered;

    fn refused(status: u16, code: &str) -> S3Error {
        let step = Step::new("put", "s3://bucket/key", "s3:PutObject");
        S3Error::Refused { step, source: Box::new(answered(status, code)) }
    }

    fn tried(wanted: Asks) -> Vec<(bool, bool)> {
        let refused = refused(501, "NotImplemented");
        std::iter::successors(Some(wanted), |asks| asks.after(wanted, &refused))
            .map(|asks| (asks.checksum, asks.if_absent))
            .collect()
    }

    #[test]
    fn a_store_is_asked_for_less_and_less() {
        let wanted = Asks { checksum: true, if_absent: true };
        assert_eq!(tried(wanted), [(true, true), (false, true), (true, false), (false, false)]);
        let wanted = Asks { checksum: false, if_absent: true };
        assert_eq!(tried(wanted), [(false, true), (false, false)]);
        let wanted = Asks { checksum: true, if_absent: false };
        assert_eq!(tried(wanted), [(true, false), (false, false)]);
    }

    #[test]
    fn another_refusal_is_no_reason_to_ask_for_less() {
        let wanted = Asks { checksum: true, if_absent: true };
        assert_eq!(wanted.after(wanted, &refused(403, "AccessDenied")), None);
        assert_eq!(wanted.after(wanted, &refused(412, "PreconditionFailed")), None);
    }

    #[test]
    fn what_was_given_up_is_said() {
        let wanted = Asks { checksum: true, if_absent: true };
        assert_eq!(wanted.lost_condition(wanted), None);
        assert!(Asks { if_absent: false, ..wanted }.lost_condition(wanted).is_some());
    }
}
