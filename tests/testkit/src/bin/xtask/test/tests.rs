use super::*;

#[test]
fn a_run_without_tests_is_no_success() -> Result<()> {
    let skipped = tempfile::NamedTempFile::new()?;
    let skip_file = skipped.path().to_owned();
    let mut outcome = TestOutcome { passed: true, times: Times::default(), skip_file };
    let refused = outcome.report(Some("no_such_test")).unwrap_err().to_string();
    assert_eq!(refused, "no test ran: no name of one contains \"no_such_test\"");
    assert_eq!(outcome.report(None).unwrap_err().to_string(), "no test ran");

    outcome.times.note("        PASS [   3.896s] (1/1) dbbackup-tests::it doctor::of_a_server");
    outcome.report(Some("doctor"))
}
