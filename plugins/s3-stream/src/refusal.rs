//! What one attempt of a request failed with, and whether another attempt is worth it.

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::{DateTime, DateTimeFormat},
};
use dbbackup_sdk::shown;

/// Longest text of a store that is repeated, characters.
const LONGEST_MESSAGE: usize = 300;

/// A failed attempt. Holds nothing secret: a store's message, never a request.
#[derive(Clone, Debug)]
pub struct Refusal {
    kind: Kind,
    /// Status of the answer; none if there was none.
    status: Option<u16>,
    /// The store's word for it.
    code: Option<String>,
    message: String,
    retry_after: Option<Duration>,
    /// True if the store may be unable to encrypt as it was asked to.
    lacks_encryption: bool,
}

/// Where the attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The store answered, and not as it should.
    Answered,
    /// No answer came, or only a part of it.
    Unanswered,
    /// An answer came that must not be read: it is longer than what was asked for.
    TooLong,
    /// There are no credentials to sign with.
    NoCredentials,
    /// The request could not be made.
    Unsendable,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again.
    Retry,
    /// Try again later, and let everybody else wait as well.
    Throttled,
    /// Bytes were damaged on their way: try again, a few times.
    Damaged,
    /// The clocks disagree: sign by the store's and try again.
    WrongClock,
    /// There are no credentials: permanent, unless there were some before.
    NoCredentials,
    /// The credentials are out of date: the SDK fetches new ones by our clock.
    Expired,
    /// Another attempt would fail as well.
    Permanent,
}

