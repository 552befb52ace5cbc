//! Lines come whole or not at all.
use super::{FromWorker, ToWorker, receive, send};
use std::io::{BufReader, ErrorKind};

#[test]
fn messages_come_back_in_order_and_end_cleanly() {
    let mut wire = Vec::new();
    send(&mut wire, &FromWorker::Heartbeat).unwrap();
    send(&mut wire, &FromWorker::JournalDone { request: 7, number: 3 }).unwrap();
    let mut reader = BufReader::new(wire.as_slice());
    assert!(matches!(receive(&mut reader).unwrap(), Some(FromWorker::Heartbeat)));
    let second: FromWorker = receive(&mut reader).unwrap().unwrap();
    assert!(matches!(second, FromWorker::JournalDone { request: 7, number: 3 }));
    assert!(receive::<FromWorker>(&mut reader).unwrap().is_none());
}

#[test]
fn a_cut_line_is_an_error_and_not_an_end() {
    let mut wire = Vec::new();
    send(&mut wire, &ToWorker::Cancel).unwrap();
    wire.pop();
    let error = receive::<ToWorker>(&mut BufReader::new(wire.as_slice())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn garbage_is_an_error() {
    let error = receive::<ToWorker>(&mut BufReader::new(&b"hello\n"[..])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}
