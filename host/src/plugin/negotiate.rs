//! Version negotiation: does the plugin work with this host, and the host with the plugin?
use super::{ApiMismatch, Reason};
use dbbackup_plugin_api::{API_VERSION, OLDEST_ACCEPTED_API, document::plugin::PluginNote};
use semver::Version;

/// What a host offers to plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostApi {
    /// Version of the tool, for messages.
    pub tool: Version,
    /// Version of the contract.
    pub api: Version,
    /// Oldest contract whose plugins still load.
    pub oldest: Version,
}

impl HostApi {
    /// What this host offers.
    pub fn current() -> Self {
        // The three are literals of Cargo.toml and of plugin-api; a test parses them.
        let parse = |text: &str| Version::parse(text).unwrap_or(Version::new(0, 0, 0));
        Self {
            tool: parse(env!("CARGO_PKG_VERSION")),
            api: parse(API_VERSION),
            oldest: parse(OLDEST_ACCEPTED_API),
        }
    }
}

/// Checks both directions: the plugin's wish (`requires`) against the host's version, and the
/// version that the plugin was built with against the oldest that the host accepts.
///
/// A plugin built with a newer minor version loads where its range allows it.
///
/// # Errors
/// [`Reason::Major`] if the major versions differ, else [`Reason::Api`].
pub fn negotiate(note: &PluginNote, host: &HostApi) -> Result<(), Reason> {
    let mismatch = || {
        Box::new(ApiMismatch {
            tool: host.tool.clone(),
            requires: note.plugin.requires.clone(),
            built: note.api.clone(),
            host: host.api.clone(),
            oldest: host.oldest.clone(),
        })
    };
    if note.api.major != host.api.major {
        return Err(Reason::Major(mismatch()));
    }
    if !note.plugin.requires.matches(&host.api) || note.api < host.oldest {
        return Err(Reason::Api(mismatch()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
