use super::*;

/// The head in words: kind, action, schema and name.
fn head(sql: &str) -> String {
    let text = |name: &Name| {
        assert!(sql[name.range.clone()].contains(&name.text.replace('`', "``")), "{sql}");
        name.text.clone()
    };
    match parse(sql.as_bytes()) {
        Head::Use(name) => format!("use {}", text(&name)),
        Head::Schema(action, name) => format!("{action:?} schema {}", text(&name)),
        Head::Object(kind, action, schema, name) => {
            let schema = schema.map_or(String::new(), |schema| format!("{}.", text(&schema)));
            format!("{action:?} {kind:?} {schema}{}", text(&name))
        }
        Head::Tablespace => "tablespace".to_owned(),
        Head::Unlock => "unlock".to_owned(),
        Head::Other => "other".to_owned(),
    }
}

#[test]
fn heads_of_stock_dumps_are_understood() {
    for (sql, expected) in [
        ("USE `a``b`", "use a`b"),
        (
            "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT…*/",
            "Create schema shop",
        ),
        ("CREATE DATABASE IF NOT EXISTS shop", "Create schema shop"),
        ("DROP TABLE IF EXISTS `orders`", "Drop Table orders"),
        ("CREATE TABLE `shop`.`orders` (\n `id` int", "Create Table shop.orders"),
        ("INSERT INTO `orders` (`id`) VALUES (1)", "Write Table orders"),
        ("INSERT  IGNORE INTO orders VALUES", "Write Table orders"),
        ("LOCK TABLES `orders` WRITE", "Write Table orders"),
        ("UNLOCK TABLES", "unlock"),
        ("/*!40000 ALTER TABLE `orders` DISABLE KEYS */", "Alter Table orders"),
        ("/*!50001 DROP VIEW IF EXISTS `v`*/", "Drop View v"),
        (
            "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n\
          /*!50001 VIEW `v` AS select 1 */",
            "Create View v",
        ),
        ("CREATE DEFINER=`a`@`%` PROCEDURE `p`()\nBEGIN", "Create Program p"),
        (
            "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER `tr` BEFORE INSERT ON `orders` FOR EACH",
            "Create Trigger orders",
        ),
        (
            "/*!50106 CREATE*/ /*!50117 DEFINER=`a`@`b`*/ /*!50106 EVENT `e` ON SCHEDULE",
            "Create Program e",
        ),
        ("CREATE DEFINER=`a`@`b` PACKAGE BODY `pk` AS", "Create Program pk"),
        ("DO SETVAL(`seq`, 5, 0)", "Write Table seq"),
        ("SELECT SETVAL(`seq`, 5, 0)", "Write Table seq"),
        ("CREATE SEQUENCE `seq` start with 1", "Create Table seq"),
        ("/*!40101 SET NAMES utf8mb4 */", "other"),
        ("SELECT 1", "other"),
        ("COMMIT", "other"),
        ("CREATE TABLESPACE `x` ADD DATAFILE 'x.ibd'", "tablespace"),
        ("", "other"),
    ] {
        assert_eq!(head(sql), expected, "{sql}");
    }
}

#[test]
fn a_trigger_may_name_its_schema_twice() {
    let sql = "CREATE DEFINER=`a.b`@`%` TRIGGER `s 1`.tr BEFORE INSERT ON shop.t FOR EACH ROW SET x.y = 1";
    let names: Vec<String> =
        schemas_of_trigger(sql.as_bytes()).into_iter().map(|name| name.text).collect();
    assert_eq!(names, ["s 1", "shop"]);
}
