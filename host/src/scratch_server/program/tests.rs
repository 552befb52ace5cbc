//! Series are told from every form in which servers write their versions.
use super::series;

#[test]
fn major_and_minor_are_taken_from_every_form() {
    for (text, expected) in [
        ("9.7.4-2", (9, 7)),
        ("10.11.18-MariaDB-0+deb12u1-log", (10, 11)),
        ("8.4.0 for Linux on x86_64 (MySQL Community Server - GPL)", (8, 4)),
    ] {
        assert_eq!(series(text), Some(expected), "{text}");
    }
    assert_eq!(series("none"), None);
}
