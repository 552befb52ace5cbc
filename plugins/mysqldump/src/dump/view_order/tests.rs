use super::*;

fn schema(name: &str, views: &[(&str, &str)]) -> Schema {
    let view = |(name, definition): &(&str, &str)| View {
        name: (*name).to_owned(),
        definition: definition.as_bytes().to_vec(),
        context: Default::default(),
        columns: Vec::new(),
    };
    Schema { name: name.to_owned(), views: views.iter().map(view).collect(), ..Schema::default() }
}

#[test]
fn views_follow_what_they_read() {
    let schemas = [
        schema("a", &[("v1", "select from `b`.`v2`"), ("v4", "select from `t`")]),
        schema("b", &[("v2", "select from `v3` join `v4`"), ("v3", "select 1")]),
    ];
    let names: Vec<&str> = ordered(&schemas).iter().map(|(_, view)| view.name.as_str()).collect();
    let at = |name| names.iter().position(|found| *found == name).unwrap();
    assert_eq!(names.len(), 4);
    assert!(at("v3") < at("v2") && at("v4") < at("v2") && at("v2") < at("v1"));
}

#[test]
fn a_circle_ends() {
    let schemas = [schema("a", &[("v1", "`v2`"), ("v2", "`v1`")])];
    assert_eq!(ordered(&schemas).len(), 2);
}
