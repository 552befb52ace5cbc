//! Answers that the proxy gives instead of the store.
#[cfg(test)]
mod tests;

use super::Fault;
use crate::s3::http::{Head, http_date};
use crate::s3::request::Target;
use std::time::SystemTime;

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
        Fault::Deny => error(403, "AccessDenied"),
        Fault::Archived => error(403, "InvalidObjectState"),
        Fault::Conflict => error(409, "ConditionalRequestConflict"),
        Fault::LosePart => Some(acknowledgement(request)),
        Fault::Reset
        | Fault::LostAnswer
        | Fault::Stall(_)
        | Fault::Slow(_)
        | Fault::Corrupt
        | Fault::CorruptGet
        | Fault::Truncate => None,
    }
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
