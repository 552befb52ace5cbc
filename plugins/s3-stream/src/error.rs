//! Failures of the engine, each with its class and what the operator can do. None of them, and
//! none of their `Debug` texts, holds a secret.

use std::{fmt, io, path::PathBuf, sync::Arc};

use dbbackup_sdk::{Classify, ErrorCode, HostError, runtime::RuntimeError};

use crate::refusal::Refusal;

/// A request and the object that it is about: `upload part 7 of s3://bucket/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    what: String,
    object: String,
    /// The permission that the request needs.
    permission: &'static str,
}

impl Step {
    /// A step: a verb, the URL of what it is done to, and the permission that it needs.
    pub(crate) fn new(
        what: impl Into<String>,
        object: impl Into<String>,
        permission: &'static str,
    ) -> Self {
        Self { what: what.into(), object: object.into(), permission }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.object)
    }
}

/// Everything that ends an upload, a read or an undo.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The location is none.
    #[error("{location} is no location in S3: {why}")]
    Location {
        /// As it was given.
        location: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No object can have this key.
    #[error("{key:?} is no key of an object: {why}")]
    Key {
        /// Relative to the location.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An option has a value that it cannot have.
    #[error("option {option}: {why}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The file with certificate authorities cannot be used.
    #[error("read certificate authorities from {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The client cannot be set up.
    #[error("set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The plugin's runtime cannot be started.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The store refused a request, and would refuse it again.
    #[error("{step}")]
    Refused {
        /// The request.
        step: Step,
        /// What the store said.
        source: Box<Refusal>,
    },
    /// A request was tried again and again until its deadline.
    #[error("{step}, tried {attempts} times in {seconds} s")]
    GaveUp {
        /// The request.
        step: Step,
        /// How often.
        attempts: u32,
        /// For how long.
        seconds: u64,
        /// What the last attempt failed with.
        source: Box<Refusal>,
    },
    /// There is no such object.
    #[error("there is no {object}")]
    Missing {
        /// Its URL.
        object: String,
    },
    /// The object is there already.
    #[error("{object} exists")]
    Exists {
        /// Its URL.
        object: String,
    },
    /// The object may be there, and neither these keys nor the store would notice.
    #[error("{object} may exist: these keys may not look, and the store ignores If-None-Match")]
    Unguarded {
        /// Its URL.
        object: String,
    },
    /// The object was replaced while it was read.
    #[error("{object} was replaced while it was read")]
    Replaced {
        /// Its URL.
        object: String,
    },
    /// More bytes than the object can hold.
    #[error("{object} holds {capacity} bytes and was given more")]
    TooLarge {
        /// Its URL.
        object: String,
        /// Bytes.
        capacity: u64,
    },
    /// The store's account of an object differs from what was sent.
    #[error("{object}: {what}")]
    Differs {
        /// Its URL.
        object: String,
        /// The difference.
        what: String,
    },
    /// Another run is at work on the backup.
    #[error("{marker} says that {who}")]
    Locked {
        /// URL of its marker.
        marker: String,
        /// Which run, where, and how long ago it was heard of.
        who: String,
    },
    /// The marker is not what this tool writes.
    #[error("{marker} is no run marker of dbbackup")]
    ForeignMarker {
        /// Its URL.
        marker: String,
        /// What is wrong with it.
        source: Option<serde_json::Error>,
    },
    /// Another run has taken the backup over.
    #[error("{marker} belongs to run {by} now: this run was silent for too long")]
    TakenOver {
        /// URL of the marker.
        marker: String,
        /// Id of the other run.
        by: String,
    },
    /// A record that this version cannot read.
    #[error("read the record of an upload")]
    Record(#[source] serde_json::Error),
    /// A document of ours cannot be written.
    #[error("write a run marker as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The host refused something.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The upload has ended, by `finish`, `abort` or an error.
    #[error("{object}: the upload has ended")]
    Ended {
        /// Its URL.
        object: String,
    },
    /// A request that makes the object visible was sent and not answered.
    #[error(
        "{object} may still appear: the store was told to put it together and has not answered"
    )]
    Unanswered {
        /// Its URL.
        object: String,
    },
    /// An object was to be written, and an attempt was not answered.
    #[error("{object} may be there, or still appear: the store has not answered every attempt")]
    InDoubt {
        /// Its URL.
        object: String,
        /// What the last attempt was told.
        source: Box<S3Error>,
    },
    /// What ended the upload before.
    #[error(transparent)]
    Latched(Arc<S3Error>),
    /// A fault of the program: a task of the upload ended by a panic.
    #[error("{object}: a task of the upload has panicked")]
    Panicked {
        /// The object's URL.
        object: String,
    },
}

