//! `dbbackup engine list`: reads the notes of plugin files and runs none of their code.
use crate::{
    command::Context,
    output::{CommandResult, Report, Table},
    plugin::{Plugin, Registry},
};
use serde_json::{Value, json};

/// Engines in a table, then refused plugins with code, reason and mend.
pub(super) fn run(context: &Context) -> CommandResult {
    let registry = context.registry();
    let engines: Vec<Value> = registry
        .engines()
        .map(|found| {
            json!({
                "id": found.engine.id,
                "family": found.engine.family,
                "summary": found.engine.summary,
                "roles": found.engine.roles,
                "servers": found.engine.servers,
                "plugin": found.plugin.id(),
                "version": found.plugin.note.as_ref().map(|note| note.version.to_string()),
            })
        })
        .collect();
    let plugins: Vec<Value> = registry.plugins().iter().map(plugin).collect();
    let refused: Vec<_> = registry.refusals().map(|refusal| refusal.view()).collect();
    let data = json!({"engines": engines, "plugins": plugins, "refused": refused});
    Ok(Report::new(&data, text(&registry)))
}

/// A plugin file as data.
pub(super) fn plugin(plugin: &Plugin) -> Value {
    json!({
        "id": plugin.id(),
        "version": plugin.note.as_ref().map(|note| note.version.to_string()),
        "api": plugin.note.as_ref().map(|note| note.api.to_string()),
        "vendor": plugin.note.as_ref().map(|note| note.plugin.vendor.clone()),
        "first_party": plugin.is_first_party(),
        "file": plugin.path.display().to_string(),
        "size_bytes": plugin.size_bytes,
        "origin": plugin.origin,
        "lock": plugin.lock,
        "usable": plugin.is_usable(),
        "refusal": plugin.refusal.as_ref().map(|refusal| refusal.view()),
    })
}

fn text(registry: &Registry) -> String {
    let mut table = Table::new(&["ENGINE", "FAMILY", "ROLES", "PLUGIN", "SERVERS", "SUMMARY"]);
    for found in registry.engines() {
        let engine = found.engine;
        let label = found.plugin.label();
        let label = label.map(|label| format!("{} {}", label.id, label.version));
        table.row([
            engine.id.clone(),
            engine.family.clone(),
            engine.roles.iter().map(|role| short(role)).collect::<Vec<_>>().join(","),
            label.unwrap_or_default(),
            engine.servers.clone(),
            engine.summary.clone(),
        ]);
    }
    let mut text = match registry.engines().next() {
        Some(_) => table.render(),
        None => "no engine is installed\n".to_owned(),
    };
    let refused: Vec<_> = registry.refusals().collect();
    if !refused.is_empty() {
        text.push_str("\nRefused plugins:\n");
    }
    for refusal in refused {
        text.push_str(&format!("{}\n", refusal.report()));
    }
    text
}

/// `dbbackup.role.backup/1` -> `backup`; a vendor's role as it is.
pub(super) fn short(role: &str) -> &str {
    let own = role.strip_prefix("dbbackup.role.");
    own.and_then(|name| name.split('/').next()).unwrap_or(role)
}
