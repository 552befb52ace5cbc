//! Error packets.

use super::ServerError;

#[test]
fn error_packets_are_read_with_and_without_state() {
    let error = ServerError::parse(b"\xff\x15\x04#28000Access denied").expect("an error packet");
    assert_eq!((error.code, error.message.as_str()), (1045, "Access denied"));
    assert_eq!(error.to_string(), "server error 1045 (28000): Access denied");
    let early = ServerError::parse(b"\xff\x10\x04Too many connections").expect("an error packet");
    assert_eq!((early.code, early.sqlstate.to_string().as_str()), (1040, "HY000"));
    for wrong in [&b""[..], b"\xff", b"\xff\x01", b"\x00\x15\x04"] {
        assert!(ServerError::parse(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(ServerError::parse(b"\xff\x15\x04#28").expect("short").message, "#28");
}