impl S3Error {
    /// What the store said, if it was the store.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { source, .. } | Self::GaveUp { source, .. } => Some(source),
            Self::Latched(error) => error.refusal(),
            _ => None,
        }
    }

    /// True if the store said so of its last answer.
    pub(crate) fn is(&self, question: impl Fn(&Refusal) -> bool) -> bool {
        self.refusal().is_some_and(question)
    }

    /// True if the store knows the account and does not let it look.
    pub(crate) fn is_blind(&self) -> bool {
        self.is(Refusal::is_denied) && !self.is(Refusal::is_unknown_account)
    }
}

impl Classify for S3Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Location { .. }
            | Self::Key { .. }
            | Self::Option { .. }
            | Self::Authorities { .. }
            | Self::Tls(_) => ErrorCode::CONFIG,
            Self::Runtime(error) => error.code(),
            Self::Refused { source, .. } | Self::GaveUp { source, .. } if source.is_no_space() => {
                ErrorCode::NO_SPACE
            }
            // The account is known and may not do this: others may be able to.
            Self::Refused { source, .. } | Self::GaveUp { source, .. }
                if source.is_denied() && !source.is_unknown_account() =>
            {
                ErrorCode::PRIVILEGE
            }
            Self::Refused { .. } | Self::GaveUp { .. } | Self::Unanswered { .. } => {
                ErrorCode::TARGET
            }
            Self::InDoubt { .. } => ErrorCode::UNANSWERED,
            Self::Missing { .. } => ErrorCode::PRECONDITION,
            Self::Exists { .. } | Self::Unguarded { .. } | Self::ForeignMarker { .. } => {
                ErrorCode::SAFETY
            }
            Self::Replaced { .. } => ErrorCode::INTEGRITY,
            Self::TooLarge { .. } | Self::Differs { .. } | Self::TakenOver { .. } => {
                ErrorCode::SINK_IO
            }
            Self::Locked { .. } => ErrorCode::LOCKED,
            Self::Record(_) => ErrorCode::UNSUPPORTED,
            Self::Host(error) => error.code(),
            Self::Cancelled => ErrorCode::CANCELLED,
            Self::Latched(error) => error.code(),
            Self::Unwritable(_) | Self::Ended { .. } | Self::Panicked { .. } => ErrorCode::INTERNAL,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { step, source } | Self::GaveUp { step, source, .. } => {
                return refused_hint(step, source);
            }
            Self::Host(error) => return error.hint(),
            Self::Latched(error) => return error.hint(),
            Self::InDoubt { source, .. } => return source.hint(),
            Self::Location { .. } => "write it as s3://BUCKET or s3://BUCKET/PREFIX",
            Self::Authorities { .. } | Self::Tls(_) => {
                "option ca_file names a PEM file with certificates of authorities"
            }
            Self::Exists { .. } => "choose another name, or replace it with --force",
            Self::Replaced { .. } => "start again; something else writes to this key",
            Self::Differs { .. } => "the object is not believed; start again",
            Self::Locked { .. } => {
                "wait for the other run, or choose another name; a run that is silent for an hour \
                 is taken over"
            }
            Self::ForeignMarker { .. } => "it is left alone; choose another name, or remove it",
            Self::TakenOver { .. } => "start again",
            Self::Unanswered { .. } => "the next run, or dbbackup cleanup, removes it",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::GaveUp { .. } | Self::Locked { .. } => true,
            Self::Host(error) => error.is_retryable(),
            Self::Latched(error) => error.is_retryable(),
            _ => false,
        }
    }
}

