//! Series are told from every form in which servers write their versions.
use super::{ServerProgram, series};
use std::path::Path;

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

#[test]
fn a_program_that_names_no_version_is_no_server() {
    let program = Path::new("/bin/true");
    let refused = ServerProgram::find(Some(program), "mysql", "9.7.4", Path::new("dbbackup"));
    let said = refused.unwrap_err().to_string();
    assert!(said.starts_with("/bin/true is no server, "), "{said}");
}
