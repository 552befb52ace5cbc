use super::*;
use proptest::prelude::*;

/// Reads a quoted string back as the server does.
fn unquote(quoted: &[u8]) -> Vec<u8> {
    let inner = &quoted[1..quoted.len() - 1];
    let mut bytes = Vec::new();
    let mut rest = inner.iter();
    while let Some(&byte) = rest.next() {
        assert_ne!(byte, b'\'', "a quote that is not escaped ends the string");
        bytes.push(match byte {
            b'\\' => match rest.next().expect("an escape is two bytes") {
                b'0' => 0,
                b'n' => b'\n',
                b'r' => b'\r',
                b'Z' => 0x1a,
                &other => other,
            },
            other => other,
        });
    }
    bytes
}

proptest! {
    #[test]
    fn quoted_bytes_read_back(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), prop::sample::select(&b"\0\n\r\x1a'\\\"%_"[..])], 0..200)) {
        let mut quoted = Vec::new();
        put_quoted(&mut quoted, &bytes);
        prop_assert!(!quoted.contains(&b'\n') && !quoted.contains(&0) && !quoted.contains(&b'\r'));
        prop_assert_eq!(unquote(&quoted), bytes);
    }

    #[test]
    fn pieces_escape_like_the_whole(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        put_escaped(&mut whole, &bytes);
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        put_escaped(&mut pieces, head);
        put_escaped(&mut pieces, tail);
        prop_assert_eq!(whole, pieces);
    }
}

#[test]
fn hex_has_two_digits_a_byte() {
    let mut to = Vec::new();
    put_hex(&mut to, &[0x00, 0x0f, 0xa5, 0xff]);
    assert_eq!(to, b"000FA5FF");
}

#[test]
fn negative_zero_stays_a_double() {
    let mut to = Vec::new();
    put_real(&mut to, b"-0");
    assert_eq!(to, b"-0e0");
}
