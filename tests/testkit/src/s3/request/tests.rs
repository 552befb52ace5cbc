use super::{S3Operation, Target};
use crate::s3::http::Head;

fn target(line: &str) -> Target {
    Target::of(&Head::parse(format!("{line} HTTP/1.1").as_bytes()).unwrap())
}

#[test]
fn requests_are_told_apart() {
    for (line, operation) in [
        ("POST /b/k?uploads", S3Operation::CreateUpload),
        ("POST /b/k?uploads=&x-id=CreateMultipartUpload", S3Operation::CreateUpload),
        ("PUT /b/k?partNumber=1&uploadId=u", S3Operation::Part),
        ("POST /b/k?uploadId=u", S3Operation::Complete),
        ("DELETE /b/k?uploadId=u&x-id=AbortMultipartUpload", S3Operation::Abort),
        ("PUT /b/k?x-id=PutObject", S3Operation::Put),
        ("GET /b/k?x-id=GetObject", S3Operation::Get),
        ("GET /b/k?uploadId=u", S3Operation::List),
        ("GET /b?list-type=2&prefix=a", S3Operation::List),
        ("GET /b/?uploads", S3Operation::List),
        ("GET /b", S3Operation::List),
        ("HEAD /b/k", S3Operation::Head),
        ("DELETE /b/k", S3Operation::Delete),
        ("POST /b?delete", S3Operation::Delete),
        ("PUT /b", S3Operation::Other),
        ("GET /", S3Operation::Other),
        ("GET /b?location", S3Operation::Other),
    ] {
        assert_eq!(target(line).operation, operation, "{line}");
    }
}

#[test]
fn bucket_key_and_parameters_are_decoded() {
    let target = target("PUT /backups/a%20b/c.tar.gz?partNumber=12&uploadId=x%2By");
    assert_eq!((target.bucket.as_str(), target.key.as_str()), ("backups", "a b/c.tar.gz"));
    assert_eq!(target.parameter("partNumber").as_deref(), Some("12"));
    assert_eq!(target.parameter("uploadId").as_deref(), Some("x+y"));
    assert_eq!(target.parameter("uploads"), None);
}
