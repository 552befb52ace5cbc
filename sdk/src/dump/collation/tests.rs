use super::*;

const TABLE: &str = "CREATE TABLE `t` (
  `a``b` varchar(10) COLLATE x_ci NOT NULL DEFAULT ' COLLATE x_ci',
  `b` varchar(10) CHARACTER SET utf8mb4 COLLATE x_ci DEFAULT NULL,
  `c` text COLLATE y_ci,
  `d` enum('(''',' COLLATE x_ci) COLLATE x_ci') COLLATE x_ci,
  `e` text COLLATE x_ci COMMENT 'z',
  `f` text COLLATE x_ci_too,
  KEY `k` (`a``b`)
) /*!50100 TABLESPACE `s` */ ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=x_ci COMMENT='COLLATE=q'";

#[test]
fn inherited_collations_go_and_own_ones_stay() {
    let expected = TABLE
        .replacen("varchar(10) COLLATE x_ci NOT", "varchar(10) NOT", 1)
        .replacen("x_ci') COLLATE x_ci,", "x_ci'),", 1)
        .replacen("`e` text COLLATE x_ci COMMENT", "`e` text COMMENT", 1);
    let kept = without_inherited(TABLE.as_bytes());
    assert_eq!(String::from_utf8(kept).unwrap(), expected);
}

#[test]
fn a_table_without_a_collation_stays_as_it_is() {
    let table =
        "CREATE TABLE `t` (\n  `a` text COLLATE x_ci\n) ENGINE=InnoDB DEFAULT CHARSET=latin1";
    assert_eq!(without_inherited(table.as_bytes()), table.as_bytes());
}

#[test]
fn what_a_comment_says_is_no_collation_of_the_table() {
    let table = "CREATE TABLE `t` (\n  `a` text COLLATE x_ci\n) ENGINE=InnoDB DEFAULT \
                 CHARSET=latin1 COMMENT='once COLLATE=x_ci'";
    assert_eq!(without_inherited(table.as_bytes()), table.as_bytes());
}
