//! The note of a plugin: parsed from JSON, and checked for what a listing and a shell rely on.
use super::Reason;
use dbbackup_plugin_api::document::{
    Document,
    plugin::{EngineManifest, PluginNote},
};
use std::collections::BTreeSet;

/// Longest note that is read, in bytes. Ours have some 3 KB.
pub(super) const LONGEST_NOTE_BYTES: u64 = 1 << 20;

const LONGEST_ID: usize = 64;

/// Parses the JSON of a note.
///
/// # Errors
/// [`Reason::BadNote`] with the place.
pub(super) fn parse(json: &str) -> Result<PluginNote, Reason> {
    // The schema first: a note of another schema need not fit the struct at all.
    let value: serde_json::Value = serde_json::from_str(json).map_err(bad)?;
    let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or("no schema");
    if schema != PluginNote::SCHEMA {
        let wanted = PluginNote::SCHEMA;
        return Err(bad(format!("it is of schema {schema}, this version reads {wanted}")));
    }
    let note: PluginNote = serde_json::from_value(value).map_err(bad)?;
    check(&note)?;
    Ok(note)
}

/// The JSON without what fills a note up to a multiple of four bytes.
pub(super) fn without_padding(json: &str) -> &str {
    json.trim_end_matches(['\0', ' '])
}

fn check(note: &PluginNote) -> Result<(), Reason> {
    let plugin = &note.plugin;
    check_id("plugin id", &plugin.id)?;
    check_line("vendor", &plugin.vendor)?;
    check_line("summary", &plugin.summary)?;
    if plugin.engines.is_empty() {
        return Err(bad("it names no engine"));
    }
    let mut ids = BTreeSet::new();
    for engine in &plugin.engines {
        check_engine(engine)?;
        if !ids.insert(&engine.id) {
            return Err(bad(format!("it names engine '{}' twice", engine.id)));
        }
    }
    Ok(())
}

fn check_engine(engine: &EngineManifest) -> Result<(), Reason> {
    check_id("engine id", &engine.id)?;
    check_id("family", &engine.family)?;
    check_line("summary", &engine.summary)?;
    check_line("servers", &engine.servers)?;
    if let Some(backend) = &engine.backend {
        check_id("backend", backend)?;
    }
    for scheme in &engine.schemes {
        check_id("scheme", scheme)?;
    }
    if engine.roles.is_empty() {
        return Err(bad(format!("engine '{}' plays no role", engine.id)));
    }
    engine.roles.iter().try_for_each(|role| check_role(role))?;
    if !engine.options_schema.is_object() {
        return Err(bad(format!("options_schema of engine '{}' is no object", engine.id)));
    }
    Ok(())
}

/// Ids are typed in shells and become file names, so that nothing but these letters is let in.
fn check_id(what: &str, id: &str) -> Result<(), Reason> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let starts_well = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && id.len() <= LONGEST_ID && id.bytes().all(legal) {
        return Ok(());
    }
    Err(bad(format!("{what} {id:?} is not of a-z, 0-9 and '-', at most {LONGEST_ID}")))
}

fn check_role(role: &str) -> Result<(), Reason> {
    let (name, revision) = role.rsplit_once('/').unwrap_or((role, ""));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if !name.is_empty() && !revision.is_empty() && (name.bytes().chain(revision.bytes())).all(legal)
    {
        return Ok(());
    }
    Err(bad(format!("role {role:?} is not of the form name/revision")))
}

/// A stranger's text goes to the operator's terminal: no control characters, one line.
fn check_line(what: &str, text: &str) -> Result<(), Reason> {
    if text.chars().any(char::is_control) {
        return Err(bad(format!("{what} {text:?} has control characters")));
    }
    Ok(())
}

fn bad(what: impl ToString) -> Reason {
    Reason::BadNote { what: what.to_string() }
}

#[cfg(test)]
mod tests;
