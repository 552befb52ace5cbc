//! `dbbackup completion SHELL`.
use crate::{
    cli::Cli,
    output::{CommandResult, Report},
};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

/// Print the completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// The script for the shell.
pub(super) fn run(args: &CompletionArgs) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dbbackup", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let data = json!({"shell": args.shell.to_string(), "script": script});
    Ok(Report::new(&data, script))
}