/// What helps against a store's refusal.
fn refused_hint(step: &Step, refusal: &Refusal) -> Option<String> {
    let permission = step.permission;
    let hint = if refusal.has_no_credentials() {
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or option profile, or give the machine a \
         role"
    } else if refusal.is_no_bucket() {
        "create the bucket, or correct its name, option region or option endpoint"
    } else if refusal.is_elsewhere() {
        "the bucket is in another region: set option region"
    } else if refusal.is_unknown_account() {
        "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and option profile"
    } else if refusal.is_denied() {
        return Some(format!("the account may lack the permission {permission} on this object"));
    } else if refusal.is_no_space() {
        "raise the quota, or delete old backups"
    } else if refusal.is_archived() {
        "the object lies in an archive: ask the store to restore it first"
    } else if refusal.is_unsupported() {
        "the store or bucket may not have what the options ask for: object_lock, storage_class, \
         encryption"
    } else if refusal.may_lack_encryption() {
        "the store may not be able to encrypt as asked: see option encryption"
    } else if refusal.is_too_long() {
        "something between here and the store may ignore Range: check option endpoint and proxies"
    } else if refusal.is_conflict() {
        "another request for this object did not come to its end: look who else writes to it, and \
         start again"
    } else if !refusal.is_answer() {
        "check option endpoint, the network and, over https, option ca_file"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::tests::answered;

    fn refused(status: u16, code: &str) -> S3Error {
        let step = Step::new("upload part 7 of", "s3://bucket/db.tar.gz", "s3:PutObject");
        S3Error::Refused { step, source: Box::new(answered(status, code)) }
    }

    #[test]
    fn a_refusal_names_request_object_and_code() {
        let error = refused(403, "AccessDenied");
        let text = dbbackup_sdk::shown(&error);
        assert_eq!(text, "upload part 7 of s3://bucket/db.tar.gz: 403 AccessDenied");
        assert!(error.hint().unwrap().contains("s3:PutObject"));
        assert_eq!(error.code(), ErrorCode::PRIVILEGE);
    }

    #[test]
    fn each_refusal_has_the_hint_that_helps() {
        for (status, code, word) in [
            (404, "NoSuchBucket", "create the bucket"),
            (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
            (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
            (301, "PermanentRedirect", "region"),
            (507, "", "quota"),
        ] {
            let hint = refused(status, code).hint().unwrap();
            assert!(hint.contains(word), "{status} {code}: {hint}");
        }
        assert_eq!(refused(507, "").code(), ErrorCode::NO_SPACE);
    }

    #[test]
    fn a_store_that_may_lack_encryption_is_said_to() {
        let step = Step::new("write", "s3://bucket/db.tar.gz", "s3:PutObject");
        let source = Box::new(answered(500, "InternalError").suspecting_encryption(true));
        let error = S3Error::GaveUp { step, attempts: 9, seconds: 30, source };
        assert!(error.hint().unwrap().contains("encrypt"));
        assert_eq!(refused(500, "InternalError").hint(), None);
    }

    #[test]
    fn what_was_latched_speaks_for_itself() {
        let latched = S3Error::Latched(Arc::new(refused(404, "NoSuchBucket")));
        assert_eq!(latched.code(), ErrorCode::TARGET);
        assert_eq!(latched.to_string(), refused(404, "NoSuchBucket").to_string());
        assert!(latched.is(Refusal::is_no_bucket));
    }
}
