//! Quoting, also of what nobody should have put into a name.

use super::{Escaping, append_hex, append_string, identifier, qualified, string};

#[test]
fn identifiers_double_their_backticks() {
    assert_eq!(identifier("plain"), "`plain`");
    assert_eq!(identifier("a`b``c"), "`a``b````c`");
    assert_eq!(identifier("it's \\ \"ok\" ñ"), "`it's \\ \"ok\" ñ`");
    assert_eq!(qualified("a`", ".b"), "`a```.`.b`");
}

#[test]
fn strings_escape_what_ends_or_changes_them() {
    assert_eq!(string("it's", Escaping::Backslash), r"'it\'s'");
    assert_eq!(string("\\", Escaping::Backslash), r"'\\'");
    assert_eq!(string("a\0b\nc\rd\x1ae\"f", Escaping::Backslash), r#"'a\0b\nc\rd\Ze\"f'"#);
    assert_eq!(string("héllo 🦀", Escaping::Backslash), "'héllo 🦀'");
    assert_eq!(string("", Escaping::Backslash), "''");
}

#[test]
fn without_backslash_escapes_only_quotes_are_doubled() {
    assert_eq!(string("it's \\ 'x'\n", Escaping::QuotesOnly), "'it''s \\ ''x''\n'");
}

#[test]
fn bytes_that_are_no_utf8_pass_through_unchanged() {
    let mut out = Vec::new();
    append_string(&mut out, b"\xff\xfe'\x80\\", Escaping::Backslash);
    assert_eq!(out, b"'\xff\xfe\\'\x80\\\\'");
}

#[test]
fn hexadecimal_is_never_empty() {
    let mut out = Vec::new();
    append_hex(&mut out, b"\x00\xff'a");
    append_hex(&mut out, b"");
    assert_eq!(out, b"0x00FF2761''");
}
