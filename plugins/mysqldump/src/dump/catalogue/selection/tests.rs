use super::*;

/// What is dumped of a server with the schemas `mysql`, `logs` and `shop`, or the error.
fn chosen(databases: &[&str], exclude: &[&str]) -> Result<Vec<String>, String> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let options =
        Options { databases: owned(databases), exclude: owned(exclude), ..Options::default() };
    let all = owned(&["mysql", "logs", "shop"]);
    let mut excluded = Vec::new();
    let schemas = Selection::new(&options).schemas(all, &mut excluded);
    let schemas = schemas.map_err(|error| error.to_string())?;
    assert_eq!(schemas.len() + excluded.len(), 3, "{excluded:?}");
    Ok(schemas)
}

#[test]
fn every_pattern_must_give_a_schema_that_is_dumped() {
    for (databases, exclude, said) in [
        (&["nowhere"][..], &[][..], "no schema fits \"nowhere\""),
        (&["mysql"], &[], "mysql is left out: system schema"),
        (&["shop", "mysql"], &[], "no schema that is dumped fits \"mysql\""),
        (&["shop"], &["shop"], "shop is left out: excluded by option"),
        (&["logs", "shop"], &["sh*"], "no schema that is dumped fits \"shop\""),
        (&["*"], &["logs", "shop"], "logs is left out: excluded by option"),
    ] {
        let error = chosen(databases, exclude).unwrap_err();
        assert!(error.contains(said), "{databases:?} without {exclude:?}: {error}");
    }
}

#[test]
fn what_is_left_out_beside_something_chosen_is_no_mistake() {
    assert_eq!(chosen(&[], &[]).unwrap(), ["logs", "shop"]);
    assert_eq!(chosen(&["*"], &["logs"]).unwrap(), ["shop"]);
    assert_eq!(chosen(&["shop"], &["shop.tmp_*"]).unwrap(), ["shop"]);
}
