//! Engine options, checked against the JSON Schema in the plugin's manifest before it is loaded.
use crate::nearest::nearest;
use dbbackup_plugin_api::document::plugin::EngineManifest;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use std::fmt;

/// One thing that is wrong with the options of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionProblem {
    /// The engine has no such option.
    Unknown {
        /// The option, with the path to it.
        name: String,
        /// The nearest option that exists.
        nearest: Option<String>,
    },
    /// The value does not fit.
    Invalid {
        /// The option, with the path to it.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The schema in the manifest is itself wrong: the vendor's fault.
    Schema {
        /// What is wrong with it.
        what: String,
    },
}

impl OptionProblem {
    /// What the operator can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean '{nearest}'?"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for OptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, .. } => write!(f, "unknown option '{name}'"),
            Self::Invalid { name, what } if name.is_empty() => write!(f, "{what}"),
            Self::Invalid { name, what } => write!(f, "{name}: {what}"),
            Self::Schema { what } => write!(f, "the plugin's own schema is wrong: {what}"),
        }
    }
}

/// Checks options against the schema of an engine; null counts as no options.
///
/// # Errors
/// Everything that is wrong, never empty.
pub fn check_options(engine: &EngineManifest, options: &Value) -> Result<(), Vec<OptionProblem>> {
    let empty = Value::Object(serde_json::Map::new());
    let options = if options.is_null() { &empty } else { options };
    let validator = jsonschema::validator_for(&engine.options_schema)
        .map_err(|error| vec![OptionProblem::Schema { what: error.to_string() }])?;
    let problems: Vec<_> = validator
        .iter_errors(options)
        .flat_map(|error| problems_of(&error, &engine.options_schema))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn problems_of(error: &jsonschema::ValidationError<'_>, schema: &Value) -> Vec<OptionProblem> {
    let place = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let schema = schema_at(schema, error.schema_path().as_str());
            let known: Vec<&str> = schema
                .and_then(|schema| schema.get("properties")?.as_object())
                .map(|properties| properties.keys().map(String::as_str).collect())
                .unwrap_or_default();
            let unknown = |name: &String| OptionProblem::Unknown {
                name: if place.is_empty() { name.clone() } else { format!("{place}.{name}") },
                nearest: nearest(name, known.iter().copied()).map(str::to_owned),
            };
            unexpected.iter().map(unknown).collect()
        }
        _ => vec![OptionProblem::Invalid { name: place, what: error.to_string() }],
    }
}

/// The object schema that a path such as `/properties/tls/additionalProperties` lies in.
fn schema_at<'s>(schema: &'s Value, path: &str) -> Option<&'s Value> {
    schema.pointer(path.rsplit_once('/')?.0)
}