const THROTTLED: &[&str] = &[
    "SlowDown",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "RequestThrottledException",
    "TooManyRequests",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
];
const DAMAGED: &[&str] = &[
    "BadDigest",
    "InvalidDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
    // A list of parts that does not arrive as it was sent.
    "InvalidPart",
    "MalformedXML",
];
const TRANSIENT: &[&str] = &[
    "InternalError",
    "InternalServerError",
    "OperationAborted",
    "PriorRequestNotComplete",
    "RequestTimeout",
    "RequestTimeoutException",
];
const WRONG_CLOCK: &[&str] =
    &["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "RequestNotReady"];
const UNSUPPORTED: &[&str] = &["NotImplemented", "InvalidArgument", "InvalidRequest"];
const UNKNOWN_ACCOUNT: &[&str] =
    &["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"];
const EXPIRED: &[&str] = &["ExpiredToken", "TokenRefreshRequired"];
const NO_SPACE: &[&str] =
    &["QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "StorageFull"];

impl Refusal {
    /// What the SDK failed with.
    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let header = |name| response.and_then(|response| response.headers().get(name));
        let retry_after = header("retry-after").and_then(|value| pause_of(value, header("date")));
        let code = error.code().map(str::to_owned);
        let kind = match (&error, status) {
            _ if lacks_credentials(&error) => Kind::NoCredentials,
            (SdkError::ConstructionFailure(_), _) => Kind::Unsendable,
            (_, Some(_)) => Kind::Answered,
            _ => Kind::Unanswered,
        };
        let message = error.message().map_or_else(|| said(&error), str::to_owned);
        let message = shortened(&message);
        Self { kind, status, code, message, retry_after, lacks_encryption: false }
    }

    /// An answer that breaks off in its body, or does not come in time.
    pub(crate) fn unanswered(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unanswered,
            status: None,
            code: None,
            message: shortened(&message.into()),
            retry_after: None,
            lacks_encryption: false,
        }
    }

    /// An answer of which more comes than was asked for. Asked again, it would come again.
    pub(crate) fn too_long(most_bytes: u64) -> Self {
        let message = format!("more than the {most_bytes} bytes come that were asked for");
        Self { kind: Kind::TooLong, ..Self::unanswered(message) }
    }

    /// The same, which a lack of encryption at the store may explain.
    #[must_use]
    pub(crate) fn suspecting_encryption(self, lacks_encryption: bool) -> Self {
        Self { lacks_encryption, ..self }
    }

    /// An answer that is not what was asked for.
    pub(crate) fn odd_answer(message: impl Into<String>) -> Self {
        Self { kind: Kind::Answered, ..Self::unanswered(message) }
    }

    /// Whether another attempt is worth it.
    pub(crate) fn verdict(&self) -> Verdict {
        let code = self.code.as_deref().unwrap_or("");
        match self.kind {
            Kind::NoCredentials => return Verdict::NoCredentials,
            Kind::Unsendable | Kind::TooLong => return Verdict::Permanent,
            Kind::Unanswered => return Verdict::Retry,
            Kind::Answered => {}
        }
        if THROTTLED.contains(&code) {
            return Verdict::Throttled;
        }
        if DAMAGED.contains(&code) {
            return Verdict::Damaged;
        }
        if WRONG_CLOCK.contains(&code) {
            return Verdict::WrongClock;
        }
        if EXPIRED.contains(&code) {
            return Verdict::Expired;
        }
        if TRANSIENT.contains(&code) {
            return Verdict::Retry;
        }
        match self.status {
            Some(429 | 503) => Verdict::Throttled,
            Some(501 | 505 | 507) => Verdict::Permanent,
            Some(408 | 500..=599) => Verdict::Retry,
            // 200 with an error inside, or a body that makes no sense.
            None | Some(200..=299) => Verdict::Retry,
            Some(_) => Verdict::Permanent,
        }
    }

    /// How long the store wants to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// True if the account may not do this, or if it may not know whether the object exists.
    pub(crate) fn is_denied(&self) -> bool {
        self.status == Some(403) || self.has_code(&["AccessDenied", "AllAccessDisabled"])
    }

    /// True if the store does not believe the credentials, whatever they would be good for.
    pub(crate) fn is_unknown_account(&self) -> bool {
        self.kind == Kind::NoCredentials || self.has_code(UNKNOWN_ACCOUNT) || self.has_code(EXPIRED)
    }

    /// True if there are no credentials at all.
    pub(crate) fn has_no_credentials(&self) -> bool {
        self.kind == Kind::NoCredentials
    }

    /// True if the bucket is not there.
    pub(crate) fn is_no_bucket(&self) -> bool {
        self.has_code(&["NoSuchBucket"])
    }

    /// True if the upload is not there.
    pub(crate) fn is_no_upload(&self) -> bool {
        self.has_code(&["NoSuchUpload"])
    }

    /// True if the object or upload is not there, the bucket being there.
    pub(crate) fn is_missing(&self) -> bool {
        self.status == Some(404) && !self.is_no_bucket()
    }

    /// True if a condition of the request does not hold: an object exists, or has changed.
    pub(crate) fn is_unmet(&self) -> bool {
        self.status == Some(412)
            || self.has_code(&["PreconditionFailed", "ConditionalRequestConflict"])
    }

    /// True if another request for the same object is under way: it must be asked for once more.
    pub(crate) fn is_conflict(&self) -> bool {
        self.has_code(&["ConditionalRequestConflict"])
    }

    /// True if the store seems not to know something that the request asks for.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.status == Some(501) || self.has_code(UNSUPPORTED)
    }

    /// True if there is no room.
    pub(crate) fn is_no_space(&self) -> bool {
        self.status == Some(507) || self.has_code(NO_SPACE)
    }

    /// True if the object lies in an archive and must be asked for first.
    pub(crate) fn is_archived(&self) -> bool {
        self.has_code(&["InvalidObjectState"])
    }

    /// True if the bucket is in another region.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.status, Some(301 | 307))
            || self.has_code(&[
                "PermanentRedirect",
                "AuthorizationHeaderMalformed",
                "IllegalLocationConstraintException",
            ])
    }

    /// True if a store of this protocol speaks, and no proxy or another server before it.
    pub(crate) fn has_word(&self) -> bool {
        self.kind == Kind::Answered && self.code.is_some()
    }

    /// True if the store has not answered, or only something before it has: what was asked for may be
    /// done, or still come to be.
    pub(crate) fn is_silence(&self) -> bool {
        let is_of_nobody = self.kind == Kind::Answered && self.code.is_none();
        let is_of_gateway = is_of_nobody && matches!(self.status, Some(408 | 502 | 504));
        self.kind == Kind::Unanswered || is_of_gateway
    }

    /// True if more came than was asked for.
    pub(crate) fn is_too_long(&self) -> bool {
        self.kind == Kind::TooLong
    }

    /// True if the store has failed and does not say at what.
    pub(crate) fn is_internal(&self) -> bool {
        self.kind == Kind::Answered && self.status == Some(500)
    }

    /// True if the store may be unable to encrypt as it was asked to.
    pub(crate) fn may_lack_encryption(&self) -> bool {
        self.lacks_encryption
    }

    /// True if the store did answer, with a refusal of any kind.
    pub(crate) fn is_answer(&self) -> bool {
        self.kind == Kind::Answered
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.status.map(|status| status.to_string()), self.code.clone()];
        let head: Vec<String> = words.into_iter().flatten().collect();
        match (head.is_empty(), self.message.is_empty()) {
            (true, true) => f.write_str("no answer"),
            (true, false) => f.write_str(&self.message),
            (false, true) => f.write_str(&head.join(" ")),
            (false, false) => write!(f, "{}: {}", head.join(" "), self.message),
        }
    }
}

impl Error for Refusal {}

