use super::*;
use proptest::prelude::*;

/// Hands out at most a few bytes a read, so that every token is cut somewhere.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn split_with(sql: &[u8], read: usize, part: usize) -> Result<Vec<(String, Place)>, SplitError> {
    let mut splitter = Splitter::new();
    splitter.part_bytes = part;
    let mut input = Trickle(sql, read);
    let mut statements: Vec<(Vec<u8>, Place)> = Vec::new();
    while let Some(piece) = splitter.next(&mut input)? {
        if piece.first {
            statements.push((Vec::new(), piece.place));
        }
        let current = statements.last_mut().expect("the first piece comes first");
        current.0.extend_from_slice(piece.bytes);
        assert_eq!(current.1, piece.place);
    }
    let text = |bytes| String::from_utf8(bytes).expect("tests are UTF-8");
    Ok(statements.into_iter().map(|(bytes, place)| (text(bytes), place)).collect())
}

fn split(sql: &str) -> Vec<String> {
    let whole = split_with(sql.as_bytes(), usize::MAX, PART_BYTES).unwrap();
    let trickled = split_with(sql.as_bytes(), 1, PART_BYTES).unwrap();
    let parts = split_with(sql.as_bytes(), 3, 5).unwrap();
    assert_eq!(whole, trickled, "the same whatever the reads");
    assert_eq!(whole, parts, "the same in parts");
    whole.into_iter().map(|(statement, _)| statement).collect()
}

#[test]
fn delimiters_inside_something_do_not_split() {
    for statement in [
        "SELECT ';', \";\", `;`",
        r"SELECT 'it\'s; ', 'a''b;', '\\'",
        "SELECT 1 /* ; */ + 2",
        "SELECT 1 -- ; no\n + 2",
        "SELECT 1 # ;\n + 2",
        "/*!50003 CREATE TRIGGER t BEGIN SELECT 1; /* ; */ END */",
        "SELECT 5--1",
    ] {
        let sql = format!("{statement};SELECT 2;");
        assert_eq!(split(&sql), [statement, "SELECT 2"], "{statement}");
    }
}

#[test]
fn comments_and_blanks_between_statements_are_skipped() {
    let sql = "-- head\n\n# x\n/* plain ; */ ;\n\nSELECT 1;\n--\n-- tail; \nSELECT 2\n;\n-- end";
    assert_eq!(split(sql), ["SELECT 1", "SELECT 2\n"]);
}

#[test]
fn delimiter_is_obeyed_and_kept_between_entries() {
    let sql = "DELIMITER ;;\nCREATE TRIGGER a BEGIN x; y; END ;;\ndelimiter ;\nSELECT 1;";
    assert_eq!(split(sql), ["CREATE TRIGGER a BEGIN x; y; END ", "SELECT 1"]);
    let mut splitter = Splitter::new();
    assert!(splitter.next(&mut &b"DELIMITER $$\n"[..]).unwrap().is_none());
    splitter.begin_entry();
    let piece = splitter.next(&mut &b"A;B$$"[..]).unwrap().unwrap();
    assert_eq!(piece.bytes, b"A;B");
}

#[test]
fn a_last_statement_needs_no_delimiter() {
    assert_eq!(split("SELECT 1;\nSELECT 2"), ["SELECT 1", "SELECT 2"]);
    assert!(split("").is_empty());
    assert!(split(" \n;;\n").is_empty());
}

#[test]
fn places_are_of_the_statements_first_byte() {
    let statements = split_with(b"A;\n\n  B\n;C;", 2, 4).unwrap();
    let places: Vec<_> = statements.iter().map(|(_, at)| (at.line, at.offset)).collect();
    assert_eq!(places, [(1, 0), (3, 6), (4, 9)]);
}

#[test]
fn what_has_no_end_is_an_error() {
    for (sql, what) in [
        ("SELECT 'a;", "string"),
        ("SELECT `a;", "quoted identifier"),
        ("/*!50001 SELECT 1;", "comment"),
        ("SELECT 1 /* ;", "comment"),
        ("/* x", "comment"),
    ] {
        let error = split_with(sql.as_bytes(), 2, 4).unwrap_err();
        assert!(
            matches!(error, SplitError::Unterminated { what: found, .. } if found == what),
            "{sql}"
        );
    }
}

#[test]
fn backslash_is_plain_where_the_session_says_so() {
    let mut splitter = Splitter::new();
    splitter.set_backslash_escapes(false);
    let piece = splitter.next(&mut &br"SELECT '\';SELECT 2;"[..]).unwrap().unwrap();
    assert_eq!(piece.bytes, br"SELECT '\'");
}

#[test]
fn a_long_statement_comes_in_bounded_parts() {
    let mut sql = b"INSERT INTO t VALUES ('".to_vec();
    sql.resize(3 * 1024 * 1024, b'x');
    sql.extend_from_slice(b"');SELECT 1;");
    let mut splitter = Splitter::new();
    splitter.part_bytes = 1 << 20;
    let mut input = &sql[..];
    let mut largest = 0;
    while let Some(piece) = splitter.next(&mut input).unwrap() {
        largest = largest.max(piece.bytes.len());
    }
    assert!(largest <= (1 << 20) + 2 * READ_BYTES, "{largest}");
}

fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_().,=+ \n]{1,8}",
        "[^'\\\\]{0,6}".prop_map(|text| format!("'{}'", text.replace('\0', ""))),
        Just(r"'\'; \\'".to_owned()),
        Just("''''".to_owned()),
        "[a-z;/*#-]{0,6}".prop_map(|text| format!("`{text}`")),
        "[a-z;'\"` ]{0,6}".prop_map(|text| format!("/* {text} */")),
        "[a-z;'\"` ]{0,6}".prop_map(|text| format!(" -- {text}\n")),
        "[a-z ]{1,6}".prop_map(|text| format!("/*!40101 {text} ; */")),
    ]
}

proptest! {
    #[test]
    fn concatenated_statements_split_again(
        bodies in prop::collection::vec(prop::collection::vec(token(), 0..6), 0..6),
        read in 1..9_usize, part in 1..40_usize,
    ) {
        let statements: Vec<String> =
            bodies.iter().map(|tokens| format!("S{}E", tokens.concat())).collect();
        let sql: String = statements.iter().map(|statement| format!("{statement};\n")).collect();
        let split: Vec<String> = split_with(sql.as_bytes(), read, part).unwrap()
            .into_iter().map(|(statement, _)| statement).collect();
        prop_assert_eq!(split, statements);
    }
}
