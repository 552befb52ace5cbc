//! Options of every command.
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "General options")]
pub(crate) struct GlobalArgs {
    /// Configuration file [default: $DBBACKUP_CONFIG, ./dbbackup.yaml, /etc/dbbackup/config.yaml].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory with engine plugins, searched before all others; may be given several times.
    #[arg(long = "plugin-dir", global = true, value_name = "DIR")]
    pub(crate) plugin_dirs: Vec<PathBuf>,
    /// Use the plugins of the installation alone, whatever else says otherwise.
    #[arg(long, global = true)]
    pub(crate) safe_mode: bool,
    /// Print the result as one JSON document.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How progress is shown on standard error.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) progress: ProgressMode,
    /// Least severity of log lines: error, warn, info, debug, trace, or a filter.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// More log lines; twice for all.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log errors alone and show no progress.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar if standard error is a terminal.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// One JSON document a line, log lines included.
    Json,
    /// None.
    None,
}
