//! `dbbackup physical-backup`: facts, engine, run, committed backup.
mod clone;
mod job;
mod output;
mod report;
mod stream;

pub(crate) use job::secrets;
pub(crate) use report::coordinates;
pub(crate) use stream::StreamBackupArgs;

use output::Destination;

use super::{
    Context,
    deadline::Deadline,
    engine::select::{refuse_other_backend, selector_config},
};
use crate::{
    backup,
    cli::{ConnectionArgs, KeyValue, TargetArgs, duration, key_value, rate},
    engine_options::EngineOptions,
    output::CommandResult,
    pipeline::Container,
    selector::{Selector, SelectorConfig},
    supervisor::Limits,
};
use clap::Args;
use std::{
    ffi::{OsStr, OsString},
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

/// Back up a server with the engine that fits it best, or the one that you name.
#[derive(Debug, Args)]
pub(crate) struct PhysicalBackupArgs {
    /// File, directory (ending in /), place (s3://bucket/path/name) or `-` for standard output; a
    /// name's ending says how it is written: .tar or .sql, then .gz or .zst, then .age [default:
    /// HOST-TIME.tar.gz in `backup.output_dir`].
    #[arg(long, short, value_name = "LOCATION")]
    output: Option<OsString>,
    #[command(flatten)]
    backup: BackupArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// What is backed up, by what, and how; wherever it goes.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Ending that says how the bytes are written, where the name of the output does not.
    #[arg(long, value_name = "ENDING")]
    format: Option<String>,
    /// Engine, engine family, or `auto` [default: `backup.engine` of the configuration].
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Member of the family `snapshot`, such as lvm, zfs or btrfs [default:
    /// `backup.snapshot.backend` of the configuration].
    #[arg(long, value_name = "NAME")]
    snapshot_backend: Option<String>,
    /// Option of the engine, as `engine info` lists them; may be given several times.
    #[arg(long = "engine-option", value_name = "KEY=VALUE", value_parser = key_value)]
    engine_options: Vec<KeyValue>,
    /// Schemas to back up, with * and ?, separated by commas; for engines that can choose.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    databases: Vec<String>,
    /// Schemas and tables (shop.tmp_*) to leave out, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Prefer engines that copy the server's files, whatever the size.
    #[arg(long)]
    prefer_physical: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    clone: clone::CloneArgs,
    #[command(flatten)]
    writing: WritingArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// How the artefact is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
struct WritingArgs {
    /// Encrypt for an age public key (age1…); may be given several times.
    #[arg(long, value_name = "KEY")]
    encrypt_to: Vec<String>,
    /// Replace a backup of the same name, once the new one is committed.
    #[arg(long)]
    force: bool,
    /// Manifest of a backup that goes to standard output.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Keep no manifest of a backup that goes to standard output; ends with exit code 10.
    #[arg(long, conflicts_with = "manifest")]
    no_manifest: bool,
    /// Threads that compress [default: one a processor].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Bytes a second that the target gets at most, such as 50M.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    limit_rate: Option<NonZeroU64>,
}

/// What may take how long.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Longest time that a server lock is held.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    max_lock: Duration,
    /// Longest time that is waited for a server lock.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    max_lock_wait: Duration,
    /// On a replica, how far its applier may be behind its source.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    max_replica_lag: Duration,
    /// Longest silence of an engine before it counts as hung.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    stall_timeout: Duration,
    /// Longest time for everything.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// Weaker promises to accept, by name, separated by commas (such as non-transactional,
    /// replica-stopped, replica-lag).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    accept_degraded: Vec<String>,
}

/// Backs up to wherever `--output` says.
pub(super) fn run(args: &PhysicalBackupArgs, context: &Context) -> CommandResult {
    let options = args.target.options(&context.config);
    back_up(args.output.as_deref(), options, &args.backup, context)
}

/// Backs up to a place that an engine serves.
pub(super) fn stream(args: &StreamBackupArgs, context: &Context) -> CommandResult {
    let (place, options) = args.destination(context)?;
    back_up(Some(place), options, &args.backup, context)
}

/// Gathers, chooses, runs, reports.
fn back_up(
    output: Option<&OsStr>,
    target_options: EngineOptions,
    args: &BackupArgs,
    context: &Context,
) -> CommandResult {
    let name = args.engine.as_ref().unwrap_or(&context.config.backup.engine);
    let donor = args.clone.donor(name, context)?;
    let connection = context.connection(&args.connection)?;
    let connection =
        args.clone.connection(connection, donor.as_ref())?.cancelled_by(&context.cancel);
    context.doing(format!("backup of {}", connection.address()));
    let registry = context.registry();
    let output = Destination { given: output, registry: &registry, options: target_options };
    let output = output.resolve(args, context, &connection)?;
    let deadline = Deadline::start(args.limits.timeout, &context.cancel)?;

    refuse_other_backend(&registry, args.engine.as_deref(), args.snapshot_backend.as_deref())?;
    let limits = Limits { stall: args.limits.stall_timeout, ..Limits::default() };
    let runtime = context.runtime(&registry, limits)?;
    let progress = context.progress();
    let config = SelectorConfig {
        prefer_physical: args.prefer_physical,
        max_lock_ms: Some(job::milliseconds(args.limits.max_lock)),
        accept_degraded: args.limits.accept_degraded.clone(),
        into_sql: output.encoding.container() == Container::Sql,
        options: job::options(args, context, donor.as_ref())?,
        ..selector_config(context, args.snapshot_backend.as_ref())
    };
    let selector = Selector::new(&runtime, &progress, &context.cancel, config);
    let environment = selector.gather_info(&connection, &output.location.to_string())?;
    let choice = deadline.judge(selector.select(name, &connection, &environment))?;

    let engine = choice.engine.engine.id.clone();
    let span = tracing::info_span!(
        "backup",
        source = connection.address(),
        engine,
        backup_id = tracing::field::Empty
    );
    let _inside = span.enter();
    tracing::info!("engine {engine}: {}", choice.reason);
    let job = job::of(args, &connection, donor.as_ref(), environment, output, choice)?;
    let outcome = deadline.judge(backup::run(job, &runtime, &progress, &context.cancel))?;
    drop(progress);
    outcome
        .manifest
        .degraded
        .iter()
        .for_each(|promise| context.warn(format!("degraded: {promise}")));
    Ok(report::of(&outcome, &connection))
}
