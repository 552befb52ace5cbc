use super::*;

#[test]
fn definers_are_found_and_stripped() {
    for (definition, named, stripped) in [
        (
            "CREATE DEFINER=`a``b`@`%` FUNCTION `f`() RETURN 1",
            Some("'a''b'@'%'"),
            "CREATE FUNCTION `f`() RETURN 1",
        ),
        (
            "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v` AS select 1",
            Some("'root'@'localhost'"),
            "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1",
        ),
        (
            "CREATE DEFINER=\"r\"@\"l\" PACKAGE \"p\" AS END",
            Some("'r'@'l'"),
            "CREATE PACKAGE \"p\" AS END",
        ),
        ("CREATE DEFINER=`role` PROCEDURE `p`()", Some("'role'"), "CREATE PROCEDURE `p`()"),
        (
            "CREATE LIBRARY `l` AS 'DEFINER=`x`@`y`'",
            None,
            "CREATE LIBRARY `l` AS 'DEFINER=`x`@`y`'",
        ),
    ] {
        assert_eq!(account(definition.as_bytes()).as_deref(), named);
        assert_eq!(String::from_utf8(strip(definition.as_bytes())).unwrap(), stripped);
    }
}
