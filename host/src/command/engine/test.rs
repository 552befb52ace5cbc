//! `dbbackup engine test FILE`: the conformance kit on a plugin file.
use crate::{
    cli::ConnectionArgs,
    command::Context,
    conformance::{CHECKS, ConformanceReport, Kit, Verdict},
    exit::{Classified, Exit},
    output::{CommandResult, Report},
    selector::environment,
    supervisor::Secrets,
};
use clap::Args;
use dbbackup_plugin_api::document::connection::PASSWORD_SECRET;
use std::{path::PathBuf, time::Duration};

/// Run the conformance kit on a plugin file, one process a check.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The plugin file.
    file: PathBuf,
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Options of its engines, as JSON.
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = json)]
    options: serde_json::Value,
    /// Run these checks alone.
    #[arg(long, value_name = "CHECK", value_parser = CHECKS.iter().map(|c| c.name).collect::<Vec<_>>())]
    only: Vec<String>,
    /// Longest time of one check, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    time_limit: u64,
}

/// The plugin does not keep the contract.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {run} checks failed")]
struct NotConformant {
    failed: usize,
    run: usize,
}

/// Without an address on the command line, what needs a server is reported as not run.
pub(super) fn run(args: &TestArgs, context: &Context) -> CommandResult {
    context.doing(format!("test {}", args.file.display()));
    let mut kit = Kit::new("/proc/self/exe", &args.file);
    kit.options = args.options.clone();
    kit.only = args.only.clone();
    kit.time_limit = Duration::from_secs(args.time_limit);
    if args.connection.names_a_server() {
        let connection = context.connection(&args.connection)?;
        kit.environment = environment::gather(&connection, Default::default())?;
        let mut secrets = Secrets::new();
        if let Some(password) = connection.password() {
            secrets.insert(PASSWORD_SECRET, password);
        }
        kit.secrets = secrets;
    }
    let report = kit.run()?;
    let shown = Report::new(&report, report.to_string());
    Ok(if report.is_conformant() { shown } else { shown.failing(verdict(&report)) })
}

fn verdict(report: &ConformanceReport) -> NotConformant {
    let failed = report.count(|verdict| matches!(verdict, Verdict::Failed { .. }));
    let run = report.count(|verdict| !matches!(verdict, Verdict::NotRun { .. }));
    NotConformant { failed, run }
}

fn json(text: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_str(text)
}

impl Classified for NotConformant {
    fn exit(&self) -> Exit {
        Exit::Plugin
    }

    fn code(&self) -> String {
        "E-PLUGIN-NOT-CONFORMANT".to_owned()
    }
}
