use super::{Fault, altered, instead};
use crate::s3::http::{Head, http_date};
use crate::s3::request::Target;
use std::time::{Duration, SystemTime};

fn request(text: &str) -> (Head, Target) {
    let head = Head::parse(text.as_bytes()).unwrap();
    let target = Target::of(&head);
    (head, target)
}

#[test]
fn an_error_has_its_status_code_and_length() {
    let (head, target) = request("PUT /b/k HTTP/1.1");
    let answer = instead(Fault::SlowDown, &head, &target).unwrap();
    assert_eq!((answer.status, answer.head.status()), (503, Some(503)));
    let body = String::from_utf8(answer.body).unwrap();
    assert!(body.contains("<Code>SlowDown</Code>"), "{body}");
    assert_eq!(answer.head.header("content-length"), Some(body.len().to_string().as_str()));
    let answer = instead(Fault::Status503(Some(7)), &head, &target).unwrap();
    assert_eq!(answer.head.header("retry-after"), Some("7"));
}

#[test]
fn an_error_of_head_has_no_body() {
    let (head, target) = request("HEAD /b/k HTTP/1.1");
    assert!(instead(Fault::Deny, &head, &target).unwrap().body.is_empty());
}

#[test]
fn a_lost_part_is_acknowledged_with_its_own_checksum() {
    let (head, target) =
        request("PUT /b/k?partNumber=1&uploadId=u HTTP/1.1\r\nx-amz-checksum-crc64nvme: abc=");
    let answer = instead(Fault::LosePart, &head, &target).unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.head.header("x-amz-checksum-crc64nvme"), Some("abc="));
    assert!(answer.head.header("etag").is_some());
}

#[test]
fn only_what_is_to_be_encrypted_is_refused_by_who_cannot() {
    let (head, target) = request("PUT /b/k HTTP/1.1\r\nx-amz-server-side-encryption: aws:kms");
    assert_eq!(instead(Fault::CannotEncrypt, &head, &target).unwrap().status, 500);
    let (head, target) = request("PUT /b/k HTTP/1.1");
    assert_eq!(instead(Fault::CannotEncrypt, &head, &target), None);
}

#[test]
fn a_clock_ahead_refuses_what_is_signed_by_another_and_says_its_time() {
    let hours = Duration::from_secs(2 * 3600);
    let signed_at = |time: SystemTime| {
        let time = jiff::Timestamp::try_from(time).unwrap().strftime("%Y%m%dT%H%M%SZ");
        let (head, target) = request(&format!("PUT /b/k HTTP/1.1\r\nx-amz-date: {time}"));
        instead(Fault::ClockAhead(hours), &head, &target)
    };
    let refused = signed_at(SystemTime::now()).unwrap();
    assert_eq!(refused.status, 403);
    let dates = refused.head.headers().iter().filter(|(name, _)| name == "Date").count();
    assert_eq!(dates, 1);
    assert_ne!(refused.head.header("date"), http_date(SystemTime::now()).as_deref());
    assert_eq!(signed_at(SystemTime::now() + hours), None);
}

#[test]
fn an_old_object_was_seen_long_ago() {
    let answered = Head::new("HTTP/1.1 200 OK").with("Last-Modified", "now");
    let old = altered(Fault::Older(Duration::from_secs(4000)), answered.clone());
    assert_ne!(old.header("last-modified"), answered.header("last-modified"));
    assert_eq!(old.headers().len(), 1);
    assert_eq!(altered(Fault::Slow(1), answered.clone()), answered);
}
