//! `dbbackup restore`: brings a backup back.
use super::{Context, backup::secrets, deadline::Deadline};
use crate::{
    artefact::OpenArtefact,
    cli::{ConnectionArgs, KeyValue, TargetArgs, UsageError, duration, key_value},
    config::units::format_size,
    engine_options::EngineOptions,
    exit::Failure,
    output::{CommandResult, Report},
    plugin::Registry,
    remote::Place,
    restore::{self, RestoreDestination, RestoreJob, RestoreOutcome},
    scratch_server::target_server,
    supervisor::{Limits, Observer, Runtime, Secrets, undo::Undo},
};
use clap::Args;
use dbbackup_plugin_api::document::restore::Mapping;
use serde_json::{Value, json};
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Bring a backup back, into a directory or into a running server.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup: a file, a directory, or a name such as s3://bucket/path/backup.tar.gz.
    artefact: OsString,
    /// Directory to restore into; it must not exist, or be empty.
    #[arg(long, value_name = "DIR", conflicts_with = "into_server")]
    target_dir: Option<PathBuf>,
    /// Restore into the server on the connection.
    #[arg(long)]
    into_server: bool,
    /// Restore only what fits a pattern, such as shop/* or shop.orders; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Into a server: give a schema another name. Into a directory: a root outside of the data
    /// directory (external/1, or its path) goes to another directory. May be given several times.
    #[arg(long, value_name = "OLD=NEW", value_parser = key_value)]
    map: Vec<KeyValue>,
    /// The server that is to run on the directory: what it could not start on is refused.
    #[arg(long, value_name = "FILE", requires = "target_dir")]
    mysqld: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Let existing content make way, and take a backup without a good manifest.
    #[arg(long)]
    force: bool,
    /// File with the age identity that opens an encrypted backup; may be given several times.
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// Option of the engine, as `engine info` lists them; may be given several times.
    #[arg(long = "engine-option", value_name = "KEY=VALUE", value_parser = key_value)]
    engine_options: Vec<KeyValue>,
    /// Longest silence of an engine before it counts as hung.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    stall_timeout: Duration,
    /// Longest time for everything.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// Restores and says what was done.
pub(super) fn run(args: &RestoreArgs, context: &Context) -> CommandResult {
    context.doing(format!("restore of {}", args.artefact.display()));
    let (destination, secrets) = destination(args, context)?;
    let deadline = Deadline::start(args.timeout, &context.cancel)?;
    let registry = context.registry();
    let limits = Limits { stall: args.stall_timeout, ..Limits::default() };
    let runtime = context.runtime(&registry, limits)?;
    let artefact = Place::find(&args.artefact, &registry, &args.target.options(&context.config))?;
    let opened = deadline.judge(OpenArtefact::open(&artefact, &runtime, &context.cancel))?;
    let job = RestoreJob {
        options: options(args, &opened, context, &registry)?,
        artefact,
        identities: args.identity.clone(),
        destination,
        only: args.only.clone(),
        map: args.map.iter().cloned().map(|map| Mapping { old: map.key, new: map.value }).collect(),
        server: args.mysqld.as_deref().map(target_server).transpose()?,
        force: args.force,
        dry_run: args.dry_run,
        secrets,
    };
    let progress = context.progress();
    let outcome = undo_abandoned(&job, &runtime, &progress, context)
        .and_then(|()| restore::run_on(&opened, &job, &runtime, &progress, &context.cancel));
    let outcome = deadline.judge(outcome)?;
    drop(progress);
    outcome.warnings.iter().for_each(|warning| context.warn(warning.clone()));
    Ok(report(&job, &outcome))
}

fn destination(
    args: &RestoreArgs,
    context: &Context,
) -> Result<(RestoreDestination, Secrets), Failure> {
    match (&args.target_dir, args.into_server) {
        (Some(directory), _) => {
            Ok((RestoreDestination::Directory(directory.clone()), Secrets::new()))
        }
        (None, true) => {
            let connection = context.connection(&args.connection)?;
            context.doing(format!(
                "restore of {} into {}",
                args.artefact.display(),
                connection.address()
            ));
            let secrets = secrets(&connection);
            Ok((RestoreDestination::Server(Box::new(connection.document)), secrets))
        }
        (None, false) => {
            let text = "say where to: --target-dir DIR or --into-server";
            Err(UsageError::Contradiction(text.to_owned()).into())
        }
    }
}

