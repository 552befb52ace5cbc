//! `dbbackup engine remove | enable | disable | lock`: changes to plugin directories.
use crate::{
    command::Context,
    output::{CommandResult, Report, Table},
    plugin,
};
use serde_json::json;

/// Removes a plugin's file and its lock entry.
pub(super) fn remove(id: &str, context: &Context) -> CommandResult {
    context.doing(format!("remove plugin {id}"));
    let removed = plugin::remove(&context.registry(), id)?;
    let text = format!("removed {} ({})\n", removed.id, removed.path.display());
    Ok(Report::new(&removed, text))
}

/// Enables or disables a plugin.
pub(super) fn set_enabled(id: &str, enabled: bool, context: &Context) -> CommandResult {
    let word = if enabled { "enable" } else { "disable" };
    context.doing(format!("{word} plugin {id}"));
    let change = plugin::set_enabled(&context.registry(), id, enabled)?;
    let before = if change.changed { "is now" } else { "was already" };
    let text = format!("{} {before} {word}d\n", change.id);
    Ok(Report::new(&change, text))
}

/// Pins plugins as they are.
pub(super) fn lock(ids: &[String], context: &Context) -> CommandResult {
    context.doing("pin plugins");
    let entries = plugin::lock(&context.registry(), ids)?;
    let mut table = Table::new(&["PLUGIN", "VERSION", "SHA256"]);
    for entry in &entries {
        table.row([entry.id.clone(), entry.version.to_string(), entry.sha256.to_string()]);
    }
    Ok(Report::new(&json!({"locked": entries}), table.render()))
}
