//! Lengths written are read back, and never past the end.

use super::{Cursor, put_lenenc_bytes, put_lenenc_int};

#[test]
fn length_encoded_integers_come_back() {
    let values = [
        0,
        0xfa,
        0xfb,
        0xfc,
        0xff,
        0xffff,
        0x1_0000,
        0xff_ffff,
        0x100_0000,
        u64::from(u32::MAX),
        u64::MAX,
    ];
    for value in values {
        let mut bytes = Vec::new();
        put_lenenc_int(&mut bytes, value);
        let mut cursor = Cursor::new(&bytes, "test");
        assert_eq!(cursor.lenenc_int().expect("whole"), value);
        assert!(cursor.is_empty());
        for cut in 0..bytes.len() {
            assert!(
                Cursor::new(&bytes[..cut], "test").lenenc_int().is_err(),
                "{value} cut at {cut}"
            );
        }
    }
    assert!(Cursor::new(&[0xfb], "test").lenenc_int().is_err(), "NULL is no number");
}

#[test]
fn strings_end_at_their_length_or_at_a_zero_byte() {
    let mut bytes = Vec::new();
    put_lenenc_bytes(&mut bytes, b"name");
    bytes.extend(b"text\0rest");
    let mut cursor = Cursor::new(&bytes, "test");
    assert_eq!(cursor.lenenc_bytes().expect("whole"), b"name");
    assert_eq!(cursor.until_nul(), b"text");
    assert_eq!(cursor.until_nul(), b"rest");
    assert!(cursor.is_empty() && cursor.u8().is_err());
}
