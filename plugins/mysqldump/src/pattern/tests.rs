use super::*;

#[test]
fn stars_and_question_marks_match() {
    for (pattern, text, fits) in [
        ("shop", "shop", true),
        ("shop", "shop2", false),
        ("sh*", "shop", true),
        ("*", "", true),
        ("*_log", "a_b_log", true),
        ("*_log", "a_logs", false),
        ("a*b*c", "a-b-b-c", true),
        ("?x", "äx", true),
        ("?", "", false),
    ] {
        assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
    }
}

#[test]
fn schema_and_object_are_parted() {
    let table = Pattern::parse("shop.order_*");
    assert!(table.matches_object("shop", "order_items") && !table.matches_object("shop", "x"));
    assert!(table.matches_schema("shop") && !table.is_whole_schema());
    for whole in ["shop", "shop.*", "shop/*", "shop/"] {
        let pattern = Pattern::parse(whole);
        assert!(pattern.is_whole_schema() && pattern.matches_object("shop", "x"), "{whole}");
    }
    assert!(Pattern::parse("a.b/c").matches_object("a.b", "c"));
}
