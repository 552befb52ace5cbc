use super::{Framing, Head, http_date, percent_decoded, read_head};
use std::time::{Duration, SystemTime};

fn head(text: &str) -> Head {
    Head::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_head_keeps_its_words_and_headers() {
    let head =
        head("PUT /b/k?partNumber=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-Amz-Date:  now \r\n");
    assert_eq!((head.word(0), head.word(1)), ("PUT", "/b/k?partNumber=1"));
    assert_eq!(head.header("x-amz-date"), Some("now"));
    let again = "PUT /b/k?partNumber=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-Amz-Date: now\r\n\r\n";
    assert_eq!(String::from_utf8(head.to_bytes()).unwrap(), again);
}

#[test]
fn the_end_of_a_body_is_known() {
    let answer = |text: &str, method: &str| head(text).answer_framing(method).unwrap();
    assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 7", "GET"), Framing::Length(7));
    assert_eq!(answer("HTTP/1.1 200 OK\r\nContent-Length: 7", "HEAD"), Framing::Empty);
    assert_eq!(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "GET"), Framing::Chunked);
    assert_eq!(answer("HTTP/1.1 204 No Content", "DELETE"), Framing::Empty);
    assert_eq!(answer("HTTP/1.1 200 OK", "GET"), Framing::UntilEnd);
    assert_eq!(head("PUT / HTTP/1.1").request_framing().unwrap(), Framing::Empty);
    assert!(head("PUT / HTTP/1.1\r\nContent-Length: x").request_framing().is_err());
}

#[test]
fn heads_are_read_one_after_the_other() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let wire: &[u8] = b"GET /1 HTTP/1.1\r\nA: b\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
    let mut reader = wire;
    let mut next = || runtime.block_on(read_head(&mut reader)).unwrap();
    assert_eq!(next().unwrap().word(1), "/1");
    assert_eq!(next().unwrap().word(1), "/2");
    assert!(next().is_none());
    let mut cut: &[u8] = b"GET /1 HTTP/1.1\r\nA: b";
    assert!(runtime.block_on(read_head(&mut cut)).is_err());
}

#[test]
fn escapes_are_decoded() {
    assert_eq!(percent_decoded("a%2Fb%20c+d", false), "a/b c+d");
    assert_eq!(percent_decoded("a+b%", true), "a b%");
    assert_eq!(percent_decoded("%zz%C3%A4", false), "%zzä");
}

#[test]
fn dates_are_those_of_http() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    assert_eq!(http_date(time).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
}
