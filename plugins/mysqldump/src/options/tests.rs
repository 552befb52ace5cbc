use super::*;

fn parse(json: &str) -> Result<Options, String> {
    let options: Options = serde_json::from_str(json).map_err(|error| error.to_string())?;
    options.check().map_err(|error| error.to_string())
}

#[test]
fn defaults_are_the_documented_ones() {
    let options = parse("{}").unwrap();
    assert_eq!(options.insert_bytes, 1_048_576);
    assert_eq!(options.block_ddl, BlockDdl::Auto);
    assert_eq!(options.definers, Definers::Keep);
    assert!(options.binlog && options.gtid == GtidChoice::Keep);
}

#[test]
fn values_out_of_bounds_are_refused() {
    assert!(parse(r#"{"insert_bytes": 1}"#).unwrap_err().contains("insert_bytes is 1"));
    assert!(parse(r#"{"databases": ["shop.orders"]}"#).unwrap_err().contains("names a table"));
    assert!(parse(r#"{"databases": ["shop.*"], "block_ddl": "on"}"#).is_ok());
    assert!(parse(r#"{"definer": "keep"}"#).unwrap_err().contains("unknown field"));
}

#[test]
fn the_schema_in_the_manifest_knows_every_option() {
    let manifest: serde_json::Value =
        serde_json::from_str(include_str!("../../plugin.json")).unwrap();
    let schema = &manifest["engines"][0]["options_schema"];
    let documented: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    // A value for each of them must parse: an option that only the schema knows would not.
    let mut values = serde_json::Map::new();
    for name in &documented {
        values.insert((*name).clone(), schema["properties"][name.as_str()]["default"].clone());
    }
    assert_eq!(values.len(), 8);
    serde_json::from_value::<Options>(values.into()).unwrap().check().unwrap();
    assert_eq!(schema["additionalProperties"], serde_json::Value::Bool(false));
}
