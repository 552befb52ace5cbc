use super::*;
use crate::restore::head;
use dbbackup_sdk::document::restore::Mapping;

fn choice(only: &[&str], map: &[(&str, &str)]) -> Choice {
    Choice {
        only: only.iter().map(|text| Pattern::parse(text)).collect(),
        map: map.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect(),
        current: String::new(),
    }
}

/// What is run of a dump, after its edits.
fn run(choice: &mut Choice, statements: &[&str]) -> Vec<String> {
    let mut run = Vec::new();
    for statement in statements {
        if let Decision::Run(how) =
            choice.decide(head::parse(statement.as_bytes()), statement.as_bytes())
        {
            let parts = edit::parts(statement.as_bytes(), &how.edits);
            run.push(String::from_utf8(parts.concat()).unwrap());
        }
    }
    run
}

const DUMP: [&str; 11] = [
    "SET NAMES utf8mb4",
    "CREATE DATABASE `shop`",
    "USE `shop`",
    "DROP TABLE IF EXISTS `orders`",
    "CREATE TABLE `orders` (`a` int, FOREIGN KEY (`a`) REFERENCES `other`.`t` (`shop`))",
    "LOCK TABLES `orders` WRITE",
    "INSERT INTO `orders` VALUES (1,'`shop`.x')",
    "UNLOCK TABLES",
    "DROP TRIGGER IF EXISTS `t`",
    "CREATE TRIGGER `t` BEFORE INSERT ON `orders` FOR EACH ROW SET @a = 1",
    "INSERT INTO `shop`.`other_table` VALUES (2)",
];

#[test]
fn everything_is_run_but_locks() {
    let all = run(&mut choice(&[], &[]), &DUMP);
    let expected: Vec<&str> =
        DUMP.into_iter().filter(|statement| !statement.contains("LOCK")).collect();
    assert_eq!(all, expected);
}

#[test]
fn only_takes_schemas_and_tables() {
    assert_eq!(run(&mut choice(&["log"], &[]), &DUMP), ["SET NAMES utf8mb4"]);
    let table = run(&mut choice(&["shop/orders"], &[]), &DUMP);
    assert!(table.iter().any(|statement| statement.starts_with("CREATE TRIGGER")));
    assert!(!table.iter().any(|statement| statement.starts_with("DROP TRIGGER")));
    assert!(!table.iter().any(|statement| statement.contains("other_table")));
    assert_eq!(table.len(), 7);
}

#[test]
fn map_renames_schemas_and_nothing_else() {
    let mapped = run(&mut choice(&[], &[("shop", "neu`e"), ("other", "o2")]), &DUMP);
    assert_eq!(mapped[1..3], ["CREATE DATABASE `neu``e`", "USE `neu``e`"]);
    assert!(mapped[4].ends_with("REFERENCES `o2`.`t` (`shop`))"), "{}", mapped[4]);
    assert_eq!(mapped[5], "INSERT INTO `orders` VALUES (1,'`shop`.x')");
    assert_eq!(mapped[8], "INSERT INTO `neu``e`.`other_table` VALUES (2)");
}

#[test]
fn a_request_maps_the_nameless_schema() {
    let request: RestoreRequest = serde_json::from_value(serde_json::json!({
        "manifest": crate::restore::plan::tests::manifest(),
        "map": [Mapping { old: String::new(), new: "shop".into() }],
        "force": false,
    }))
    .unwrap();
    assert_eq!(Choice::new(&request).default_schema(), Some("shop"));
}
