use super::*;

#[test]
fn the_counter_goes_and_nothing_that_looks_like_it() {
    let table = |counter: &str| {
        format!(
            "CREATE TABLE `t` (\n  `i` int COMMENT ' AUTO_INCREMENT=1'\n) ENGINE=ARCHIVE{counter} \
             DEFAULT CHARSET=utf8mb4 COMMENT='\\n) AUTO_INCREMENT=7'"
        )
    };
    let without = without_counter(table(" AUTO_INCREMENT=12").as_bytes());
    assert_eq!(String::from_utf8(without).unwrap(), table(""));
}

#[test]
fn a_table_without_a_counter_stays_as_it_is() {
    let table = b"CREATE TABLE `t` (\n  `i` int\n) ENGINE=ARCHIVE";
    assert_eq!(without_counter(table), table);
}
