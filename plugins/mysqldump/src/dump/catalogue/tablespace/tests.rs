use super::*;

#[test]
fn tablespaces_of_tables_and_partitions_are_found() {
    let definition = b"CREATE TABLE `t` (\n) /*!50100 TABLESPACE `one` */ ENGINE=InnoDB\n\
        (PARTITION p0 TABLESPACE = `two` ENGINE = InnoDB, PARTITION p1 TABLESPACE = `innodb_system`)";
    assert_eq!(named_in(definition), ["one", "two"]);
    assert!(named_in(b"CREATE TABLE `TABLESPACE` (a int)").is_empty());
}
