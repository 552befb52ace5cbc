//! What both harnesses print.
use super::Times;

#[test]
fn both_harnesses_are_understood_and_the_slowest_come_first() {
    let mut times = Times::default();
    times.note("        PASS [   0.015s] (1/5) testkit::kit proxy_cuts");
    times.note("        FAIL [  12.621s] ( 2/50) tests::it a::b");
    times.note("        SLOW [> 60.000s] (───) tests::it c");
    times.note("test module::name ... ok <1.005s>");
    times.note("test result: ok. 1 passed; finished in 3.2s");
    let slowest = [(12.621, "tests::it a::b"), (1.005, "module::name")];
    assert_eq!(times.len(), 3);
    assert_eq!(times.slowest(2), slowest);
}
