use super::{Fault, instead};
use crate::s3::http::Head;
use crate::s3::request::Target;

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
