//! Grants as real servers print them.

use super::{Account, Grants, Requirement, like};

fn grants(lines: &[&str]) -> Grants {
    Grants::parse(Account::parse("backup@10.0.%"), lines.iter().copied())
}

#[test]
fn global_privileges_count_everywhere() {
    let grants = grants(&[
        "GRANT SELECT, RELOAD, SHOW VIEW ON *.* TO `backup`@`10.0.%`",
        "GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* TO `backup`@`10.0.%` WITH GRANT OPTION",
    ]);
    assert!(grants.allows(&Requirement::global("BACKUP_ADMIN")));
    assert!(grants.allows(&Requirement::on_schema("select", "shop")));
    assert!(!grants.allows(&Requirement::global("PROCESS")));
}

#[test]
fn schema_grants_match_by_pattern_and_columns_count_for_nothing() {
    let grants = grants(&[
        "GRANT USAGE ON *.* TO `backup`@`10.0.%` IDENTIFIED BY PASSWORD '*0'",
        r"GRANT SELECT, INSERT (a, b), TRIGGER ON `shop\_%`.* TO `backup`@`10.0.%`",
        "GRANT SELECT ON `we``ird`.* TO `backup`@`10.0.%`",
        "GRANT SELECT ON `one`.`table` TO `backup`@`10.0.%`",
        "GRANT EXECUTE ON PROCEDURE `one`.`p` TO `backup`@`10.0.%`",
        "GRANT `reader`@`%` TO `backup`@`10.0.%`",
    ]);
    assert!(grants.allows(&Requirement::on_schema("TRIGGER", "shop_eu")));
    assert!(!grants.allows(&Requirement::on_schema("TRIGGER", "shopXeu")));
    assert!(!grants.allows(&Requirement::on_schema("INSERT", "shop_eu")));
    assert!(grants.allows(&Requirement::on_schema("SELECT", "we`ird")));
    assert!(!grants.allows(&Requirement::on_schema("SELECT", "one")));
    assert!(!grants.allows(&Requirement::global("SELECT")));
}

#[test]
fn partial_revokes_take_away_what_is_global() {
    let grants = grants(&[
        "GRANT SELECT ON *.* TO `backup`@`10.0.%`",
        "REVOKE SELECT ON `secret`.* FROM `backup`@`10.0.%`",
    ]);
    assert!(grants.allows(&Requirement::on_schema("SELECT", "shop")));
    assert!(!grants.allows(&Requirement::on_schema("SELECT", "secret")));
    assert!(!grants.allows(&Requirement::global("SELECT")));
}

#[test]
fn all_privileges_and_mariadb_names_are_understood() {
    assert!(
        grants(&["GRANT ALL PRIVILEGES ON *.* TO `backup`@`10.0.%`"])
            .allows(&Requirement::global("PROCESS"))
    );
    assert!(
        grants(&["GRANT BINLOG MONITOR ON *.* TO `backup`@`10.0.%`"])
            .allows(&Requirement::global("REPLICATION CLIENT"))
    );
}

#[test]
fn of_several_patterns_the_most_specific_counts_alone() {
    let grants = grants(&[
        "GRANT SELECT, TRIGGER ON `shop%`.* TO `backup`@`10.0.%`",
        r"GRANT SELECT ON `shop\_eu`.* TO `backup`@`10.0.%`",
        "GRANT SELECT ON `shop_us`.* TO `backup`@`10.0.%`",
    ]);
    let has = |schema| grants.allows(&Requirement::on_schema("TRIGGER", schema));
    assert!(has("shop") && has("shopping"));
    assert!(!has("shop_eu"), "its own grant is the only one that counts");
    assert!(!has("shop_us"), "nobody knows which of two as specific counts");
    assert!(grants.allows(&Requirement::on_schema("SELECT", "shop_eu")));
}

#[test]
fn the_missing_grant_is_spelled_out_for_this_account() {
    let grants =
        Grants::parse(Account::parse("o'brien@mail@%.example"), ["GRANT SELECT ON *.* TO `x`@`%`"]);
    let needs = [
        Requirement::global("SELECT"),
        Requirement::global("RELOAD"),
        Requirement::on_schema("EVENT", "my`shop"),
    ];
    let missing = grants.missing(&needs);
    let statements: Vec<&str> = missing.iter().map(|missing| missing.statement.as_str()).collect();
    assert_eq!(
        statements,
        [
            r"GRANT RELOAD ON *.* TO 'o\'brien@mail'@'%.example';",
            r"GRANT EVENT ON `my``shop`.* TO 'o\'brien@mail'@'%.example';",
        ]
    );
}

#[test]
fn like_knows_runs_single_characters_and_escapes() {
    assert!(like(b"a%c", b"abbbc") && like(b"%", b"") && like(b"a_c", b"abc"));
    assert!(!like(b"a_c", b"ac") && !like(br"a\_c", b"abc") && like(br"a\_c", b"a_c"));
}
