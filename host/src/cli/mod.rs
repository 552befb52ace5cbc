//! The command line: what can be typed. What it does is in `command`.
mod connection;
mod global;
mod refuse;
mod target;
mod values;

pub(crate) use connection::ConnectionArgs;
pub(crate) use global::{GlobalArgs, ProgressMode};
pub(crate) use refuse::{UsageError, password_in};
pub(crate) use target::TargetArgs;
pub(crate) use values::{KeyValue, duration, key_value, rate, size};

use crate::command::{
    backup::{PhysicalBackupArgs, StreamBackupArgs},
    cleanup::CleanupArgs,
    completion::CompletionArgs,
    engine,
    info::InfoArgs,
    list::ListArgs,
    restore::RestoreArgs,
    status::StatusArgs,
    verify::VerifyArgs,
};
use clap::{Parser, Subcommand};

/// Back up MySQL and MariaDB, physically and logically, through engine plugins.
#[derive(Debug, Parser)]
#[command(name = "dbbackup", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done; 1 failed; 2 usage; 3 configuration; 4 precondition \
    (privilege, plugin, version); 5 server unreachable or login refused; 6 target; 7 no space; \
    8 another run holds the lock; 9 lock budget exceeded, nothing written; 10 written but degraded; \
    20 verification failed; 22 too old; 23 refused for safety; 24 plugin refused or crashed; \
    124 timeout; 130/143 interrupted, cleaned up.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Back up a server with the engine that fits it best, or the one that you name.
    PhysicalBackup(Box<PhysicalBackupArgs>),
    /// Back up a server straight to object storage, without any local disk.
    StreamBackup(Box<StreamBackupArgs>),
    /// Bring a backup back, into a directory or into a running server.
    Restore(Box<RestoreArgs>),
    /// Re-read a backup and prove that what was written is there.
    Verify(Box<VerifyArgs>),
    /// List the backups at a location, incomplete ones too.
    List(Box<ListArgs>),
    /// Show everything that is known about one backup.
    Info(Box<InfoArgs>),
    /// Say whether the newest backup at each location is good and new enough.
    Status(Box<StatusArgs>),
    /// Remove what crashed runs left behind, and nothing else.
    Cleanup(Box<CleanupArgs>),
    /// Engines and their plugins.
    #[command(subcommand)]
    Engine(engine::EngineCommand),
    /// Look for what stands in the way of a backup.
    Doctor(Box<engine::doctor::DoctorArgs>),
    /// Print the completion script for a shell.
    Completion(CompletionArgs),
    /// Print version, plugin contract and build.
    Version,
}

impl Command {
    /// The name in schema ids and messages: `physical-backup`, `engine-list`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::PhysicalBackup(_) => "physical-backup",
            Self::StreamBackup(_) => "stream-backup",
            Self::Restore(_) => "restore",
            Self::Verify(_) => "verify",
            Self::List(_) => "list",
            Self::Info(_) => "info",
            Self::Status(_) => "status",
            Self::Cleanup(_) => "cleanup",
            Self::Engine(command) => command.name(),
            Self::Doctor(_) => "doctor",
            Self::Completion(_) => "completion",
            Self::Version => "version",
        }
    }
}
