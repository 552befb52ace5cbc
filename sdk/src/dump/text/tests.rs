use super::*;

#[test]
fn a_name_cannot_leave_its_comment() {
    let title = title("Table structure for table", "x\nDROP DATABASE mysql;");
    assert_eq!(title.lines().filter(|line| !line.is_empty() && !line.starts_with("--")).count(), 0);
}

#[test]
fn the_delimiter_is_not_in_the_body() {
    let body = b"CREATE PROCEDURE p() BEGIN SELECT ';;', '$$'; END";
    let text =
        String::from_utf8(program("PROCEDURE", "p", body, &Context::default(), None)).unwrap();
    assert!(text.contains("DELIMITER //\nCREATE PROCEDURE p()"), "{text}");
    assert!(text.contains("END //\nDELIMITER ;\n"), "{text}");
}

#[test]
fn settings_of_a_program_are_taken_back_in_reverse() {
    let context = Context {
        sql_mode: Some("ANSI_QUOTES".into()),
        character_set_client: "latin1".into(),
        collation_connection: "latin1_swedish_ci".into(),
        database_collation: "utf8mb4_bin".into(),
        time_zone: Some("SYSTEM".into()),
    };
    let text =
        program("EVENT", "e", b"CREATE EVENT `e` ON SCHEDULE", &context, Some(("s", "latin1_bin")));
    let text = String::from_utf8(text).unwrap();
    let order = [
        "ALTER DATABASE `s` COLLATE utf8mb4_bin",
        "SET character_set_client = latin1",
        "SET sql_mode = 'ANSI_QUOTES'",
        "SET time_zone = 'SYSTEM'",
        "DROP EVENT IF EXISTS `e`",
        "CREATE EVENT",
        "SET time_zone = @saved_time_zone",
        "SET sql_mode = @saved_sql_mode",
        "SET character_set_client = @saved_character_set_client",
        "ALTER DATABASE `s` COLLATE latin1_bin",
    ];
    let mut at = 0;
    for part in order {
        at += text[at..].find(part).unwrap_or_else(|| panic!("{part} after byte {at} of {text}"));
    }
}

#[test]
fn a_program_that_holds_every_usual_delimiter_gets_another_one() {
    let body = b"CREATE PROCEDURE p() SELECT ';; $$ // || $dbbackup0$'";
    assert_eq!(delimiter_for(body), "$dbbackup1$");
    assert_eq!(delimiter_for(b"CREATE PROCEDURE p() SELECT 1"), ";;");
}
