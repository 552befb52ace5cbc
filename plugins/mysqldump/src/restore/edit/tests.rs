use super::*;

fn edited(statement: &str) -> String {
    let map = BTreeMap::from([("old".to_owned(), "new".to_owned())]);
    let edits = qualifiers(statement.as_bytes(), &map);
    String::from_utf8(parts(statement.as_bytes(), &edits).concat()).unwrap()
}

#[test]
fn qualifiers_are_renamed_and_columns_are_not() {
    for (from, to) in [
        ("select `old`.`t`.`c` from `old`.`t`", "select `new`.`t`.`c` from `new`.`t`"),
        ("select `t`.`old` from `t`", "select `t`.`old` from `t`"),
        ("select `x`.`old`.`c`", "select `x`.`old`.`c`"),
        (
            "select '`old`.`t`' , \"`old`.\" /* `old`.`t` */",
            "select '`old`.`t`' , \"`old`.\" /* `old`.`t` */",
        ),
        ("select 'it\\'s `old`.' , `old`.`f`()", "select 'it\\'s `old`.' , `new`.`f`()"),
        ("`old``er`.`t`", "`old``er`.`t`"),
        ("`old`", "`old`"),
    ] {
        assert_eq!(edited(from), to);
    }
}

#[test]
fn mentions_are_whole_words() {
    assert!(mentions(b"INSERT INTO old.t", "old"));
    assert!(mentions(b"SELECT `old`.t", "old"));
    assert!(!mentions(b"SELECT threshold.t, older", "old"));
}
