//! `dbbackup engine …`: engines and the plugins that bring them.
mod add;
pub(crate) mod doctor;
mod info;
mod list;
mod new;
mod pin;
pub(crate) mod select;
mod test;

use super::Context;
use crate::output::CommandResult;
use clap::Subcommand;

/// Engines and their plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum EngineCommand {
    /// List engines, and refused plugins with the reason and what mends it; runs no plugin code.
    List,
    /// Show roles, options and privileges of an engine or plugin; runs no plugin code.
    Info {
        /// Engine or plugin.
        id: String,
    },
    /// Show what is known of server and storage, and which engine fits best.
    Select(Box<select::SelectArgs>),
    /// Look for what stands in the way of each engine, and say what would mend it.
    Doctor(Box<doctor::DoctorArgs>),
    /// Install a plugin: checked, probed in a process of its own, pinned.
    Add(add::AddArgs),
    /// Remove an installed plugin.
    Remove {
        /// Plugin.
        id: String,
    },
    /// Let a disabled plugin in again.
    Enable {
        /// Plugin.
        id: String,
    },
    /// Keep a plugin installed but out.
    Disable {
        /// Plugin.
        id: String,
    },
    /// Pin plugins as they are now by size and sha256; all if none is named.
    Lock {
        /// Plugins.
        ids: Vec<String>,
    },
    /// Write the crate of a new engine.
    New(new::NewArgs),
    /// Run the conformance kit on a plugin file, one process a check.
    Test(Box<test::TestArgs>),
}

impl EngineCommand {
    /// The name in schema ids and messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::List => "engine-list",
            Self::Info { .. } => "engine-info",
            Self::Select(_) => "engine-select",
            Self::Doctor(_) => "engine-doctor",
            Self::Add(_) => "engine-add",
            Self::Remove { .. } => "engine-remove",
            Self::Enable { .. } => "engine-enable",
            Self::Disable { .. } => "engine-disable",
            Self::Lock { .. } => "engine-lock",
            Self::New(_) => "engine-new",
            Self::Test(_) => "engine-test",
        }
    }
}

/// Runs one of them.
pub(super) fn run(command: &EngineCommand, context: &Context) -> CommandResult {
    match command {
        EngineCommand::List => list::run(context),
        EngineCommand::Info { id } => info::run(id, context),
        EngineCommand::Select(args) => select::run(args, context),
        EngineCommand::Doctor(args) => doctor::run(args, context),
        EngineCommand::Add(args) => add::run(args, context),
        EngineCommand::Remove { id } => pin::remove(id, context),
        EngineCommand::Enable { id } => pin::set_enabled(id, true, context),
        EngineCommand::Disable { id } => pin::set_enabled(id, false, context),
        EngineCommand::Lock { ids } => pin::lock(ids, context),
        EngineCommand::New(args) => new::run(args, context),
        EngineCommand::Test(args) => test::run(args, context),
    }
}
