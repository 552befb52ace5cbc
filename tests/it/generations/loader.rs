//! The host's loader, built with plugin-api 1.1. Loads each file named, in their order, and prints
//! a line for each: `loaded ID REASON GENERATION FIELD` or the refusal.
#![allow(dead_code, unreachable_pub, reason = "a part of the host in a program of its own")]
mod exit;
mod nearest;
mod plugin;

use dbbackup_plugin_api::{host::silent_host, role::BackupRole_Ref};
use plugin::{PluginError, PluginSettings, Registry};
use std::path::Path;

fn main() {
    for file in std::env::args().skip(1) {
        match load(Path::new(&file)) {
            Ok(line) => println!("{line}"),
            Err(PluginError::Refused(refusal)) => println!("{}", refusal.report()),
            Err(error) => println!("error: {error}"),
        }
    }
}

fn load(file: &Path) -> Result<String, PluginError> {
    let mut registry = Registry::discover(&PluginSettings::only([]));
    let plugin = registry.register(file)?;
    let id = plugin.id().unwrap_or_default().to_owned();
    let engine = registry.load(&id, silent_host(), serde_json::Value::Null)?;
    let assessment = engine.assess(&Default::default())?;
    let role = engine.role::<BackupRole_Ref>()?;
    let generation = engine.engine().generation();
    let field = role.generation().map(|generation| generation());
    // Nothing of the plugin may outlive its use here: the same file may be loaded again.
    drop(engine);
    Ok(format!("loaded {id}: {}, {generation}, {field:?}", assessment.reason))
}
