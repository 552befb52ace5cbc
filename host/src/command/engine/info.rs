//! `dbbackup engine info ID`: what an engine, or each engine of a plugin, says of itself in its
//! plugin's note. No plugin code runs.
use super::list;
use crate::{
    command::Context,
    exit::Failure,
    output::{CommandResult, Report},
    plugin::{EngineRef, Plugin},
};
use dbbackup_plugin_api::document::plugin::EngineManifest;
use serde_json::{Value, json};

/// Everything about one engine, or about all engines of one plugin.
pub(super) fn run(id: &str, context: &Context) -> CommandResult {
    let registry = context.registry();
    let found = match registry.engine(id) {
        Ok(EngineRef { plugin, engine }) => (plugin, vec![engine]),
        // A refused plugin is shown too: what it says of itself helps with mending.
        Err(error) => match registry.plugin(id) {
            Some(plugin) => (plugin, engines(plugin)),
            None => return Err(Failure::from(error)),
        },
    };
    let (plugin, engines) = found;
    let data = json!({"plugin": list::plugin(plugin), "engines": engines});
    let mut text: String = engines.iter().map(|engine| describe(engine)).collect();
    text.push_str(&describe_plugin(plugin));
    Ok(Report::new(&data, text))
}

fn engines(plugin: &Plugin) -> Vec<&EngineManifest> {
    plugin.note.iter().flat_map(|note| &note.plugin.engines).collect()
}

fn describe(engine: &EngineManifest) -> String {
    let roles: Vec<&str> = engine.roles.iter().map(|role| list::short(role)).collect();
    let mut text = format!("Engine: {}\n", engine.id);
    let lines = [
        ("Summary", engine.summary.clone()),
        ("Family", engine.family.clone()),
        ("Backend", engine.backend.clone().unwrap_or_default()),
        ("Roles", roles.join(", ")),
        (
            "Locations",
            engine.schemes.iter().map(|s| format!("{s}://")).collect::<Vec<_>>().join(", "),
        ),
        ("Servers", engine.servers.clone()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if !engine.privileges.is_empty() {
        text.push_str("Privileges:\n");
        engine.privileges.iter().for_each(|name| text.push_str(&format!("  {name}\n")));
    }
    let options = engine.options_schema.get("properties").and_then(Value::as_object);
    if let Some(options) = options.filter(|options| !options.is_empty()) {
        text.push_str("Options (--engine-option KEY=VALUE, or engines.");
        text.push_str(&format!("{} in the configuration):\n", engine.id));
        options.iter().for_each(|(name, schema)| text.push_str(&option(name, schema)));
    }
    text
}

fn option(name: &str, schema: &Value) -> String {
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let kind = match (schema.get("enum").and_then(Value::as_array), schema.get("type")) {
        (Some(words_of), _) => words_of.iter().map(words).collect::<Vec<_>>().join("|"),
        (None, Some(kind)) => words(kind),
        (None, None) => "any".to_owned(),
    };
    let description = schema.get("description").map(words).unwrap_or_default();
    let default = schema.get("default").map(|value| format!(" [default: {}]", words(value)));
    format!("  {name} ({kind}): {description}{}\n", default.unwrap_or_default())
}

fn describe_plugin(plugin: &Plugin) -> String {
    let mut text = String::new();
    if let Some(note) = &plugin.note {
        text.push_str(&format!("Plugin: {} {}\n", note.plugin.id, note.version));
        text.push_str(&format!("Vendor: {}\n", note.plugin.vendor));
        if !note.plugin.license.is_empty() {
            text.push_str(&format!("License: {}\n", note.plugin.license));
        }
        text.push_str(&format!("API: built with {}, needs {}\n", note.api, note.plugin.requires));
    }
    text.push_str(&format!("File: {}\n", plugin.path.display()));
    if let Some(refusal) = &plugin.refusal {
        text.push_str(&format!("Refused: {}\n", refusal.report()));
    }
    text
}
