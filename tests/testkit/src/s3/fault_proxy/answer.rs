//! Answers that the proxy gives instead of the store.
#[cfg(test)]
mod tests;

use super::Fault;
use crate::s3::http::{Head, http_date};
use crate::s3::request::Target;
use std::time::{Duration, SystemTime};

/// How far a store lets the time of a signature be off.
const MOST_SKEW: Duration = Duration::from_secs(15 * 60);

/// An answer made up by the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
}

/// The answer with which a fault stands in for the store, if that is what the fault does.
pub(super) fn instead(fault: Fault, request: &Head, target: &Target) -> Option<Answer> {
    let error = |status, code| Some(error(status, code, request, target));
    match fault {
        Fault::Status500 => error(500, "InternalError"),
        Fault::Status503(retry_after) => {
            let mut answer = error(503, "ServiceUnavailable")?;
            if let Some(seconds) = retry_after {
                answer.head = answer.head.with("Retry-After", seconds);
            }
            Some(answer)
        }
        Fault::SlowDown => error(503, "SlowDown"),
        Fault::Error200 => error(200, "InternalError"),
        Fault::Expired => error(400, "ExpiredToken"),
        Fault::Skew => error(403, "RequestTimeTooSkewed"),
        Fault::ClockAhead(by) if !is_signed_at(SystemTime::now() + by, request) => {
            let mut answer = error(403, "RequestTimeTooSkewed")?;
            answer.head = altered(fault, answer.head);
            Some(answer)
        }
        Fault::CannotEncrypt if request.header("x-amz-server-side-encryption").is_some() => {
            error(500, "InternalError")
        }
        Fault::Deny => error(403, "AccessDenied"),
        Fault::Archived => error(403, "InvalidObjectState"),
        Fault::Conflict => error(409, "ConditionalRequestConflict"),
        Fault::LosePart => Some(acknowledgement(request)),
        Fault::Reset
        | Fault::LostAnswer
        | Fault::Stall(_)
        | Fault::Hold
        | Fault::Slow(_)
        | Fault::Corrupt
        | Fault::CorruptGet
        | Fault::ClockAhead(_)
        | Fault::HideMissing
        | Fault::Older(_)
        | Fault::CannotEncrypt
        | Fault::Truncate => None,
    }
}

/// The head of a store's answer as a fault has the client see it.
pub(super) fn altered(fault: Fault, mut head: Head) -> Head {
    let (name, time) = match fault {
        Fault::ClockAhead(by) => ("Date", SystemTime::now() + by),
        Fault::Older(by) => ("Last-Modified", SystemTime::now() - by),
        _ => return head,
    };
    let Some(date) = http_date(time) else { return head };
    head.remove(name);
    head.with(name, date)
}

/// What keys that may not list are answered about something that is not there.
pub(super) fn denied(request: &Head, target: &Target) -> Answer {
    error(403, "AccessDenied", request, target)
}

/// True if a request was signed at about this time.
fn is_signed_at(time: SystemTime, request: &Head) -> bool {
    // Of this form, the texts of times are ordered as the times are.
    let text = |time: SystemTime| {
        let time = jiff::Timestamp::try_from(time).ok()?;
        Some(time.strftime("%Y%m%dT%H%M%SZ").to_string())
    };
    let (from, to) = (text(time - MOST_SKEW), text(time + MOST_SKEW));
    let signed = request.header("x-amz-date").map(str::to_owned);
    signed.is_some() && from <= signed && signed <= to
}

/// What the proxy answers to a body whose length is not told, as S3 does.
pub(super) fn length_required(request: &Head, target: &Target) -> Answer {
    error(411, "MissingContentLength", request, target)
}

fn error(status: u16, code: &str, request: &Head, target: &Target) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>injected by the test kit</Message><Resource>{}</Resource>\
         <RequestId>testkit</RequestId></Error>",
        target.path
    );
    let head = Head::new(format!("HTTP/1.1 {status} {}", reason(status)))
        .with("Content-Type", "application/xml")
        .with("Content-Length", body.len());
    let is_sent = request.word(0) != "HEAD";
    Answer { status, head: dated(head), body: if is_sent { body.into_bytes() } else { Vec::new() } }
}

/// A success that hands the request's own checksums back. The `ETag` is no digest of anything.
fn acknowledgement(request: &Head) -> Answer {
    let mut head = Head::new("HTTP/1.1 200 OK")
        .with("ETag", "\"7465737469207465737469207465737469\"")
        .with("Content-Length", 0);
    for (name, value) in request.headers() {
        if name.to_lowercase().starts_with("x-amz-checksum-") {
            head = head.with(name, value);
        }
    }
    Answer { status: 200, head: dated(head), body: Vec::new() }
}

/// Adds the time, from which a client may correct its own.
fn dated(head: Head) -> Head {
    match http_date(SystemTime::now()) {
        Some(date) => head.with("Date", date),
        None => head,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        409 => "Conflict",
        411 => "Length Required",
        500 => "Internal Server Error",
        _ => "Service Unavailable",
    }
}
