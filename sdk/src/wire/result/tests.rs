//! Rows and completions from bytes, also from wrong ones.

use super::{Completion, is_terminator, split_row};
use crate::wire::Row;

#[test]
fn rows_split_into_values_and_nulls() {
    let mut packet =
        vec![0xfb, 0, 2, b'a', b'b', 0xfc, 3, 0, b'x', b'y', b'z', 0xfd, 1, 0, 0, b'q'];
    packet.extend([0xfe, 2, 0, 0, 0, 0, 0, 0, 0, b'r', b's']);
    let mut fields = Vec::new();
    split_row(&packet, 6, &mut fields).expect("a row");
    let row = Row { packet: &packet, fields: &fields };
    let values: Vec<Option<&[u8]>> = row.iter().collect();
    let expected: [Option<&[u8]>; 6] =
        [None, Some(b""), Some(b"ab"), Some(b"xyz"), Some(b"q"), Some(b"rs")];
    assert_eq!(values, expected);
    assert_eq!((row.get(2), row.get(0), row.get(6)), (Some(&b"ab"[..]), None, None));
    for wrong in [5, 7] {
        assert!(split_row(&packet, wrong, &mut fields).is_err(), "{wrong} columns");
    }
}

#[test]
fn rows_that_lie_about_their_lengths_are_refused() {
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let cases: [&[u8]; 7] = [&[], &[5, 1], &[0xfc, 1], &[0xfd, 1, 0], &[0xfe, 1], &[0xff], &huge];
    for packet in cases {
        assert!(split_row(packet, 1, &mut Vec::new()).is_err(), "{packet:?}");
    }
}

#[test]
fn a_row_that_begins_with_a_long_value_is_no_terminator() {
    let mut long = vec![0; 0xff_ffff];
    long[0] = 0xfe;
    assert!(!is_terminator(&long, true) && !is_terminator(&long[..9], false));
    assert!(is_terminator(&long[..0xff_fffe], true) && is_terminator(&long[..5], false));
}

#[test]
fn completions_are_read_and_cut_ones_refused() {
    let packet = [0, 0xfc, 0x34, 0x12, 7, 0x02, 0x02, 3, 0];
    let completion = Completion::parse_ok(&packet).expect("an OK packet");
    assert_eq!((completion.affected_rows, completion.last_insert_id), (0x1234, 7));
    assert_eq!((completion.status, completion.warnings), (0x202, 3));
    assert!(completion.no_backslash_escapes());
    for cut in 0..packet.len() {
        assert!(Completion::parse_ok(&packet[..cut]).is_err(), "cut at {cut}");
    }
}
