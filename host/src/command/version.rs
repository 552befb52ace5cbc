//! `dbbackup version`.
use crate::output::{CommandResult, Report};
use dbbackup_plugin_api::{API_VERSION, OLDEST_ACCEPTED_API};
use serde_json::json;

/// Version of the program and of the plugin contract.
pub(super) fn run() -> CommandResult {
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let data = json!({
        "version": version,
        "plugin_api": API_VERSION,
        "oldest_plugin_api": OLDEST_ACCEPTED_API,
        "platform": platform,
    });
    let text = format!(
        "dbbackup {version} ({platform})\nplugin API {API_VERSION}, accepts plugins built with \
         {OLDEST_ACCEPTED_API} and later\n"
    );
    Ok(Report::new(&data, text))
}
