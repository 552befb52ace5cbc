//! The answers of a sink.
use super::objects::{Headers, Object, Objects};
use crate::s3::http::{Head, http_date};
use crate::s3::request::{S3Operation, Target};
use std::time::SystemTime;

/// Carries a request out whose body of `length` bytes has been read.
pub(super) fn to(
    objects: &mut Objects,
    head: &Head,
    target: &Target,
    length: u64,
    kept: Vec<u8>,
) -> Vec<u8> {
    let name = format!("{}/{}", target.bucket, target.key);
    let upload = target.parameter("uploadId").unwrap_or_default();
    match target.operation {
        S3Operation::CreateUpload => {
            let id = objects.begin(described(head));
            let place = place(target);
            xml("InitiateMultipartUploadResult", &format!("{place}<UploadId>{id}</UploadId>"))
        }
        S3Operation::Part => {
            let number = target.parameter("partNumber").unwrap_or_default();
            if !objects.part(&upload, number, length) {
                return error(404, "NoSuchUpload");
            }
            acknowledgement(&objects.next_etag(), head)
        }
        S3Operation::Complete => complete(objects, head, target, &upload),
        S3Operation::Abort => {
            objects.abort(&upload);
            empty(204, &[])
        }
        S3Operation::Put => {
            if head.header("if-none-match").is_some() && objects.get(&name).is_some() {
                return error(412, "PreconditionFailed");
            }
            let etag = objects.next_etag();
            let headers = [described(head), checksums(head), identity(&etag)].concat();
            objects.put(name, Object { size: length, headers, kept });
            acknowledgement(&etag, head)
        }
        S3Operation::Get => match objects.get(&name) {
            Some(object) if kept_whole(object) => with_body(&object.headers, &object.kept),
            Some(_) => error(501, "NotImplemented"),
            None => error(404, "NoSuchKey"),
        },
        S3Operation::Head => match objects.get(&name) {
            Some(object) => head_of(object),
            None if target.key.is_empty() => empty(200, &[]),
            None => empty(404, &[]),
        },
        S3Operation::List => list(objects, target),
        S3Operation::Delete => {
            objects.delete(&name);
            empty(204, &[])
        }
        S3Operation::Other => empty(200, &[]),
    }
}

fn complete(objects: &mut Objects, head: &Head, target: &Target, upload: &str) -> Vec<u8> {
    let name = format!("{}/{}", target.bucket, target.key);
    let checksums = checksums(head);
    let mut inside = place(target);
    for (header, value) in &checksums {
        let algorithm = header.to_uppercase().replace("X-AMZ-CHECKSUM-", "");
        if algorithm == "TYPE" {
            inside.push_str(&format!("<ChecksumType>{value}</ChecksumType>"));
        } else {
            inside.push_str(&format!("<Checksum{algorithm}>{value}</Checksum{algorithm}>"));
        }
    }
    let etag = objects.next_etag();
    if !objects.complete(upload, name, [checksums, identity(&etag)].concat()) {
        return error(404, "NoSuchUpload");
    }
    xml("CompleteMultipartUploadResult", &format!("{inside}<ETag>{etag}</ETag>"))
}

/// All in one page: a sink holds the few objects of a benchmark.
fn list(objects: &Objects, target: &Target) -> Vec<u8> {
    let prefix = target.parameter("prefix").unwrap_or_default();
    let bucket = format!("{}/", target.bucket);
    let mut inside = format!("<Name>{}</Name><IsTruncated>false</IsTruncated>", target.bucket);
    for (name, size) in objects.list(&format!("{bucket}{prefix}")) {
        let key = name.strip_prefix(&bucket).unwrap_or(name);
        let key = escaped(key);
        inside.push_str(&format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>"));
    }
    xml("ListBucketResult", &inside)
}

/// What belongs to an object of the headers that it was given with.
fn described(head: &Head) -> Headers {
    let lasting = head.headers().iter().filter(|(name, _)| {
        let name = name.to_lowercase();
        let kept = ["x-amz-meta-", "x-amz-server-side-encryption", "x-amz-storage-class"];
        kept.iter().any(|known| name.starts_with(known))
    });
    lasting.cloned().collect()
}

fn checksums(head: &Head) -> Headers {
    let is_value = |name: &str| {
        name.starts_with("x-amz-checksum-")
            && !["algorithm", "mode"].iter().any(|end| name.ends_with(end))
    };
    head.headers().iter().filter(|(name, _)| is_value(&name.to_lowercase())).cloned().collect()
}

fn kept_whole(object: &Object) -> bool {
    u64::try_from(object.kept.len()).is_ok_and(|kept| kept == object.size)
}

/// Which version of an object this is, and since when it has been there.
fn identity(etag: &str) -> Headers {
    let mut headers = vec![("ETag".to_owned(), etag.to_owned())];
    if let Some(date) = http_date(SystemTime::now()) {
        headers.push(("Last-Modified".to_owned(), date));
    }
    headers
}

/// Success, with the checksums that the client has sent.
fn acknowledgement(etag: &str, head: &Head) -> Vec<u8> {
    let mut headers = checksums(head);
    headers.push(("ETag".to_owned(), etag.to_owned()));
    empty(200, &headers)
}

fn head_of(object: &Object) -> Vec<u8> {
    start(200, &object.headers).with("Content-Length", object.size).to_bytes()
}

fn with_body(headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut answer = start(200, headers).with("Content-Length", body.len()).to_bytes();
    answer.extend_from_slice(body);
    answer
}

/// An answer without a body.
pub(super) fn empty(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let head = start(status, headers);
    if status == 204 { head.to_bytes() } else { head.with("Content-Length", 0).to_bytes() }
}

fn error(status: u16, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>the sink has it not</Message></Error>");
    let mut answer = start(status, &[]).with("Content-Length", body.len()).to_bytes();
    answer.extend_from_slice(body.as_bytes());
    answer
}

fn xml(element: &str, inside: &str) -> Vec<u8> {
    const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
    let body = format!("<{element} xmlns=\"{NAMESPACE}\">{inside}</{element}>");
    with_body(&[("Content-Type".to_owned(), "application/xml".to_owned())], body.as_bytes())
}

fn start(status: u16, headers: &[(String, String)]) -> Head {
    let mut head = Head::new(format!("HTTP/1.1 {status} Answered"));
    for (name, value) in headers {
        head = head.with(name, value);
    }
    head
}

fn place(target: &Target) -> String {
    format!("<Bucket>{}</Bucket><Key>{}</Key>", target.bucket, escaped(&target.key))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