/// How long a store wants to be left alone: seconds, or until a time by the clock of its answer.
fn pause_of(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text: &str| {
        let time = DateTime::from_str(text.trim(), DateTimeFormat::HttpDate).ok()?;
        SystemTime::try_from(time).ok()
    };
    let now = date.and_then(time).unwrap_or_else(SystemTime::now);
    time(value)?.duration_since(now).ok()
}

/// True if the chain of causes says that no source of credentials had any.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_),
        ) = cause.downcast_ref()
        {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The causes of an attempt that has no message of the store; an answer needs no words but its status.
fn said<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(_) => String::new(),
        other => other.source().map_or_else(|| other.to_string(), shown),
    }
}

/// One line, not too long: the text is a stranger's.
fn shortened(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(LONGEST_MESSAGE).collect();
    if text.chars().count() > LONGEST_MESSAGE {
        short.push('…');
    }
    short.trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A refusal that a store answers.
    pub(crate) fn answered(status: u16, code: &str) -> Refusal {
        let code = (!code.is_empty()).then(|| code.to_owned());
        Refusal { status: Some(status), code, ..Refusal::odd_answer("") }
    }

    #[test]
    fn what_passes_is_tried_again() {
        for (status, code) in [
            (500, "InternalError"),
            (502, ""),
            (504, ""),
            (400, "RequestTimeout"),
            (409, "OperationAborted"),
            (200, "InternalError"),
        ] {
            assert_eq!(answered(status, code).verdict(), Verdict::Retry, "{status} {code}");
        }
        assert_eq!(Refusal::unanswered("reset").verdict(), Verdict::Retry);
    }

    #[test]
    fn the_answer_of_a_gateway_is_none_of_the_stores() {
        for (status, code) in [(502, ""), (504, ""), (408, "")] {
            assert!(answered(status, code).is_silence(), "{status} {code}");
        }
        for (status, code) in [(500, ""), (503, ""), (200, "InternalError"), (403, "AccessDenied")]
        {
            assert!(!answered(status, code).is_silence(), "{status} {code}");
        }
        assert!(Refusal::unanswered("reset").is_silence());
    }

    #[test]
    fn a_busy_store_makes_everybody_wait() {
        for (status, code) in
            [(503, "SlowDown"), (503, ""), (429, ""), (400, "ThrottlingException")]
        {
            assert_eq!(answered(status, code).verdict(), Verdict::Throttled, "{status} {code}");
        }
    }

    #[test]
    fn damage_on_the_way_is_tried_again() {
        for code in ["BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"] {
            assert_eq!(answered(400, code).verdict(), Verdict::Damaged, "{code}");
        }
    }

    #[test]
    fn what_stays_as_it_is_ends_at_once() {
        for (status, code) in [
            (403, "AccessDenied"),
            (403, "InvalidAccessKeyId"),
            (403, "SignatureDoesNotMatch"),
            (404, "NoSuchBucket"),
            (404, "NoSuchUpload"),
            (412, "PreconditionFailed"),
            (501, "NotImplemented"),
            (507, ""),
        ] {
            assert_eq!(answered(status, code).verdict(), Verdict::Permanent, "{status} {code}");
        }
        assert_eq!(answered(403, "RequestTimeTooSkewed").verdict(), Verdict::WrongClock);
        assert_eq!(answered(400, "ExpiredToken").verdict(), Verdict::Expired);
        assert!(answered(400, "ExpiredToken").is_unknown_account());
    }

    #[test]
    fn a_store_names_its_pause_in_seconds_or_by_its_clock() {
        let date = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(pause_of(" 300 ", date), Some(Duration::from_secs(300)));
        let until = "Wed, 21 Oct 2015 07:33:00 GMT";
        assert_eq!(pause_of(until, date), Some(Duration::from_secs(300)));
        assert_eq!(pause_of("Wed, 21 Oct 2015 07:27:00 GMT", date), None);
        assert_eq!(pause_of("soon", date), None);
    }

    #[test]
    fn more_than_was_asked_for_is_not_asked_for_again() {
        let refusal = Refusal::too_long(5);
        assert_eq!(refusal.verdict(), Verdict::Permanent);
        assert!(refusal.is_too_long() && !refusal.is_silence());
        assert!(refusal.to_string().contains("5 bytes"));
    }

    #[test]
    fn a_message_is_one_line_and_says_status_and_code() {
        let refusal =
            Refusal { message: shortened("Access\nDenied."), ..answered(403, "AccessDenied") };
        assert_eq!(refusal.to_string(), "403 AccessDenied: Access Denied");
        assert_eq!(answered(503, "").to_string(), "503");
        assert!(shortened(&"x".repeat(1000)).chars().count() <= LONGEST_MESSAGE + 1);
    }
}
