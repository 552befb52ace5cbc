//! Flags that say two things of one output are a usage error, before anything is done.
use super::*;
use crate::exit::Exit;

fn judged(output: &str, format: Option<&str>, wants_key: bool) -> Result<String, Failure> {
    let location = OutputLocation::from(OsStr::new(output));
    encoding(format, &location, wants_key).map(|encoding| encoding.to_string())
}

#[test]
fn a_name_and_a_format_that_agree_are_taken() {
    let cases = [
        ("x.tar.gz", None, false, ".tar.gz"),
        ("x.tgz", Some("tar.gz"), false, ".tar.gz"),
        ("x.tar.gz", Some(".tar.gz"), false, ".tar.gz"),
        ("x", Some("sql.zst"), false, ".sql.zst"),
        ("x.2026", Some("sql"), true, ".sql.age"),
        ("x.tar.gz.age", Some("tar.gz"), true, ".tar.gz.age"),
        ("x.tar.gz", Some("tar.gz.age"), true, ".tar.gz.age"),
        ("x.tar.gz", None, true, ".tar.gz.age"),
        ("-", None, false, ".tar.gz"),
        ("-", Some("sql"), true, ".sql.age"),
        ("x/", None, false, "/"),
        ("x/", Some("/"), false, "/"),
    ];
    for (output, format, wants_key, expected) in cases {
        let found = judged(output, format, wants_key);
        assert_eq!(found.map_err(|error| error.chain()), Ok(expected.to_owned()), "{output}");
    }
}

#[test]
fn a_name_and_flags_that_contradict_are_refused_with_both_values() {
    let cases = [
        ("x/", None, true, ["output x/", "--encrypt-to"]),
        ("x/", Some("/"), true, ["output x/", "--encrypt-to"]),
        ("x/", Some("tar.gz"), false, ["output x/", "--format tar.gz"]),
        ("x.tar.gz", Some("sql.zst"), false, ["output x.tar.gz", "--format sql.zst"]),
        ("x.tar.gz", Some("tar.zst"), true, ["output x.tar.gz", "--format tar.zst"]),
        ("x.sql.age", Some("sql"), false, ["output x.sql.age", "--format sql"]),
        ("x.sql", Some("/"), false, ["--format /", "x.sql"]),
        ("-", Some("/"), false, ["--format /", "-"]),
    ];
    for (output, format, wants_key, said) in cases {
        let refused = judged(output, format, wants_key).unwrap_err();
        assert_eq!((refused.exit(), refused.code()), (Exit::Usage, "E-USAGE".to_owned()));
        let text = refused.chain();
        assert!(said.iter().all(|part| text.contains(part)), "{text}");
    }
    let keyless = judged("x.sql.age", None, false).unwrap_err().chain();
    assert!(keyless.contains("needs a key"), "{keyless}");
}
