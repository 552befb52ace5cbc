use super::*;

#[test]
fn long_values_and_statements_are_cut() {
    assert_eq!(
        excerpt(b"INSERT INTO t VALUES\n('short','it\\'s')"),
        "INSERT INTO t VALUES ('short','it\\'s')"
    );
    let long = format!("INSERT INTO t VALUES ('{}',2)", "secret".repeat(10));
    assert_eq!(excerpt(long.as_bytes()), "INSERT INTO t VALUES ('secretsecret…',2)");
    let many = "INSERT INTO t VALUES ".to_owned() + &"(1),".repeat(10_000);
    assert_eq!(excerpt(many.as_bytes()).chars().count(), SHOWN_CHARS + 1);
}