/// Undoes what runs left that are gone, before a server is changed. A restore into a directory does
/// so itself, after the engine's plan.
fn undo_abandoned(
    job: &RestoreJob,
    runtime: &Runtime<'_>,
    observer: &dyn Observer,
    context: &Context,
) -> Result<(), Failure> {
    let RestoreDestination::Server(connection) = &job.destination else { return Ok(()) };
    if job.dry_run {
        return Ok(());
    }
    let secrets = job.secrets.clone().with_connection(connection);
    // What others have left is no reason to keep somebody waiting who wants to end this run.
    let undo =
        Undo { runtime, secrets: &secrets, observer, cancel: &context.cancel, dry_run: false };
    undo.abandoned()?;
    Ok(())
}

fn options(
    args: &RestoreArgs,
    artefact: &OpenArtefact,
    context: &Context,
    registry: &Registry,
) -> Result<Value, Failure> {
    let given = args.engine_options.iter().cloned().map(|option| (option.key, option.value));
    let options =
        EngineOptions { given: given.collect(), ..EngineOptions::of_config(&context.config) };
    options_of_engine(artefact, &options, registry)
}

/// Options of the engine that made a backup; none where the engine is not known, because a backup of
/// files alone restores and verifies without it.
pub(super) fn options_of_engine(
    artefact: &OpenArtefact,
    options: &EngineOptions,
    registry: &Registry,
) -> Result<Value, Failure> {
    let Ok(manifest) = artefact.manifest() else { return Ok(Value::Null) };
    match registry.engine(&manifest.engine.id) {
        Ok(found) => Ok(options.of(found.engine)?),
        Err(_) => Ok(Value::Null),
    }
}

fn report(job: &RestoreJob, outcome: &RestoreOutcome) -> Report {
    let data = json!({
        "backup_id": outcome.backup_id,
        "artefact": job.artefact.to_string(),
        "dry_run": job.dry_run,
        "files": outcome.files,
        "bytes": outcome.bytes,
        "plan": outcome.plan,
        "summary": outcome.summary,
        "pages": outcome.pages,
        "data_directory": outcome.data_directory.as_ref().map(|path| path.display().to_string()),
        "server_options": outcome.server_options,
        "kept_aside": outcome.kept_aside.as_ref().map(|path| path.display().to_string()),
    });
    let verb = if job.dry_run { "Would restore" } else { "Restored" };
    let mut text = format!("{verb}: {}\n", outcome.backup_id);
    if let RestoreDestination::Directory(directory) = &job.destination {
        text.push_str(&format!("Directory: {}\n", directory.display()));
    }
    if outcome.files > 0 {
        let bytes = format_size(outcome.bytes);
        text.push_str(&format!("Files: {} ({bytes})\n", outcome.files));
    }
    text.push_str(&for_the_server(outcome));
    if let Some(summary) = outcome.summary.as_ref().filter(|summary| summary.statements > 0) {
        let bytes = format_size(summary.bytes);
        text.push_str(&format!("Statements: {} ({bytes})\n", summary.statements));
    }
    for step in outcome.plan.iter().flat_map(|plan| &plan.steps) {
        text.push_str(&format!("Step: {step}\n"));
    }
    if let Some(aside) = &outcome.kept_aside {
        text.push_str(&format!("Kept aside: {}\n", aside.display()));
    }
    Report::new(&data, text)
}

/// What a server is started with, and how many pages were found good.
fn for_the_server(outcome: &RestoreOutcome) -> String {
    let mut text = String::new();
    if outcome.pages.checked > 0 {
        text.push_str(&format!("Pages: {} checked, all good\n", outcome.pages.checked));
    }
    if let Some(directory) = &outcome.data_directory {
        text.push_str(&format!("Start a server with: --datadir={}", directory.display()));
        outcome.server_options.iter().for_each(|option| text.push_str(&format!(" {option}")));
        text.push('\n');
    }
    text
}
